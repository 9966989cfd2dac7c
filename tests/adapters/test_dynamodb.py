from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from random import Random
from typing import Any

import pytest
from botocore.exceptions import ConnectTimeoutError, EndpointConnectionError, ReadTimeoutError
from pynamodb.exceptions import VerboseClientError

from chalicelib.adapters.dynamodb import keys, tables
from chalicelib.adapters.dynamodb.items import LAYOUT, Item, Table, TableLocation, translated
from chalicelib.adapters.dynamodb.store import DynamoStore
from chalicelib.engine.events import RunStarted, StepAcked
from chalicelib.engine.machine import decide
from chalicelib.engine.paging import turn_page
from chalicelib.model.actions import Action
from chalicelib.model.definition import Definition
from chalicelib.model.flow import Flow
from chalicelib.model.formats import Format, NewerFormat
from chalicelib.model.history import Entries, Entry, Page
from chalicelib.model.ids import mint_uuid
from chalicelib.model.run import DefinitionRef, Run, encode
from chalicelib.model.status import Status
from chalicelib.service.errors import Busy, Conflict, RunExists, ServiceError, TooLarge
from chalicelib.service.ports.definitions import Kind
from chalicelib.service.ports.runs import RunQuery
from chalicelib.service.ports.store import Store
from chalicelib.service.runs.offloading import OffloadingRunStore
from fsl.local.aws import REGION
from tests.adapters.samples import (
    AWKWARD_NAMES,
    a_definition,
    a_page,
    a_run,
    a_signal,
    a_subscription,
    a_task,
    a_waiter,
    after,
    flow,
    new,
)
from tests.adapters.store_contract import StoreContract
from tests.engine.flows import step
from tests.fakes import START, Counting, Operation, Sparing, Throttled, size_of_item


class TestDynamoStore(StoreContract):
    @pytest.fixture
    def store(self, dynamo: DynamoStore) -> DynamoStore:
        return dynamo


@contextmanager
def dynamo_reads(dynamo: DynamoStore) -> Iterator[list[Any]]:
    """Provide the keys that batches of reads ask for inside a `with` block."""
    asked: list[Any] = []

    def record(params: dict[str, Any], **_: Any) -> None:
        for request in params.get("RequestItems", {}).values():
            asked.extend(request.get("Keys", ()))

    events = dynamo.table.client.meta.events
    events.register("before-parameter-build.dynamodb.BatchGetItem", record)
    try:
        yield asked
    finally:
        events.unregister("before-parameter-build.dynamodb.BatchGetItem", record)


class TestWhatItCosts:
    """The costs of docs/architecture.md, 6."""

    def test_loading_a_run_is_one_consistent_read(self, dynamo: DynamoStore) -> None:
        dynamo.runs.create(new(a_run()))
        with Counting(dynamo.table.client) as counted:
            dynamo.runs.load("ns", "r1")
        assert counted.operations == [Operation("GetItem", consistent=True)]

    def test_saving_a_run_is_one_conditional_write_of_one_unit(self, dynamo: DynamoStore) -> None:
        dynamo.runs.create(new(a_run()))
        with Counting(dynamo.table.client) as counted:
            dynamo.runs.save(after(a_run()), seen=1)
        (operation,) = counted.operations
        assert (operation.name, operation.conditional, operation.write_units) == ("PutItem", True, 1)

    def test_creating_a_plain_run_is_one_write(self, dynamo: DynamoStore) -> None:
        with Counting(dynamo.table.client) as counted:
            dynamo.runs.create(new(a_run()))
        assert counted.names == {"PutItem": 1}
        assert counted.write_units == 1

    def test_submitting_one_thing_takes_no_transaction(self, dynamo: DynamoStore) -> None:
        with Counting(dynamo.table.client) as counted:
            dynamo.definitions.submit("ns", [a_definition()], [])
            dynamo.definitions.submit("ns", [], [new(a_run())])
        assert counted.names == {"PutItem": 2}

    def test_submitting_several_things_is_one_transaction(self, dynamo: DynamoStore) -> None:
        with Counting(dynamo.table.client) as counted:
            dynamo.definitions.submit("ns", [a_definition("a"), a_definition("b")], [new(a_run())])
        assert counted.names == {"TransactWriteItems": 1}

    def test_a_list_reads_heads_in_batches_and_never_scans(self, dynamo: DynamoStore) -> None:
        for number in range(20):
            dynamo.runs.create(new(a_run(f"r{number}", status=Status.FAILED)))
        with Counting(dynamo.table.client) as counted:
            dynamo.runs.list("ns", RunQuery(statuses=frozenset({Status.FAILED}), limit=10))
        assert counted.names == {"Query": keys.SHARDS, "BatchGetItem": 1}

    @pytest.mark.parametrize(
        ("query", "index", "queries", "heads"),
        [
            (RunQuery(undo_failed=True, flow="deploy", statuses=frozenset({Status.FAILED})), "undo_failed", 4, 3),
            (RunQuery(labels=(("n", "3"),), statuses=frozenset({Status.FAILED})), None, 1, 1),
            (RunQuery(labels=(("n", "3"), ("team", "a")), flow="deploy"), None, 2, 1),
            (RunQuery(flow="deploy", statuses=frozenset({Status.FAILED})), "by_flow", 4, 30),
            (RunQuery(error="E", flow="deploy"), "by_flow", 8, 30),
            (RunQuery(error="E"), "listed", 8, 30),
            (RunQuery(statuses=frozenset({Status.FAILED}), name_prefix="r2"), "listed", 4, 11),
            (RunQuery(statuses=frozenset({Status.FAILED}), name_prefix="x"), "listed", 4, 0),
            (RunQuery(parent="r5"), "listed", 20, 0),
            (RunQuery(due_before=START + 70_000), "alarms", 4, 30),
        ],
    )
    def test_a_list_reads_the_index_of_its_filters(
        self, dynamo: DynamoStore, query: RunQuery, index: str | None, queries: int, heads: int
    ) -> None:
        """docs/how-to/find-runs.md"""
        for number in range(30):
            labels = {"n": number, "team": "a"}
            run = a_run(f"r{number}", status=Status.FAILED, labels=labels, failed_undos=int(number % 10 == 0))
            dynamo.runs.create(new(run))
        with Counting(dynamo.table.client) as counted, dynamo_reads(dynamo) as read:
            dynamo.runs.list("ns", query)
        asked = [operation for operation in counted.operations if operation.name == "Query"]
        assert {operation.index for operation in asked} == {index}
        assert (len(asked), len(read)) == (queries, heads + (query.parent is not None))
        assert counted.names.keys() <= {"Query", "BatchGetItem"}

    @pytest.mark.parametrize(
        ("query", "heads"),
        [(RunQuery(statuses=frozenset({Status.FAILED})), 0), (RunQuery(), 3), (RunQuery(error="E"), 30)],
    )
    def test_runs_that_have_ended_are_counted_by_their_keys(
        self, dynamo: DynamoStore, query: RunQuery, heads: int
    ) -> None:
        for number in range(33):
            status = Status.FAILED if number < 30 else Status.RUNNING
            dynamo.runs.create(new(a_run(f"r{number}", status=status)))
        with dynamo_reads(dynamo) as read:
            dynamo.runs.count("ns", query, 100)
        assert len(read) == heads

    @pytest.mark.parametrize("flow_name", ["release", ""])
    def test_a_plain_runs_head_stays_within_one_unit_however_long_it_lives(
        self, dynamo: DynamoStore, flow_name: str
    ) -> None:
        """The engine's heads without variables: beyond MAX_PLAIN_BYTES they are compressed."""
        run = _release(flow_name)
        dynamo.runs.create(new(run))
        with Counting(dynamo.table.client) as counted:
            for number in range(120):
                was = run
                run, page = turn_page(was, _answered(was, number))
                if page:
                    dynamo.runs.put_page(run, page)
                dynamo.runs.save(run, seen=was.version)
        heads = [operation.bytes_written for operation in counted.operations if operation.conditional]
        assert len(heads) == 120
        assert max(heads) <= 1024
        entries = [entry.seq for page in dynamo.runs.pages(run, 0) for entry in page.entries]
        assert entries + [entry.seq for entry in run.tail] == list(range(1, run.seq + 1))

    def test_a_blob_is_one_write_and_one_read(self, dynamo: DynamoStore) -> None:
        with Counting(dynamo.table.client) as counted:
            dynamo.runs.put_blobs(a_run(), {"a": b"x" * 300_000})
            dynamo.runs.blobs(a_run(), ["a"])
        assert counted.names == {"PutItem": 1, "BatchGetItem": 1}

    def test_several_values_are_written_at_once_and_large_ones_in_parts_before(self, dynamo: DynamoStore) -> None:
        with Counting(dynamo.table.client) as counted:
            dynamo.runs.put_blobs(a_run(), {"a": b"x", "b": b"x" * 360_000, "c": b"x" * 1_000_000})
            dynamo.runs.blobs(a_run(), ["a", "b", "c"])
        assert counted.names == {"BatchWriteItem": 2, "BatchGetItem": 2}

    def test_changes_are_read_from_an_index(self, dynamo: DynamoStore) -> None:
        for number in range(20):
            dynamo.runs.create(new(a_run(f"r{number}", status_at=START + number)))
        with Counting(dynamo.table.client) as counted:
            dynamo.runs.changed("ns", START, 10)
        assert counted.names == {"Query": keys.SHARDS, "BatchGetItem": 1}
        assert {operation.index for operation in counted.operations} == {tables.CHANGED.name, None}

    def test_kept_signals_and_subscriptions_are_one_consistent_query(self, dynamo: DynamoStore) -> None:
        """The number of signals does not matter: a wait takes the first that matches."""
        for number in range(60):
            dynamo.signals.put("ns", a_signal(number))
        with Counting(dynamo.table.client) as counted:
            assert next(iter(dynamo.signals.stored("ns", "paid", "k", "", START))) == a_signal(0)
            dynamo.signals.subscriptions("ns", "paid", "k")
        assert counted.operations == [Operation("Query", consistent=True)] * 2

    def test_a_signal_a_subscription_and_a_task_are_one_write_each(self, dynamo: DynamoStore) -> None:
        with Counting(dynamo.table.client) as counted:
            dynamo.signals.put("ns", a_signal())
            dynamo.signals.subscribe("ns", a_subscription())
            dynamo.tasks.put("ns", a_task())
            dynamo.versioned_values.write("ns", "limit", b"x", seen=0)
        assert [(operation.name, operation.write_units) for operation in counted.operations] == [("PutItem", 1)] * 4

    def test_index_keys_change_only_with_the_class_of_the_status(self, dynamo: DynamoStore) -> None:
        def index_keys(run: Run) -> tuple[str | None, ...]:
            item = dynamo.runs.head_of(run)
            return item.lp, item.fp, item.c

        def change_keys(run: Run) -> tuple[str | None, float | None]:
            item = dynamo.runs.head_of(run)
            return item.cp, item.ca

        begun = index_keys(a_run(status=Status.PENDING))
        assert change_keys(after(a_run(), updated_at=START + 5, timer_at=START + 9)) == change_keys(a_run())
        assert index_keys(after(a_run(), updated_at=START + 5, timer_at=START + 9)) == begun
        assert index_keys(a_run(status=Status.COMPENSATING)) == begun
        assert len({index_keys(a_run(status=status)) for status in Status}) == len(keys.StatusClass)


def _release(flow_name: str) -> Run:
    """Start a run with the engine. Without a flow's name it is a run with its own steps."""
    ref = DefinitionRef(flow=flow_name, version=1 if flow_name else 0, actions=dict.fromkeys(RELEASE.actions, 1))
    started = RunStarted(
        at=START,
        nonce=f"{0:032x}",
        by="api",
        namespace="default",
        name="release-2026-11-20-001",
        id=mint_uuid("", "", "", 0),
        ref=ref,
    )
    return decide(RELEASE, None, started).run


def _answered(run: Run, number: int) -> Run:
    """Answer the current step of the run, which loops, and return the new run."""
    (token,) = run.tokens
    assert token.activation
    state = {"Build": "SUCCESS", "Approve": "AGREE", "Ship": "FAIL"}[token.step]
    answer = StepAcked(
        at=START + number * 60_000,
        nonce=f"{number + 1:032x}",
        by="action",
        step=token.step,
        uuid=token.activation.uuid,
        state=state,
    )
    return decide(RELEASE, run, answer).run


RELEASE = Definition(
    flow=Flow(
        name="release",
        steps=(
            step("Build", "SUCCESS->Approve|FAIL->Build", "ci"),
            step("Approve", "AGREE->Ship|REJECT->stopped", "approval"),
            step("Ship", "SUCCESS->done|FAIL->Build", "deploy"),
        ),
    ),
    actions={
        name: Action(name=name, returns=("SUCCESS", "FAIL", "AGREE", "REJECT"), addresses=("http://x/",))
        for name in ("ci", "approval", "deploy")
    },
)


class TestSubmit:
    def test_more_than_one_transaction_takes_is_too_large(self, dynamo: DynamoStore) -> None:
        many = [a_definition(f"f{number}") for number in range(100)]
        dynamo.definitions.submit("ns", many, [])
        with pytest.raises(TooLarge, match="100"):
            dynamo.definitions.submit("other", many, [new(a_run())])
        assert dynamo.definitions.latest("other", Kind.FLOW, ["f1"]) == {}

    def test_blobs_of_a_refused_run_are_deleted(self, dynamo: DynamoStore) -> None:
        dynamo.runs.create(new(a_run()))
        rival = a_run(id="rival", at=START + 1, labels={"team": "x"})
        with pytest.raises(RunExists):
            dynamo.runs.create(new(rival, flow("mine")))
        with pytest.raises(RunExists):
            dynamo.definitions.submit("ns", [a_definition()], [new(rival, flow("mine"))])
        assert [item.k for item in _all_items(dynamo.table)] == [keys.head("ns", "r1")[0]]

    def test_separately_stored_blobs_of_a_refused_run_are_deleted(self, dynamo: DynamoStore) -> None:
        there, rival = a_run(), a_run(id="rival")
        for run in (there, rival):
            dynamo.runs.put_blobs(run, {"a": b"x" * 800_000})
        dynamo.runs.create(new(there))
        with pytest.raises(RunExists):
            dynamo.runs.create(new(rival))
        assert dynamo.runs.blobs(rival, ["a"]) == {}
        assert set(dynamo.runs.blobs(there, ["a"])) == {"a"}

    def test_a_refused_copy_takes_nothing_from_the_run_that_is_there(self, dynamo: DynamoStore) -> None:
        mine = new(a_run(labels={"team": "x"}), flow("mine"))
        dynamo.runs.create(mine)
        with pytest.raises(RunExists):
            dynamo.runs.create(mine)
        assert dynamo.runs.own_flow(mine.run) == flow("mine")
        assert [run.name for run in dynamo.runs.list("ns", RunQuery(labels=(("team", "x"),))).runs] == ["r1"]

    def test_deleting_a_run_leaves_no_item(self, dynamo: DynamoStore) -> None:
        run = a_run(labels={"team": "x", "n": 1})
        dynamo.runs.create(new(run, flow("mine")))
        for number in range(60):
            dynamo.runs.put_page(run, a_page(number + 1, number + 1))
        dynamo.runs.put_blobs(run, {"small": b"x", "large": b"x" * 1_000_000})
        dynamo.runs.delete(run)
        assert list(_all_items(dynamo.table)) == []


class TestLists:
    def test_a_list_ends_its_round_with_a_cursor_where_little_matches(self, dynamo: DynamoStore) -> None:
        """The heads distinguish the statuses of a class: a page may have few runs, but its cursor continues."""
        for number in range(30):
            status = Status.PENDING if number == 0 else Status.RUNNING
            dynamo.runs.create(new(a_run(f"r{number}", at=START + number, status=status)))
        query, rounds, found = RunQuery(statuses=frozenset({Status.PENDING}), limit=1), 0, []
        while True:
            listing = dynamo.runs.list("ns", query)
            found += [run.name for run in listing.runs]
            rounds += 1
            if listing.cursor is None:
                break
            query = RunQuery(statuses=query.statuses, limit=1, cursor=listing.cursor)
        assert (found, rounds) == (["r0"], 2)

    def test_an_index_that_lags_behind_gives_neither_doubles_nor_ghosts(self, dynamo: DynamoStore) -> None:
        run = a_run()
        dynamo.runs.create(new(run))
        ghost, late = (dynamo.runs.head_of(run) for _ in range(2))
        ghost.k, ghost.b = "G1", None
        ghost.c = keys.sort_key(START, "never was")
        late.k = "G2"
        late.lp = keys.listed("ns", keys.StatusClass.FAILED, 0)
        dynamo.table.put(ghost)
        dynamo.table.put(late)
        assert [run.name for run in dynamo.runs.list("ns", RunQuery()).runs] == ["r1"]
        assert dynamo.runs.list("ns", RunQuery(statuses=frozenset({Status.FAILED}))).runs == ()

    def test_changes_missing_from_the_index_do_not_repeat_or_reorder_its_entries(self, dynamo: DynamoStore) -> None:
        """`r0` has changed since. It has an old and a new entry in the index, and is listed once, at its new place."""
        for number in range(6):
            dynamo.runs.create(new(a_run(f"r{number}", status_at=START + (number or 9))))
        for number in range(3):
            old = dynamo.runs.head_of(a_run("r0"))
            old.s, old.ca = f"old entry {number}", START + number
            dynamo.table.put(old)
        assert [run.name for run in dynamo.runs.changed("ns", START, 2)] == ["r1", "r2"]
        assert [run.name for run in dynamo.runs.changed("ns", START, 9)] == ["r1", "r2", "r3", "r4", "r5", "r0"]

    def test_a_signal_that_loses_its_body_first_is_not_shown(self, dynamo: DynamoStore) -> None:
        """DynamoDB removes expired items in no particular order."""
        dynamo.signals.put("ns", a_signal(0, data="x" * 800_000))
        dynamo.signals.put("ns", a_signal(1))
        for number in (1, 0):
            dynamo.table.remove([keys.part(keys.signal_body("ns", "s000"), number)])
            assert list(dynamo.signals.stored("ns", "paid", "k", "", START)) == [a_signal(1)]
            assert list(dynamo.signals.list("ns", START, 5)) == [a_signal(1)]


class TestBatches:
    """The items of a batch that DynamoDB did not process."""

    @pytest.fixture
    def slept(self) -> list[float]:
        return []

    @pytest.fixture
    def table(self, dynamo: DynamoStore, slept: list[float]) -> Table:
        return Table(TableLocation(region=REGION, retries=2), slept.append, draw=lambda: 0.5)

    def test_all_is_done_though_little_is_done_at_a_time(self, table: Table, slept: list[float]) -> None:
        items = [Item(f"k{number}", "s", b="x") for number in range(60)]
        places = [(item.k, item.s) for item in items]
        with Sparing(table.client, 10):
            table.put_all(items)
            assert set(table.get_all(places, consistent=True)) == set(places)
            table.remove(places)
        assert table.get_all(places, consistent=True) == {}
        assert set(slept) == {0.025}

    def test_where_nothing_is_done_it_is_busy(self, table: Table, slept: list[float]) -> None:
        items = [Item(f"k{number}", "s", b="x") for number in range(3)]
        for attempt in (
            lambda: table.put_all(items),
            lambda: table.remove([("k1", "s")]),
            lambda: table.get_all([("k1", "s")], consistent=True),
        ):
            with Sparing(table.client, 0), pytest.raises(Busy):
                attempt()
            assert slept == [0.05, 0.1]
            slept.clear()

    def test_nothing_to_do_asks_nothing(self, table: Table) -> None:
        with Counting(table.client) as counted:
            table.put_all([])
            table.remove([])
            assert table.get_all([], consistent=True) == {}
        assert counted.operations == []


class TestKeys:
    def test_keys_of_different_things_are_different(self) -> None:
        words = [*AWKWARD_NAMES, "%~", "x" * 300, "a#" * 200]
        made = [
            key
            for one in words
            for other in words
            for key in (
                keys.head(one, other),
                keys.own_flow(one, other),
                keys.page(one, other, 1),
                (keys.label("ns", one, other), ""),
                (keys.label(one, other, ""), ""),
                keys.newest(one, Kind.FLOW, other),
                keys.newest(one, Kind.ACTION, other),
                keys.archived(one, Kind.FLOW, other, 1),
                keys.idempotency(one, other),
                keys.blobs(one, other, "a"),
                keys.blobs(one, "run", other),
                keys.versioned_value(one, other),
                keys.signal(one, a_signal(name=other)),
                keys.signal("ns", a_signal(name=one, key=other)),
                keys.signal("ns", a_signal(name="n", key=one, run=other)),
                keys.signal_body(one, other),
                keys.subscription(one, a_subscription(name="b", key=other)),
                keys.subscription("ns", a_subscription(name=one, key=other)),
                keys.subscription("ns", a_subscription(run=one, uuid=other)),
                keys.task(one, a_task(uuid=other)),
            )
        ]
        assert len(set(made)) == len(made)

    def test_a_heads_key_tells_its_run(self) -> None:
        for namespace in AWKWARD_NAMES:
            for name in AWKWARD_NAMES:
                assert keys.of_head(keys.head(namespace, name)[0]) == (namespace, name)
                assert keys.of_sort_key(keys.sort_key(START, name)) == (START, name)

    def test_places_sort_by_moment_and_then_by_name(self) -> None:
        places = [(9, "z"), (10, ""), (10, "#"), (10, "a"), (START, "a")]
        assert sorted(keys.sort_key(*place) for place in places) == [keys.sort_key(*place) for place in places]

    def test_every_status_has_a_class(self) -> None:
        assert set(keys.CLASS_OF) == set(Status)

    def test_shards_are_all_used(self) -> None:
        assert {keys.shard("ns", f"r{number}", keys.SHARDS) for number in range(50)} == set(range(keys.SHARDS))


class TestTable:
    def test_the_deployed_table_is_the_one_that_was_tested(self, dynamo: DynamoStore) -> None:
        (resource,) = tables.as_cloudformation("echoer").values()
        properties = resource["Properties"]
        found = dynamo.table.client.describe_table(TableName="echoer")["Table"]
        assert found["KeySchema"] == properties["KeySchema"]
        for index, planned in zip(found["GlobalSecondaryIndexes"], properties["GlobalSecondaryIndexes"], strict=True):
            assert {name: index[name] for name in planned} == planned
        assert properties["TimeToLiveSpecification"]["AttributeName"] == tables.EXPIRY

    def test_the_models_keys_are_the_tables(self, dynamo: DynamoStore) -> None:
        schema: Any = dynamo.table.connection.describe_table("echoer")
        kinds = {one["AttributeName"]: one["AttributeType"] for one in schema["AttributeDefinitions"]}
        assert kinds == {name: Item.kinds[name] for name in kinds}
        assert [one["AttributeName"] for one in schema["KeySchema"]] == [tables.HASH, tables.RANGE]

    def test_keys_expire_after_their_time_and_not_before(self, dynamo: DynamoStore) -> None:
        dynamo.keys.claim("ns", "k", "v", START + 1, 1_000)
        (item,) = _all_items(dynamo.table)
        assert item.x is not None
        assert item.x * 1000 >= START + 1_001

    def test_all_that_is_only_kept_for_a_while_expires(self, dynamo: DynamoStore) -> None:
        dynamo.signals.put("ns", a_signal(expires_at=START + 500))
        dynamo.signals.put("ns", a_signal(1, data="x" * 800_000, expires_at=START + 500))
        dynamo.signals.subscribe("ns", a_subscription(until=START + 500))
        dynamo.tasks.put("ns", a_task(until=START + 500))
        assert [item.x for item in _all_items(dynamo.table)] == [START // 1000 + 1] * 7


class TestErrors:
    @pytest.mark.parametrize(
        ("code", "message", "error"),
        [
            ("ThrottlingException", "", Busy),
            ("ProvisionedThroughputExceededException", "", Busy),
            ("TransactionInProgressException", "", Busy),
            ("InternalServerError", "", Busy),
            ("ValidationException", "Item size has exceeded the maximum allowed size", TooLarge),
            ("ValidationException", "One or more parameter values were invalid", ServiceError),
            ("ResourceNotFoundException", "", ServiceError),
            ("ConditionalCheckFailedException", "", Conflict),
        ],
    )
    def test_dynamodb_errors_become_errors_of_the_service(
        self, code: str, message: str, error: type[ServiceError]
    ) -> None:
        response: Any = {"Error": {"Code": code, "Message": message}}
        with pytest.raises(ServiceError) as caught, translated(refused=Conflict()):
            raise VerboseClientError(response, "PutItem")
        assert type(caught.value) is error
        assert caught.value.__cause__ is not None

    @pytest.mark.parametrize("kind", [ConnectTimeoutError, ReadTimeoutError, EndpointConnectionError])
    def test_no_answer_is_busy(self, kind: Callable[..., Exception]) -> None:
        cause = kind(endpoint_url="x", error="y")
        with pytest.raises(Busy), translated(refused=Conflict()):
            raise cause

    @pytest.mark.parametrize(
        "write",
        [
            lambda store: store.runs.put_page(a_run(), a_page(1, 8)),
            lambda store: store.runs.put_blobs(a_run(), {"a": b"x"}),
            lambda store: store.runs.put_blobs(a_run(), {"a": b"x", "b": b"x"}),
            lambda store: store.runs.blobs(a_run(), ["a"]),
            lambda store: store.runs.changed("ns", START, 5),
            lambda store: store.signals.put("ns", a_signal()),
            lambda store: list(store.signals.stored("ns", "paid", "k", "", START)),
            lambda store: store.signals.list("ns", START, 5),
            lambda store: store.signals.subscribe("ns", a_subscription()),
            lambda store: store.signals.unsubscribe("ns", a_subscription()),
            lambda store: store.signals.subscriptions("ns", "paid", "k"),
            lambda store: store.tasks.put("ns", a_task()),
            lambda store: store.tasks.remove("ns", a_task()),
            lambda store: store.tasks.list("ns", 5),
            lambda store: store.waiters.put("ns", "q", a_waiter()),
            lambda store: store.waiters.remove("ns", "q", [a_waiter()]),
            lambda store: store.waiters.first("ns", "q", 5),
            lambda store: store.versioned_values.write("ns", "limit", b"x", 0),
        ],
    )
    def test_throttling_is_busy_once_botocores_own_attempts_are_used_up(
        self, dynamo: DynamoStore, write: Callable[[Store], object]
    ) -> None:
        store = DynamoStore(TableLocation(region=REGION, retries=0))
        with Throttled(store.table.client) as throttled, pytest.raises(Busy, match="ThrottlingException"):
            write(store)
        assert throttled.requests == 1

    def test_a_head_beyond_dynamodbs_limit_is_too_large(self, dynamo: DynamoStore) -> None:
        noise = Random(1).randbytes(400_000).hex()  # noqa: S311 - it is only not to be compressed
        with pytest.raises(TooLarge, match="400 KB"):
            dynamo.runs.create(new(a_run(vars={"text": noise})))

    @pytest.mark.parametrize("size", [0, 300, 5_000])
    def test_a_large_body_is_compressed(self, dynamo: DynamoStore, size: int) -> None:
        run = a_run(vars={"text": "ü" * size, "more": {"total": size}})
        page = Page(stored=Entries.of(Entry(seq=n, at=n, event="StepAcked", data="é" * size) for n in range(1, 5)))
        dynamo.runs.create(new(run))
        dynamo.runs.put_page(run, page)
        assert dynamo.runs.load("ns", "r1") == run
        assert list(dynamo.runs.pages(run, 0)) == [page]
        items = dynamo.table.client.scan(TableName="echoer")["Items"]
        assert [("r" in item, size_of_item(item) < 600) for item in items] == [(size > 0, True)] * 2
        for item in items if size else ():  # an earlier version finds no more than the format
            text = item["b"]["S"]
            with pytest.raises(NewerFormat):
                Format("value").decode(text if text.startswith("{") else "{" + text, dict)
        later = after(run, vars={})
        dynamo.runs.save(later, seen=1)
        assert dynamo.runs.load("ns", "r1") == later
        with pytest.raises(Conflict):
            dynamo.runs.save(later, seen=1)

    def test_a_head_of_many_small_values_is_offloaded_and_fits(self, dynamo: DynamoStore) -> None:
        runs, run = OffloadingRunStore(dynamo.runs), a_run(vars={f"v{number}": "x" * 3_000 for number in range(1_500)})
        runs.create(new(run))
        assert runs.load("ns", "r1") == run
        later = after(run, vars={**run.vars, "more": 1})
        runs.save(later, seen=1)
        assert (runs.load("ns", "r1"), runs.list("ns", RunQuery()).runs) == (later, (later,))
        entries = (Entry(seq=number, at=START, event="StepPassed", step="s" * 128) for number in range(1, 5_000))
        page = Page(stored=Entries.of(entries))
        runs.put_page(run, page)
        assert list(runs.pages(run, 0)) == [page]
        runs.delete(later)
        assert list(runs.pages(run, 0)) == []

    def test_a_missing_table_is_not_retried(self, dynamo: DynamoStore) -> None:
        dynamo.table.client.delete_table(TableName="echoer")
        with pytest.raises(ServiceError, match="ResourceNotFound") as caught:
            dynamo.runs.load("ns", "r1")
        assert type(caught.value) is ServiceError
        dynamo.table.client.create_table(TableName="echoer", **tables._schema())


def test_sizes_are_counted_as_aws_counts_them() -> None:
    assert size_of_item({"k": {"S": "ä"}, "v": {"N": "123"}, "b": {"B": b"1234"}, "t": {"BOOL": True}}) == 3 + 4 + 5 + 2
    assert len(encode(a_run())) < 1024


class TestLayouts:
    """Items of older layouts are upgraded when they are read, and stored in the current one by the next save."""

    def _rename(self, item: dict[str, Any]) -> dict[str, Any]:
        return {("v" if name == "old" else name): value for name, value in item.items()}

    def _tables(self, dynamo: DynamoStore) -> tuple[Table, Table]:
        """Return stores of two successive versions of Echoer on one table."""
        second = Format("DynamoDB item", (self._rename,))
        return Table(TableLocation(region=REGION)), Table(TableLocation(region=REGION), layout=second)

    def test_the_first_layout_is_not_written(self, dynamo: DynamoStore) -> None:
        table, _ = self._tables(dynamo)
        table.put(Item("k", "s", v=1))
        assert set(_raw(table)) == {"k", "s", "v"}

    def test_an_older_item_is_upgraded_by_gets_batches_and_queries(self, dynamo: DynamoStore) -> None:
        _, table = self._tables(dynamo)
        table.client.put_item(TableName="echoer", Item={"k": {"S": "k"}, "s": {"S": "s"}, "old": {"N": "7"}})
        got = table.get(("k", "s"))
        assert got is not None
        (batched,) = table.get_all([("k", "s")], consistent=True).values()
        (queried,) = table.query("k")
        assert [item.v for item in (got, batched, queried)] == [7, 7, 7]
        assert "old" in _raw(table)
        table.put(got)
        assert _raw(table) == {"k": {"S": "k"}, "s": {"S": "s"}, "v": {"N": "7"}, "f": {"N": "2"}}

    def test_an_item_of_a_newer_layout_is_refused(self, dynamo: DynamoStore) -> None:
        older, newer = self._tables(dynamo)
        newer.put(Item("k", "s", v=1))
        with pytest.raises(NewerFormat, match=r"cannot read a DynamoDB item of format 2: .* formats up to 1"):
            older.get(("k", "s"))


def _raw(table: Table) -> dict[str, Any]:
    item: dict[str, Any] = table.client.get_item(TableName="echoer", Key={"k": {"S": "k"}, "s": {"S": "s"}})["Item"]
    return item


def _all_items(table: Table) -> list[Item]:
    return [Item.of(raw, LAYOUT) for raw in table.client.scan(TableName="echoer")["Items"]]
