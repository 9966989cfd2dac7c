"""A table with more shards: the contract holds, and what was stored with fewer is found, moved and deleted."""

from __future__ import annotations

from threading import get_ident
from typing import Any

import pytest

from chalicelib.adapters.dynamodb import keys
from chalicelib.adapters.dynamodb.items import TableLocation
from chalicelib.adapters.dynamodb.sharded import AT_ONCE
from chalicelib.adapters.dynamodb.store import DynamoStore
from chalicelib.model.run import Run
from chalicelib.model.status import Status
from chalicelib.service.errors import Busy
from chalicelib.service.ports.runs import RunQuery
from fsl.local.aws import REGION
from tests.adapters.samples import a_run, a_signal, a_task, after, new
from tests.adapters.store_contract import StoreContract
from tests.fakes import START, Throttled

RUNS = 40
OF_TEAM = (("team", "a"),)
EVERY_LIST = (
    RunQuery(limit=100),
    RunQuery(limit=100, flow="deploy"),
    RunQuery(limit=100, labels=OF_TEAM),
    RunQuery(limit=100, undo_failed=True),
    RunQuery(limit=100, due_before=START + 10**9),
)


def with_shards(shards: int) -> DynamoStore:
    return DynamoStore(TableLocation(region=REGION, shards=shards))


def labelled(number: int) -> Run:
    return a_run(f"r{number}", status=Status.RUNNING, labels={"team": "a"}, failed_undos=1)


def names_in(store: DynamoStore, query: RunQuery) -> list[str]:
    return sorted(run.name for run in store.runs.list("ns", query).runs)


def everything(dynamo: DynamoStore) -> list[dict[str, Any]]:
    return list(dynamo.table.client.scan(TableName="echoer")["Items"])


def partitions_of(dynamo: DynamoStore, attribute: str) -> set[str]:
    return {item[attribute]["S"] for item in everything(dynamo) if attribute in item}


class TestEightShards(StoreContract):
    @pytest.fixture
    def store(self, dynamo: DynamoStore) -> DynamoStore:
        assert dynamo.table.shards == keys.SHARDS
        return with_shards(8)


class TestRaised:
    """The number of shards was raised from 4 to 16, over a table that has items."""

    @pytest.fixture
    def raised(self, dynamo: DynamoStore) -> DynamoStore:
        for number in range(RUNS):
            dynamo.runs.create(new(labelled(number)))
        return with_shards(16)

    @pytest.mark.parametrize("query", EVERY_LIST)
    def test_old_and_new_runs_are_listed_together(self, raised: DynamoStore, query: RunQuery) -> None:
        for number in range(RUNS, 2 * RUNS):
            raised.runs.create(new(labelled(number)))
        assert names_in(raised, query) == sorted(f"r{number}" for number in range(2 * RUNS))

    def test_timers_of_both_are_due(self, raised: DynamoStore) -> None:
        for number in range(RUNS, 2 * RUNS):
            raised.runs.create(new(labelled(number)))
        assert len(raised.runs.due(START + 10**9, 1_000)) == 2 * RUNS

    def test_a_head_moves_with_its_next_write(self, raised: DynamoStore, dynamo: DynamoStore) -> None:
        assert partitions_of(dynamo, "ap") == {f"A#{number}" for number in range(4)}
        for number in range(RUNS):
            run = labelled(number)
            raised.runs.save(after(run), run.version)
        assert partitions_of(dynamo, "ap") == {f"A#{number}" for number in range(16)}
        assert len(raised.runs.due(START + 10**9, 1_000)) == RUNS

    def test_a_new_label_replaces_the_old_one_wherever_it_is(self, raised: DynamoStore) -> None:
        for number in range(RUNS):
            run = labelled(number)
            raised.runs.save_relabeled(after(run, labels={"team": "b"}), run)
        assert names_in(raised, RunQuery(limit=100, labels=OF_TEAM)) == []
        assert len(names_in(raised, RunQuery(limit=100, labels=(("team", "b"),)))) == RUNS

    def test_deletion_leaves_nothing(self, raised: DynamoStore, dynamo: DynamoStore) -> None:
        for number in range(RUNS):
            raised.runs.delete(labelled(number))
        assert everything(dynamo) == []

    def test_events_of_both_are_listed(self, raised: DynamoStore, dynamo: DynamoStore) -> None:
        for number in range(RUNS):
            (dynamo if number % 2 else raised).signals.put("ns", a_signal(number))
        assert len(raised.signals.list("ns", START, 100)) == RUNS

    def test_tasks_keep_their_partitions(self, raised: DynamoStore, dynamo: DynamoStore) -> None:
        for number in range(RUNS):
            dynamo.tasks.put("ns", a_task(number))
        assert len(raised.tasks.list("ns", 100)) == RUNS
        for number in range(RUNS):
            raised.tasks.remove("ns", a_task(number))
        assert list(dynamo.tasks.list("ns", 100)) == []


def threads_of(store: DynamoStore, query: RunQuery) -> tuple[int, int]:
    """Return how many queries a list makes, and from how many threads."""
    threads = list[int]()
    store.table.client.meta.events.register(
        "before-parameter-build.dynamodb.Query", lambda **_: threads.append(get_ident())
    )
    store.runs.list("ns", query)
    return len(threads), len(set(threads))


def test_many_shards_are_read_side_by_side(dynamo: DynamoStore) -> None:
    for number in range(RUNS):
        dynamo.runs.create(new(labelled(number)))
    assert threads_of(dynamo, RunQuery(limit=100)) == (20, 1)
    store = with_shards(64)
    queries, threads = threads_of(store, RunQuery(limit=100))
    assert queries == 5 * 64
    assert 1 < threads <= AT_ONCE
    assert names_in(store, RunQuery(limit=100)) == sorted(f"r{number}" for number in range(RUNS))
    assert len(store.runs.due(START + 10**9, 1_000)) == RUNS


def test_an_error_in_one_shard_is_that_of_the_list(dynamo: DynamoStore) -> None:
    store = DynamoStore(TableLocation(region=REGION, shards=64, retries=0))
    with Throttled(store.table.client), pytest.raises(Busy):
        store.runs.list("ns", RunQuery(limit=100))


def test_labels_spread_over_a_quarter_of_the_shards(dynamo: DynamoStore) -> None:
    store = with_shards(32)
    for number in range(100):
        store.runs.create(new(labelled(number)))
    homes = {item["k"]["S"] for item in everything(dynamo) if item["k"]["S"].startswith("L#")}
    assert homes == {"L#ns#team#a", *(f"L#ns#team#a#{number}" for number in range(1, 8))}
