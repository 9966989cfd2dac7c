"""The contract of every store: one test per sentence of `service.ports`. An adapter's test class provides `store`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import combinations
from threading import Barrier
from typing import Any, TypeVar

import msgspec
import pytest
from msgspec.structs import replace

from chalicelib.engine.steps.call import child_name
from chalicelib.model.run import DefinitionRef, Parent
from chalicelib.model.run_error import StepError
from chalicelib.model.status import ENDED, LIVE, Status
from chalicelib.service.errors import Conflict, Malformed, NotFound, RunExists
from chalicelib.service.ports.definitions import Kind
from chalicelib.service.ports.runs import MAX_LISTED_BYTES, Counts, DueTimer, Listing, RunQuery, position_in
from chalicelib.service.ports.schedules import SlotOutcome
from chalicelib.service.ports.store import Store
from chalicelib.service.runs.matching import admits
from tests.adapters.batches_contract import BatchesContract
from tests.adapters.samples import (
    AWKWARD_NAMES,
    a_definition,
    a_delivery,
    a_page,
    a_run,
    a_signal,
    a_slot,
    a_state,
    a_subscription,
    a_task,
    a_waiter,
    after,
    flow,
    new,
)
from tests.fakes import START

T = TypeVar("T")
FLOW = Kind.FLOW


def race(attempts: list[Callable[[], T]]) -> list[T | Exception]:
    """Make all attempts at the same time, and return the result of each."""
    barrier = Barrier(len(attempts))

    def make(attempt: Callable[[], T]) -> T | Exception:
        barrier.wait()
        try:
            return attempt()
        except (Conflict, RunExists) as exc:
            return exc

    with ThreadPoolExecutor(len(attempts)) as pool:
        return list(pool.map(make, attempts))


def every_page(store: Store, query: RunQuery, namespace: str = "ns") -> Iterator[Listing]:
    while True:
        listing = store.runs.list(namespace, query)
        yield listing
        if listing.cursor is None:
            return
        query = replace(query, cursor=listing.cursor)


def names(store: Store, query: RunQuery, namespace: str = "ns") -> list[str]:
    """Return the names of all runs that a query finds, over all its pages."""
    return [run.name for listing in every_page(store, query, namespace) for run in listing.runs]


class RunsContract:
    def test_a_created_run_is_loaded_as_it_was(self, store: Store) -> None:
        run = a_run(vars={"text": "ä🙂\x00", "n": [1, 2.5, None, True]}, labels={"team": "a"})
        store.runs.create(new(run))
        assert store.runs.load("ns", "r1") == run
        assert store.runs.load("ns", "r2") is None

    def test_a_run_is_created_once(self, store: Store) -> None:
        store.runs.create(new(a_run()))
        with pytest.raises(RunExists) as caught:
            store.runs.create(new(a_run(id="other", labels={"team": "x"}), flow("other")))
        assert caught.value.name == "r1"
        assert store.runs.load("ns", "r1") == a_run()
        assert names(store, RunQuery(labels=(("team", "x"),))) == []

    def test_of_many_that_create_one_name_one_wins(self, store: Store) -> None:
        runs = [a_run(id=str(number)) for number in range(6)]
        outcomes = race([partial(store.runs.create, new(run)) for run in runs])
        winners = [run for run, outcome in zip(runs, outcomes, strict=True) if outcome is None]
        assert [store.runs.load("ns", "r1")] == winners

    def test_own_flow_is_the_one_brought_along(self, store: Store) -> None:
        store.runs.create(new(a_run(), flow("mine", "x" * 5000)))
        store.runs.create(new(a_run("r2")))
        assert store.runs.own_flow(a_run()) == flow("mine", "x" * 5000)
        with pytest.raises(NotFound):
            store.runs.own_flow(a_run("r2"))

    def test_save_replaces_the_version_that_was_seen(self, store: Store) -> None:
        store.runs.create(new(a_run()))
        later = after(a_run(), vars={"a": 1})
        store.runs.save(later, seen=1)
        assert store.runs.load("ns", "r1") == later

    def test_save_refuses_a_version_that_was_not_seen(self, store: Store) -> None:
        later = after(a_run())
        with pytest.raises(Conflict):
            store.runs.save(later, seen=1)
        assert store.runs.load("ns", "r1") is None
        store.runs.create(new(a_run()))
        store.runs.save(later, seen=1)
        with pytest.raises(Conflict):
            store.runs.save(after(a_run(), vars={"lost": 1}), seen=1)
        assert store.runs.load("ns", "r1") == later

    def test_save_refuses_another_run_of_the_same_name_and_version(self, store: Store) -> None:
        store.runs.create(new(a_run(id="second")))
        with pytest.raises(Conflict):
            store.runs.save(after(a_run(id="first")), seen=1)
        assert store.runs.load("ns", "r1") == a_run(id="second")

    def test_of_many_that_save_one_version_one_wins(self, store: Store) -> None:
        run = a_run()
        store.runs.create(new(run))
        for _ in range(5):
            rivals = [after(run, vars={"by": number}) for number in range(6)]
            outcomes = race([partial(store.runs.save, rival, rival.version - 1) for rival in rivals])
            winners = [rival for rival, outcome in zip(rivals, outcomes, strict=True) if outcome is None]
            assert [store.runs.load("ns", "r1")] == winners
            (run,) = winners

    def test_pages_come_oldest_first_from_the_entry_asked_for(self, store: Store) -> None:
        run = a_run()
        store.runs.create(new(run))
        bounds = [(1, 8), (9, 90), (91, 100), (101, 1000)]
        for first, last in reversed(bounds):
            store.runs.put_page(run, a_page(first, last))
        assert [page.last for page in store.runs.pages(run, after=0)] == [8, 90, 100, 1000]
        assert [page.last for page in store.runs.pages(run, after=8)] == [90, 100, 1000]
        assert [page.last for page in store.runs.pages(run, after=95)] == [100, 1000]
        assert next(store.runs.pages(run, after=7)) == a_page(1, 8)
        assert list(store.runs.pages(run, after=1000)) == []
        assert list(store.runs.pages(a_run("r2"), after=0)) == []

    def test_a_page_written_again_changes_nothing(self, store: Store) -> None:
        run = a_run()
        store.runs.put_page(run, a_page(1, 8))
        store.runs.put_page(run, a_page(1, 8))
        assert list(store.runs.pages(run, after=0)) == [a_page(1, 8)]

    def test_pages_are_counted_by_their_numbers(self, store: Store) -> None:
        store.runs.create(new(a_run()))
        for last in (30, 3, 21, 12):
            store.runs.put_page(a_run(), a_page(last - 2, last))
        assert list(store.runs.page_numbers(a_run(), 9)) == [3, 12, 21, 30]
        assert list(store.runs.page_numbers(a_run(), 2)) == [3, 12]
        assert list(store.runs.page_numbers(a_run("r2"), 2)) == []

    def test_many_pages_are_read_to_the_end(self, store: Store) -> None:
        run = a_run()
        for number in range(70):
            store.runs.put_page(run, a_page(number + 1, number + 1))
        assert [page.last for page in store.runs.pages(run, after=0)] == list(range(1, 71))

    def test_delete_leaves_nothing(self, store: Store) -> None:
        run = a_run(labels={"team": "a"})
        store.runs.create(new(run, flow("mine")))
        for number in range(30):
            store.runs.put_page(run, a_page(number + 1, number + 1))
        store.runs.delete(run)
        assert store.runs.load("ns", "r1") is None
        assert list(store.runs.pages(run, after=0)) == []
        assert names(store, RunQuery()) == []
        assert list(store.runs.due(START + 10**9, 10)) == []
        with pytest.raises(NotFound):
            store.runs.own_flow(run)
        store.runs.create(new(a_run(at=START + 1)))
        assert names(store, RunQuery(labels=(("team", "a"),))) == []
        store.runs.delete(a_run(at=START + 1))

    def test_deleting_again_changes_nothing(self, store: Store) -> None:
        store.runs.create(new(a_run()))
        store.runs.delete(a_run())
        store.runs.delete(a_run())
        assert store.runs.load("ns", "r1") is None

    def test_delete_refuses_a_run_that_went_on_and_changes_nothing(self, store: Store) -> None:
        run = a_run(labels={"team": "a"})
        later = after(run)
        store.runs.create(new(run, flow("mine")))
        store.runs.put_page(run, a_page(1, 8))
        store.runs.save(later, seen=1)
        with pytest.raises(Conflict):
            store.runs.delete(run)
        assert store.runs.load("ns", "r1") == later
        assert store.runs.own_flow(run) == flow("mine")
        assert list(store.runs.pages(run, after=0)) == [a_page(1, 8)]
        assert names(store, RunQuery(labels=(("team", "a"),))) == ["r1"]

    def test_a_blob_is_read_by_its_key(self, store: Store) -> None:
        run, values = a_run(), {"": b"nothing", "memo/1": b"one", "x" * 2000: b"long", "empty": b""}
        store.runs.put_blobs(run, values)
        store.runs.put_blobs(run, {"memo/1": b"one", "raw": bytes(range(256))})
        assert store.runs.blobs(run, [*values, "memo/1", "memo", "never"]) == values
        assert store.runs.blobs(run, ["raw"]) == {"raw": bytes(range(256))}
        assert store.runs.blobs(run, []) == {}
        store.runs.put_blobs(run, {})

    def test_a_blob_may_be_large(self, store: Store) -> None:
        run = a_run()
        values = {f"value/{size}": b"ab" * (size // 2) for size in (349_998, 350_000, 350_002, 700_000, 5_242_880)}
        store.runs.put_blobs(run, values)
        store.runs.put_blobs(run, values)
        assert store.runs.blobs(run, values) == values

    def test_a_run_may_have_many_blobs(self, store: Store) -> None:
        values = {f"{number}": f"value {number}".encode() for number in range(230)}
        store.runs.put_blobs(a_run(), values)
        assert store.runs.blobs(a_run(), values) == values

    def test_blobs_of_runs_and_keys_with_separators_do_not_collide(self, store: Store) -> None:
        runs = [a_run(id=name) for name in AWKWARD_NAMES[:6]]
        for run in runs:
            store.runs.put_blobs(run, {key: f"{run.id}|{key}".encode() for key in AWKWARD_NAMES})
        for run in runs:
            assert store.runs.blobs(run, AWKWARD_NAMES) == {key: f"{run.id}|{key}".encode() for key in AWKWARD_NAMES}
        assert store.runs.blobs(a_run(namespace="other", id="a"), AWKWARD_NAMES) == {}

    def test_blobs_are_deleted_with_their_run(self, store: Store) -> None:
        run, other = a_run(), a_run("r2")
        for each in (run, other):
            store.runs.create(new(each))
            store.runs.put_blobs(each, {"a": b"1", "b": b"2" * 800_000})
        store.runs.delete(run)
        assert store.runs.blobs(run, ["a", "b"]) == {}
        assert set(store.runs.blobs(other, ["a", "b"])) == {"a", "b"}

    def test_a_large_head_is_stored_completely(self, store: Store) -> None:
        run = a_run(vars={"text": "ä" * 100_000})
        store.runs.create(new(run))
        assert store.runs.load("ns", "r1") == run


class ListingContract:
    def test_runs_are_listed_newest_first_over_all_pages(self, store: Store) -> None:
        expected: list[str] = []
        for number in range(45):
            run = a_run(f"r{number:02}", at=START + number // 3)
            store.runs.create(new(run))
            expected.insert(0, run.name)
        for limit in (4, 15, 45, 100):
            listings = list(every_page(store, RunQuery(limit=limit)))
            assert [run.name for listing in listings for run in listing.runs] == expected
            assert all(len(listing.runs) <= limit for listing in listings)
        assert store.runs.list("ns", RunQuery(limit=45)).cursor is None

    def test_nothing_is_listed_where_nothing_is(self, store: Store) -> None:
        assert store.runs.list("ns", RunQuery()) == Listing(())

    def test_a_listing_goes_on_where_it_was_though_runs_came_and_went(self, store: Store) -> None:
        for number in range(6):
            store.runs.create(new(a_run(f"r{number}", at=START + number)))
        first = store.runs.list("ns", RunQuery(limit=3))
        store.runs.delete(a_run("r3", at=START + 3))
        store.runs.create(new(a_run("new", at=START + 9)))
        rest = store.runs.list("ns", RunQuery(limit=3, cursor=first.cursor))
        assert [run.name for run in (*first.runs, *rest.runs)] == ["r5", "r4", "r3", "r2", "r1", "r0"]

    @pytest.mark.parametrize("statuses", [frozenset({status}) for status in Status] + [LIVE, ENDED, frozenset()])
    def test_statuses_are_told_apart(self, store: Store, statuses: frozenset[Status]) -> None:
        for number, status in enumerate([*Status, *Status]):
            store.runs.create(new(a_run(f"{number:02}-{status}", at=START + number, status=status)))
        expected = [f"{n:02}-{status}" for n, status in enumerate([*Status, *Status]) if status in statuses]
        assert names(store, RunQuery(statuses=statuses, limit=2)) == expected[::-1]

    def test_a_listing_follows_the_status(self, store: Store) -> None:
        run = a_run()
        store.runs.create(new(run))
        for status in (Status.PAUSED, Status.RUNNING, Status.SUCCEEDED):
            was, run = run, after(run, status=status)
            store.runs.save(run, seen=was.version)
            assert names(store, RunQuery(statuses=frozenset({was.status}))) == []
            assert names(store, RunQuery(statuses=frozenset({status}))) == ["r1"]
            assert names(store, RunQuery(flow="deploy")) == ["r1"]

    def test_runs_with_failed_undos_are_found(self, store: Store) -> None:
        for number in range(4):
            store.runs.create(new(a_run(f"r{number}", at=START + number, failed_undos=number % 2)))
        assert names(store, RunQuery(undo_failed=True, limit=1)) == ["r3", "r1"]
        assert names(store, RunQuery(undo_failed=True, statuses=frozenset({Status.FAILED}))) == []
        run = store.runs.load("ns", "r3")
        assert run
        store.runs.save(after(run, failed_undos=0), seen=run.version)
        assert names(store, RunQuery(undo_failed=True)) == ["r1"]

    def test_runs_are_found_by_flow(self, store: Store) -> None:
        for number in range(6):
            ref = DefinitionRef(flow=["deploy", "deploy#x", ""][number % 3])
            store.runs.create(new(a_run(f"r{number}", at=START + number, definition=ref)))
        assert names(store, RunQuery(flow="deploy", limit=1)) == ["r3", "r0"]
        assert names(store, RunQuery(flow="deploy#x")) == ["r4", "r1"]
        assert names(store, RunQuery(flow="r2")) == ["r2"]
        assert names(store, RunQuery(flow="")) == []

    def test_runs_are_found_by_label(self, store: Store) -> None:
        labels = {"s": "text#", "yes": True, "no": False, "n": 7, "f": 1.5, "list": [1]}
        for number in range(5):
            store.runs.create(new(a_run(f"r{number}", at=START + number, labels=labels if number % 2 else {"s": "#"})))
        for key, value in (("s", "text#"), ("yes", "true"), ("no", "false"), ("n", "7"), ("f", "1.5")):
            assert names(store, RunQuery(labels=((key, value),), limit=1)) == ["r3", "r1"]
        assert names(store, RunQuery(labels=(("s", "#"),))) == ["r4", "r2", "r0"]
        assert names(store, RunQuery(labels=(("s", "text"),))) == []
        assert names(store, RunQuery(labels=(("s#text", ""),))) == []

    def test_a_run_is_found_by_its_new_labels(self, store: Store) -> None:
        run = a_run(labels={"a": "1", "b": "2"})
        store.runs.create(new(run))
        later = after(run, labels={"b": "2", "c": "3"})
        store.runs.save_relabeled(later, run)
        assert store.runs.load("ns", "r1") == later
        asked = (("a", "1"), ("b", "2"), ("c", "3"))
        assert [names(store, RunQuery(labels=(label,))) for label in asked] == [[], ["r1"], ["r1"]]
        with pytest.raises(Conflict):
            store.runs.save_relabeled(after(run, labels={"d": "4"}), run)
        assert names(store, RunQuery(labels=(("d", "4"),))) == []
        assert store.runs.load("ns", "r1") == later
        store.runs.delete(later)
        assert [names(store, RunQuery(labels=(label,))) for label in asked] == [[], [], []]

    def test_everything_that_is_asked_must_hold(self, store: Store) -> None:
        for number in range(16):
            store.runs.create(
                new(
                    a_run(
                        f"r{number:02}",
                        at=START + number,
                        status=Status.FAILED if number & 1 else Status.RUNNING,
                        definition=DefinitionRef(flow="a" if number & 2 else "b"),
                        labels={"team": "x" if number & 4 else "y"},
                    )
                )
            )
        query = RunQuery(statuses=frozenset({Status.FAILED}), flow="a", labels=(("team", "x"),), limit=1)
        assert names(store, query) == ["r15", "r07"]
        both = RunQuery(statuses=frozenset({Status.FAILED}), flow="a", since=START + 8)
        assert names(store, both) == ["r15", "r11"]

    def test_since_leaves_out_what_is_older(self, store: Store) -> None:
        for number in range(6):
            store.runs.create(new(a_run(f"r{number}", at=START + number)))
        assert names(store, RunQuery(since=START + 3)) == ["r5", "r4", "r3"]
        assert names(store, RunQuery(since=START + 3, limit=1)) == ["r5", "r4", "r3"]
        assert names(store, RunQuery(since=START + 6)) == []
        assert names(store, RunQuery(since=0, limit=4)) == ["r5", "r4", "r3", "r2", "r1", "r0"]

    def test_until_leaves_out_what_is_newer(self, store: Store) -> None:
        for number in range(6):
            store.runs.create(new(a_run(f"r{number}", at=START + number)))
        assert names(store, RunQuery(until=START + 2, limit=1)) == ["r2", "r1", "r0"]
        assert names(store, RunQuery(since=START + 2, until=START + 3)) == ["r3", "r2"]
        assert names(store, RunQuery(until=START - 1)) == []
        assert names(store, RunQuery(since=START + 3, until=START + 2)) == []

    def test_several_labels_must_all_hold(self, store: Store) -> None:
        for number in range(12):
            labels = {"a": number % 2, "b": number % 3, "c": "x"}
            store.runs.create(new(a_run(f"r{number:02}", at=START + number, labels=labels)))
        both = (("a", "1"), ("b", "2"))
        assert names(store, RunQuery(labels=both, limit=1)) == ["r11", "r05"]
        assert names(store, RunQuery(labels=both[::-1])) == ["r11", "r05"]
        assert names(store, RunQuery(labels=(*both, ("c", "x")), until=START + 5)) == ["r05"]
        assert names(store, RunQuery(labels=(("a", "1"), ("a", "0")))) == []
        assert names(store, RunQuery(labels=(("a", "1"), ("none", "1")))) == []

    def test_runs_are_found_by_the_name_of_their_error(self, store: Store) -> None:
        for number in range(6):
            error = StepError(["CardExpired", "Timeout"][number % 2])
            status = Status.FAILED if number < 4 else Status.COMPENSATING
            store.runs.create(new(a_run(f"r{number}", at=START + number, status=status, error=error)))
        assert names(store, RunQuery(error="Timeout", limit=1)) == ["r3", "r1"]
        assert names(store, RunQuery(error="Timeout", statuses=frozenset({Status.CANCELED}))) == []
        run = store.runs.load("ns", "r3")
        assert run
        store.runs.save(after(run, status=Status.RUNNING, error=None), seen=run.version)
        assert names(store, RunQuery(error="Timeout")) == ["r1"]

    def test_runs_are_found_by_their_parent(self, store: Store) -> None:
        long = "p" * 500
        for number, parent in enumerate(("p", "p.q", long)):
            store.runs.create(new(a_run(parent, at=START + number)))
            for child in range(3):
                uuid = f"u{number}{child}"
                at = START + 10 + child
                name = child_name(a_run(parent), "build", uuid)
                store.runs.create(new(a_run(name, at=at, parent=Parent(run=parent, uuid=uuid))))
        store.runs.create(new(a_run("p.build.u00.x", at=START + 20)))
        for number, parent in enumerate(("p", "p.q", long)):
            children = [child_name(a_run(parent), "build", f"u{number}{child}") for child in (2, 1, 0)]
            assert names(store, RunQuery(parent=parent, limit=1)) == children
            assert names(store, RunQuery(parent=parent, since=START + 12)) == children[:1]
        assert names(store, RunQuery(parent="none")) == []

    def test_children_are_found_though_their_parent_was_deleted(self, store: Store) -> None:
        store.runs.create(new(a_run("p.build.u", parent=Parent(run="p", uuid="u"))))
        assert names(store, RunQuery(parent="p")) == ["p.build.u"]

    def test_runs_are_found_by_the_beginning_of_their_name(self, store: Store) -> None:
        for number, name in enumerate(("order-1", "order-2", "Order-3", "order", "or%", "ördér")):
            store.runs.create(new(a_run(name, at=START + number)))
        assert names(store, RunQuery(name_prefix="order", limit=1)) == ["order", "order-2", "order-1"]
        assert names(store, RunQuery(name_prefix="or%")) == ["or%"]
        assert names(store, RunQuery(name_prefix="örd")) == ["ördér"]
        assert names(store, RunQuery(name_prefix="order-1x")) == []

    def test_runs_are_found_by_the_version_of_their_flow(self, store: Store) -> None:
        for number in range(4):
            ref = DefinitionRef(flow="deploy", version=1 + number % 2)
            store.runs.create(new(a_run(f"r{number}", at=START + number, definition=ref)))
        assert names(store, RunQuery(flow="deploy", version=2, limit=1)) == ["r3", "r1"]
        assert names(store, RunQuery(version=1)) == ["r2", "r0"]
        run = store.runs.load("ns", "r3")
        assert run
        store.runs.save(after(run, definition=DefinitionRef(flow="deploy", version=1)), seen=run.version)
        assert names(store, RunQuery(version=1)) == ["r3", "r2", "r0"]

    def test_runs_that_are_due_come_by_the_time_of_their_timer(self, store: Store) -> None:
        for number, status in enumerate(Status):
            at = START + 1_000 * (7 - number)
            store.runs.create(new(a_run(f"{status}", at=at, status=status)))
        store.runs.create(new(a_run("elsewhere", "other")))
        due = [f"{status}" for status in reversed(Status) if status in LIVE - {Status.PAUSED}]
        assert names(store, RunQuery(due_before=START + 100_000, limit=1)) == due
        assert names(store, RunQuery(due_before=START + 60_000 + 6_001)) == [name for name in due if name != "pending"]
        assert names(store, RunQuery(due_before=START + 100_000, statuses=frozenset({Status.RUNNING}))) == ["running"]

    def test_a_timer_that_is_set_too_early_makes_no_run_due(self, store: Store) -> None:
        store.runs.create(new(a_run(timer_at=START + 1_000)))
        assert names(store, RunQuery(due_before=START + 60_000)) == []
        assert names(store, RunQuery(due_before=START + 60_001)) == ["r1"]

    def test_every_combination_of_filters_finds_what_matches_all(self, store: Store) -> None:
        runs = []
        for number in range(64):
            runs.append(
                a_run(
                    f"{'ab'[number & 1]}{number:02}",
                    at=START + number // 2,
                    status=Status.FAILED if number & 2 else Status.RUNNING,
                    definition=DefinitionRef(flow="f" if number & 4 else "g", version=1 + (number & 1)),
                    labels={"team": "x" if number & 8 else "y", "n": number & 4},
                    error=StepError("Timeout" if number & 16 else "Refused") if number & 2 else None,
                    failed_undos=number & 1,
                    parent=Parent(run="p", uuid="u") if number & 32 else None,
                )
            )
        runs = [msgspec.structs.replace(run, name=f"p.s.{run.name}") if run.parent else run for run in runs]
        for run in runs:
            store.runs.create(new(run))
        filters: list[dict[str, Any]] = [
            {"statuses": frozenset({Status.FAILED})},
            {"flow": "f"},
            {"version": 2},
            {"labels": (("team", "x"),)},
            {"labels": (("team", "x"), ("n", "4"))},
            {"since": START + 8},
            {"until": START + 24},
            {"error": "Timeout"},
            {"parent": "p"},
            {"name_prefix": "p.s.b"},
            {"undo_failed": True},
            {"due_before": START + 60_020},
        ]
        for first, second in combinations(filters, 2):
            query = RunQuery(**{**first, **second, "limit": 9})
            expected = [run for run in runs if admits(query, run)]
            expected.sort(key=lambda run: position_in(query, run), reverse=query.due_before is None)
            assert names(store, query) == [run.name for run in expected], query
            counts = store.runs.count("ns", query, 1_000)
            assert not counts.more
            if query.due_before is None:
                assert {k: n for k, n in counts.by_status.items() if n} == Counter(run.status for run in expected)

    def test_counts_end_somewhere(self, store: Store) -> None:
        for number in range(12):
            status = Status.FAILED if number % 3 else Status.RUNNING
            store.runs.create(new(a_run(f"r{number:02}", at=START + number, status=status)))
        assert store.runs.count("ns", RunQuery(), 100) == Counts({Status.FAILED: 8, Status.RUNNING: 4})
        failed = store.runs.count("ns", RunQuery(statuses=frozenset({Status.FAILED})), 5)
        assert (failed.by_status[Status.FAILED], failed.more) == (5, True)
        assert store.runs.count("none", RunQuery(), 5) == Counts({})

    def test_a_page_ends_before_its_heads_are_too_large(self, store: Store) -> None:
        for number in range(40):
            store.runs.create(new(a_run(f"r{number:02}", at=START + number, vars={"v": "x" * 300_000})))
        listings = list(every_page(store, RunQuery(limit=100)))
        assert [run.name for listing in listings for run in listing.runs] == [f"r{n:02}" for n in range(39, -1, -1)]
        assert all(0 < len(listing.runs) * 300_000 <= MAX_LISTED_BYTES for listing in listings)

    @pytest.mark.parametrize("cursor", ["x", "garbage!", "AAAA", "ä", "{}", "=" * 40, "A" * 400])
    def test_a_cursor_that_was_never_given_is_malformed(self, store: Store, cursor: str) -> None:
        with pytest.raises(Malformed):
            store.runs.list("ns", RunQuery(cursor=cursor))

    def test_a_cursor_is_bound_to_its_namespace(self, store: Store) -> None:
        for number in range(3):
            store.runs.create(new(a_run(f"r{number}")))
        cursor = store.runs.list("ns", RunQuery(limit=1)).cursor
        assert cursor
        assert set(cursor) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")
        with pytest.raises(Malformed):
            store.runs.list("other", RunQuery(cursor=cursor))

    def test_names_with_separators_do_not_collide(self, store: Store) -> None:
        runs = [a_run(name, namespace) for namespace in AWKWARD_NAMES[:8] for name in AWKWARD_NAMES]
        for run in runs:
            store.runs.create(new(run, flow(run.name)))
        for run in runs:
            assert store.runs.load(run.namespace, run.name) == run
            assert store.runs.own_flow(run) == flow(run.name)
        for namespace in AWKWARD_NAMES[:8]:
            assert names(store, RunQuery(limit=9), namespace) == sorted(AWKWARD_NAMES, reverse=True)

    def test_flows_and_labels_with_separators_do_not_collide(self, store: Store) -> None:
        for word in AWKWARD_NAMES:
            ref = DefinitionRef(flow=word)
            store.runs.create(new(a_run(f"run {word}", definition=ref, labels={word: word, "k": word})))
        for word in AWKWARD_NAMES:
            assert names(store, RunQuery(flow=word)) == [f"run {word}"]
            assert names(store, RunQuery(labels=((word, word),))) == [f"run {word}"]
            assert names(store, RunQuery(labels=(("k", word),))) == [f"run {word}"]

    def test_changed_runs_come_by_the_moment_of_their_change(self, store: Store) -> None:
        moments = [5, 3, 9, 3, 0, 7]
        for number, moment in enumerate(moments):
            store.runs.create(new(a_run(f"r{number}", status_at=START + moment)))
        store.runs.create(new(a_run("elsewhere", "other", status_at=START + 4)))
        assert [run.name for run in store.runs.changed("ns", 0, 10)] == ["r4", "r1", "r3", "r0", "r5", "r2"]
        assert [run.name for run in store.runs.changed("ns", START + 3, 10)] == ["r1", "r3", "r0", "r5", "r2"]
        assert [run.name for run in store.runs.changed("ns", START + 4, 2)] == ["r0", "r5"]
        assert [run.name for run in store.runs.changed("other", START, 10)] == ["elsewhere"]
        assert list(store.runs.changed("ns", START + 10, 10)) == []

    @pytest.mark.parametrize("limit", [1, 7, 40, 200])
    def test_changed_gives_the_first_of_many(self, store: Store, limit: int) -> None:
        for number in range(40):
            store.runs.create(new(a_run(f"r{number:02}", status_at=START + number // 3)))
        found = store.runs.changed("ns", START + 1, limit)
        assert [run.name for run in found] == [f"r{number:02}" for number in range(3, 40)][:limit]

    def test_changed_follows_the_status(self, store: Store) -> None:
        run = a_run(status_at=START)
        store.runs.create(new(run))
        for moment, status in ((5, Status.PAUSED), (9, Status.RUNNING), (9, Status.RUNNING)):
            was, run = run, after(run, status=status, status_at=START + moment, updated_at=START + 20)
            store.runs.save(run, seen=was.version)
            assert list(store.runs.changed("ns", START, 10)) == [run]
            assert list(store.runs.changed("ns", START + moment + 1, 10)) == []
        store.runs.delete(run)
        assert list(store.runs.changed("ns", 0, 10)) == []

    def test_due_lists_timers_of_runs_that_are_not_paused(self, store: Store) -> None:
        for number, status in enumerate(Status):
            store.runs.create(new(a_run(f"r{number}", f"ns{number % 2}", status=status, timer_at=START + number)))
        store.runs.create(new(a_run("none", timer_at=None)))
        places = [number for number, status in enumerate(Status) if status is not Status.PAUSED]
        expected = [DueTimer(f"ns{place % 2}", f"r{place}", START + place) for place in places]
        assert sorted(store.runs.due(START + 100, 50), key=lambda alarm: alarm.at) == expected
        assert list(store.runs.due(START + 1, 50)) == expected[:2]
        assert list(store.runs.due(START - 1, 50)) == []
        assert len(store.runs.due(START + 100, 3)) == 3

    def test_due_begins_at_a_moment(self, store: Store) -> None:
        for number in range(20):
            store.runs.create(new(a_run(f"r{number}", timer_at=START + number)))
            store.schedules.save("ns", a_state(f"s{number}", wake_at=START + number), None)
        for found in (store.runs.due(START + 12, 100, START + 7), store.schedules.due(START + 12, 100, START + 7)):
            assert sorted(one.at for one in found) == [START + number for number in range(7, 13)]
        assert [one.at for one in store.runs.due(START + 12, 2, START + 7)] == [START + 7, START + 8]
        assert not store.runs.due(START + 1, 9, START + 2)
        assert not store.schedules.due(START + 1, 9, START + 2)

    def test_due_follows_the_timer(self, store: Store) -> None:
        run = a_run()
        store.runs.create(new(run))
        for timer_at, status in ((START + 5, Status.RUNNING), (START + 5, Status.PAUSED), (START + 9, Status.RUNNING)):
            was, run = run, after(run, timer_at=timer_at, status=status)
            store.runs.save(run, seen=was.version)
            expected = [] if status is Status.PAUSED else [DueTimer("ns", "r1", timer_at)]
            assert list(store.runs.due(START + 10, 5)) == expected

    def test_due_finds_all_of_many(self, store: Store) -> None:
        for number in range(30):
            store.runs.create(new(a_run(f"r{number}", timer_at=START + number)))
        due = store.runs.due(START + 19, 100)
        assert sorted(alarm.at for alarm in due) == [START + number for number in range(20)]


class DeliveriesContract:
    def test_deliveries_of_an_activation_come_in_order(self, store: Store) -> None:
        run = a_run()
        store.runs.create(new(run))
        made = [a_delivery("u1", START + number, error="x" * number) for number in range(5)]
        for record in (made[3], made[0], made[4], made[1], made[2], a_delivery("u2")):
            store.deliveries.put(run, record)
        assert list(store.deliveries.of(run, "u1", 9)) == made
        assert list(store.deliveries.of(run, "u1", 2)) == made[:2]
        assert list(store.deliveries.of(run, "u2", 9)) == [a_delivery("u2")]
        assert list(store.deliveries.of(run, "u", 9)) == []
        assert list(store.deliveries.of(a_run(id="other"), "u1", 9)) == []

    def test_deliveries_are_deleted_with_their_run(self, store: Store) -> None:
        run = a_run()
        store.runs.create(new(run))
        store.deliveries.put(run, a_delivery("u1"))
        store.runs.delete(run)
        assert list(store.deliveries.of(run, "u1", 9)) == []


class DefinitionsContract:
    def test_a_submitted_definition_is_the_latest(self, store: Store) -> None:
        first, second = a_definition("a", note="ä" * 3000), a_definition("b", kind=Kind.ACTION)
        store.definitions.submit("ns", [first, second], [])
        assert store.definitions.latest("ns", FLOW, ["a", "b", "c"]) == {"a": first}
        assert store.definitions.latest("ns", Kind.ACTION, ["a", "b"]) == {"b": second}
        assert store.definitions.latest("ns", FLOW, []) == {}
        assert store.definitions.latest("other", FLOW, ["a"]) == {}

    def test_latest_takes_many_names(self, store: Store) -> None:
        definitions = [a_definition(f"f{number:03}") for number in range(90)]
        store.definitions.submit("ns", definitions, [])
        asked = [f"f{number:03}" for number in range(150)]
        assert store.definitions.latest("ns", FLOW, asked * 2) == {each.name: each for each in definitions}

    def test_no_definition_has_an_empty_name(self, store: Store) -> None:
        assert store.definitions.latest("ns", Kind.FLOW, [""]) == {}
        assert store.definitions.latest("ns", Kind.FLOW, ["", "f"]) == {}
        assert store.definitions.version("ns", Kind.FLOW, "", 1) is None

    def test_every_version_stays_readable(self, store: Store) -> None:
        versions = [a_definition("a", number, note=str(number)) for number in (1, 2, 3)]
        for definition in versions:
            store.definitions.submit("ns", [definition], [])
        assert store.definitions.latest("ns", FLOW, ["a"]) == {"a": versions[2]}
        assert [store.definitions.version("ns", FLOW, "a", number) for number in (0, 1, 2, 3, 4)] == [
            None,
            *versions,
            None,
        ]
        assert store.definitions.version("ns", Kind.ACTION, "a", 1) is None
        assert store.definitions.version("other", FLOW, "a", 1) is None

    @pytest.mark.parametrize("version", [1, 2, 4])
    def test_a_version_must_follow_the_newest(self, store: Store, version: int) -> None:
        for number in (1, 2):
            store.definitions.submit("ns", [a_definition("a", number)], [])
        with pytest.raises(Conflict):
            store.definitions.submit("ns", [a_definition("a", version, note="lost")], [])
        assert store.definitions.latest("ns", FLOW, ["a"]) == {"a": a_definition("a", 2)}
        assert store.definitions.version("ns", FLOW, "a", 2) == a_definition("a", 2)

    def test_the_first_version_is_1(self, store: Store) -> None:
        with pytest.raises(Conflict):
            store.definitions.submit("ns", [a_definition("a", 2)], [])
        assert store.definitions.latest("ns", FLOW, ["a"]) == {}

    def test_of_many_that_submit_one_version_one_wins(self, store: Store) -> None:
        for number in (1, 2, 3):
            rivals = [a_definition("a", number, note=str(rival)) for rival in range(5)]
            outcomes = race([partial(store.definitions.submit, "ns", [rival], []) for rival in rivals])
            winners = [rival for rival, outcome in zip(rivals, outcomes, strict=True) if outcome is None]
            assert [store.definitions.latest("ns", FLOW, ["a"])["a"]] == winners

    def test_definitions_and_runs_are_submitted_together(self, store: Store) -> None:
        definitions = [a_definition("a"), a_definition("a", kind=Kind.ACTION)]
        runs = [new(a_run("r1"), flow("mine")), new(a_run("r2", labels={"team": "x"}))]
        store.definitions.submit("ns", definitions, runs)
        assert names(store, RunQuery()) == ["r2", "r1"]
        assert store.runs.own_flow(runs[0].run) == flow("mine")
        assert names(store, RunQuery(labels=(("team", "x"),))) == ["r2"]
        assert store.runs.load("ns", "r1") == runs[0].run

    def test_a_run_alone_is_submitted(self, store: Store) -> None:
        store.definitions.submit("ns", [], [new(a_run("r1"), flow("mine"))])
        assert store.runs.own_flow(a_run("r1")) == flow("mine")
        with pytest.raises(RunExists) as caught:
            store.definitions.submit("ns", [], [new(a_run("r1"))])
        assert caught.value.name == "r1"

    def test_nothing_is_submitted_if_one_definition_among_many_is_late(self, store: Store) -> None:
        store.definitions.submit("ns", [a_definition("f5")], [])
        definitions = [a_definition(f"f{number}") for number in range(10)]
        with pytest.raises(Conflict, match="f5"):
            store.definitions.submit("ns", definitions, [new(a_run())])
        assert set(store.definitions.latest("ns", FLOW, [each.name for each in definitions])) == {"f5"}
        assert store.runs.load("ns", "r1") is None

    def test_nothing_is_submitted_if_one_run_among_many_exists(self, store: Store) -> None:
        store.definitions.submit("ns", [a_definition("a")], [])
        store.runs.create(new(a_run("r5", id="there")))
        runs = [new(a_run(f"r{number}", labels={"team": "x"}), flow("mine")) for number in range(10)]
        with pytest.raises(RunExists) as caught:
            store.definitions.submit("ns", [a_definition("a", 2), a_definition("b")], runs)
        assert caught.value.name == "r5"
        assert names(store, RunQuery()) == ["r5"]
        assert names(store, RunQuery(labels=(("team", "x"),))) == []
        assert store.definitions.latest("ns", FLOW, ["a", "b"]) == {"a": a_definition("a")}
        assert store.definitions.version("ns", FLOW, "a", 2) is None

    def test_nothing_is_submitted_twice_at_once(self, store: Store) -> None:
        with pytest.raises(RunExists):
            store.definitions.submit("ns", [], [new(a_run()), new(a_run())])
        with pytest.raises(Conflict):
            store.definitions.submit("ns", [a_definition(), a_definition(version=2)], [])
        assert names(store, RunQuery()) == []

    def test_nothing_at_all_may_be_submitted(self, store: Store) -> None:
        store.definitions.submit("ns", [], [])

    def test_newest_versions_are_listed_by_name(self, store: Store) -> None:
        for name in ("b", "a", "é", "c#", "c", "🙂"):
            store.definitions.submit("ns", [a_definition(name)], [])
        store.definitions.submit("ns", [a_definition("b", 2), a_definition("x", kind=Kind.ACTION)], [])
        store.definitions.submit("other", [a_definition("o")], [])
        listed = store.definitions.list("ns", FLOW, 10)
        assert [(each.name, each.version) for each in listed] == [
            ("a", 1),
            ("b", 2),
            ("c", 1),
            ("c#", 1),
            ("é", 1),
            ("🙂", 1),
        ]
        assert [each.name for each in store.definitions.list("ns", FLOW, 2)] == ["a", "b"]
        assert [each.name for each in store.definitions.list("ns", FLOW, 2, after="b")] == ["c", "c#"]
        assert [each.name for each in store.definitions.list("ns", FLOW, 9, after="bb")] == ["c", "c#", "é", "🙂"]

    def test_a_deleted_name_is_gone_and_its_versions_are_not(self, store: Store) -> None:
        versions = [a_definition("b", number, note=str(number)) for number in (1, 2)]
        for definition in (*versions, a_definition("a"), a_definition("c")):
            store.definitions.submit("ns", [definition], [])
        store.definitions.delete("ns", versions[1])
        assert store.definitions.latest("ns", FLOW, ["b"]) == {}
        assert [each.name for each in store.definitions.list("ns", FLOW, 2)] == ["a", "c"]
        assert [store.definitions.version("ns", FLOW, "b", number) for number in (1, 2, 3)] == [*versions, None]

    def test_versions_are_listed_newest_first(self, store: Store) -> None:
        versions = [a_definition("b", number, note=str(number)) for number in (1, 2, 3, 4)]
        for definition in (*versions, a_definition("a"), a_definition("c")):
            store.definitions.submit("ns", [definition], [])
        assert list(store.definitions.versions("ns", FLOW, "b", 9)) == versions[::-1]
        assert list(store.definitions.versions("ns", FLOW, "b", 2)) == [versions[3], versions[2]]
        assert list(store.definitions.versions("ns", FLOW, "b", 2, before=3)) == [versions[1], versions[0]]
        assert list(store.definitions.versions("ns", FLOW, "b", 2, before=1)) == []
        assert list(store.definitions.versions("ns", FLOW, "none", 2)) == []
        assert list(store.definitions.versions("other", FLOW, "b", 2)) == []
        store.definitions.delete("ns", versions[3])
        assert list(store.definitions.versions("ns", FLOW, "b", 2)) == [versions[3], versions[2]]

    def test_a_name_defined_again_goes_on_counting(self, store: Store) -> None:
        store.definitions.submit("ns", [a_definition("a")], [])
        store.definitions.delete("ns", a_definition("a"))
        with pytest.raises(Conflict):
            store.definitions.submit("ns", [a_definition("a", 1, note="again")], [])
        again = a_definition("a", 2, note="again")
        store.definitions.submit("ns", [again], [])
        assert store.definitions.latest("ns", FLOW, ["a"]) == {"a": again}
        assert [store.definitions.version("ns", FLOW, "a", number) for number in (1, 2)] == [a_definition("a"), again]
        third = a_definition("a", 3)
        store.definitions.submit("ns", [third], [])
        assert [store.definitions.version("ns", FLOW, "a", number) for number in (1, 2, 3)] == [
            a_definition("a"),
            again,
            third,
        ]

    def test_deleted_names_are_listed_on_request(self, store: Store) -> None:
        """A new definition of the name continues its version numbers."""
        for definition in (a_definition("a"), a_definition("a", 2), a_definition("b")):
            store.definitions.submit("ns", [definition], [])
        store.definitions.delete("ns", a_definition("a", 2))
        shown = store.definitions.latest("ns", FLOW, ["a", "b", "c"], deleted=True)
        assert {name: (each.version, each.deleted) for name, each in shown.items()} == {"a": (2, True), "b": (1, False)}
        assert store.definitions.latest("ns", FLOW, ["a", "b", "c"]) == {"b": a_definition("b")}
        assert store.definitions.latest("ns", Kind.ACTION, ["a"], deleted=True) == {}
        assert store.definitions.latest("other", FLOW, ["a"], deleted=True) == {}
        again = a_definition("a", shown["a"].version + 1)
        store.definitions.submit("ns", [again], [])
        assert store.definitions.latest("ns", FLOW, ["a"], deleted=True) == {"a": again}
        assert store.definitions.latest("ns", FLOW, ["a"]) == {"a": again}
        assert store.definitions.version("ns", FLOW, "a", 2) == a_definition("a", 2)

    def test_only_the_newest_version_can_be_deleted(self, store: Store) -> None:
        first, second = a_definition("a"), a_definition("a", 2)
        with pytest.raises(Conflict):
            store.definitions.delete("ns", first)
        store.definitions.submit("ns", [first], [])
        store.definitions.submit("ns", [second], [])
        with pytest.raises(Conflict):
            store.definitions.delete("ns", first)
        with pytest.raises(Conflict):
            store.definitions.delete("other", second)
        assert store.definitions.latest("ns", FLOW, ["a"]) == {"a": second}
        store.definitions.delete("ns", second)
        with pytest.raises(Conflict):
            store.definitions.delete("ns", second)

    def test_definitions_with_separators_in_names_do_not_collide(self, store: Store) -> None:
        pairs = [(namespace, a_definition(name)) for namespace in ("a", "a#b") for name in AWKWARD_NAMES]
        for namespace in ("a", "a#b"):
            store.definitions.submit(namespace, [each for owner, each in pairs if owner == namespace], [])
        store.definitions.submit("a", [a_definition("a#b", 2)], [])
        for namespace, definition in pairs:
            assert store.definitions.version(namespace, FLOW, definition.name, 1) == definition
        assert [each.name for each in store.definitions.list("a#b", FLOW, 50)] == sorted(AWKWARD_NAMES)


class KeysContract:
    def test_a_free_key_is_claimed(self, store: Store) -> None:
        assert store.keys.claim("ns", "k", "first", START, 1000) == "first"
        assert store.keys.claim("ns", "k", "second", START + 1, 1000) == "first"
        assert store.keys.claim("ns", "k", "first", START + 2, 1000) == "first"

    def test_a_key_is_free_again_after_its_time(self, store: Store) -> None:
        store.keys.claim("ns", "k", "first", START, 1000)
        assert store.keys.claim("ns", "k", "second", START + 999, 1000) == "first"
        assert store.keys.claim("ns", "k", "second", START + 1000, 1000) == "second"
        assert store.keys.claim("ns", "k", "third", START + 1999, 1000) == "second"

    def test_keys_of_namespaces_are_their_own(self, store: Store) -> None:
        pairs = [(namespace, key) for namespace in AWKWARD_NAMES[:6] for key in AWKWARD_NAMES[:6]]
        for namespace, key in pairs:
            assert store.keys.claim(namespace, key, f"{namespace}|{key}", START, 1000) == f"{namespace}|{key}"

    def test_of_many_that_claim_one_key_one_wins(self, store: Store) -> None:
        values = race([partial(store.keys.claim, "ns", "k", value, START, 1000) for value in "abcdef"])
        assert len(set(map(str, values))) == 1


class VersionedValuesContract:
    def test_a_cell_holds_what_was_written_last(self, store: Store) -> None:
        assert store.versioned_values.read("ns", "limit") == (b"", 0)
        store.versioned_values.write("ns", "limit", b"one", seen=0)
        store.versioned_values.write("ns", "limit", b"", seen=1)
        assert store.versioned_values.read("ns", "limit") == (b"", 2)
        store.versioned_values.write("ns", "limit", bytes(range(256)), seen=2)
        assert store.versioned_values.read("ns", "limit") == (bytes(range(256)), 3)

    @pytest.mark.parametrize("seen", [0, 1, 3])
    def test_a_cell_refuses_a_version_that_was_not_seen(self, store: Store, seen: int) -> None:
        with pytest.raises(Conflict):
            store.versioned_values.write("ns", "limit", b"lost", seen=5)
        for version, value in enumerate((b"one", b"two")):
            store.versioned_values.write("ns", "limit", value, seen=version)
        with pytest.raises(Conflict):
            store.versioned_values.write("ns", "limit", b"lost", seen=seen)
        assert store.versioned_values.read("ns", "limit") == (b"two", 2)

    def test_of_many_that_write_one_version_one_wins(self, store: Store) -> None:
        for seen in range(4):
            values = [b"%d" % number for number in range(6)]
            outcomes = race([partial(store.versioned_values.write, "ns", "limit", value, seen) for value in values])
            winners = [value for value, outcome in zip(values, outcomes, strict=True) if outcome is None]
            assert [store.versioned_values.read("ns", "limit")] == [(winner, seen + 1) for winner in winners]

    def test_versioned_values_with_separators_in_keys_do_not_collide(self, store: Store) -> None:
        pairs = [(namespace, key) for namespace in AWKWARD_NAMES[:6] for key in (*AWKWARD_NAMES[:6], "x" * 3000)]
        for namespace, key in pairs:
            store.versioned_values.write(namespace, key, f"{namespace}|{key}".encode(), seen=0)
        for namespace, key in pairs:
            assert store.versioned_values.read(namespace, key) == (f"{namespace}|{key}".encode(), 1)


class SignalsContract:
    def test_signals_are_listed_newest_first_until_they_expire(self, store: Store) -> None:
        signals = [a_signal(number, run="r" if number == 3 else "") for number in range(5)]
        for signal in signals:
            store.signals.put("ns", signal)
            store.signals.put("ns", signal)
        store.signals.put("ns#", a_signal(0, id="other"))
        assert list(store.signals.list("ns", START + 10, 10)) == signals[::-1]
        assert list(store.signals.list("ns", START + 10, 2)) == signals[:2:-1]
        assert list(store.signals.list("ns", START + 1001, 10)) == signals[:1:-1]
        assert [signal.id for signal in store.signals.list("ns#", START, 10)] == ["other"]

    def test_many_signals_are_listed(self, store: Store) -> None:
        signals = [a_signal(number, at=START + number // 4) for number in range(130)]
        for signal in signals:
            store.signals.put("ns", signal)
        expected = sorted(signals, key=lambda signal: signal.place, reverse=True)
        assert list(store.signals.list("ns", START, 120)) == expected[:120]
        assert list(store.signals.list("ns", START, 500)) == expected

    def test_kept_signals_are_found_by_name_key_and_run(self, store: Store) -> None:
        places = [(name, key, run) for name in ("paid", "paid#k") for key in ("", "k") for run in ("", "k")]
        signals = {
            place: [
                a_signal(number, name=place[0], key=place[1], run=place[2], id=f"{number}/{place}") for number in (2, 1)
            ]
            for place in places
        }
        for signal in (each for kept in signals.values() for each in kept):
            store.signals.put("ns", signal)
        for (name, key, run), kept in signals.items():
            assert list(store.signals.stored("ns", name, key, run, START)) == kept[::-1]
            assert list(store.signals.stored("ns", name, key, run, START + 1001)) == kept[:1]
            assert list(store.signals.stored("ns", name, key, run, START + 1002)) == []
            assert list(store.signals.stored("other", name, key, run, START)) == []

    def test_kept_signals_are_found_from_a_moment_on(self, store: Store) -> None:
        signals = [a_signal(number // 2, id=f"{number:03}") for number in range(50)]
        for signal in reversed(signals):
            store.signals.put("ns", signal)
        for since in (0, START, START + 1, START + 24, START + 25):
            expected = [signal for signal in signals if signal.at >= since]
            assert list(store.signals.stored("ns", "paid", "k", "", START, since)) == expected

    def test_a_large_signal_is_kept_whole(self, store: Store) -> None:
        signals = [
            a_signal(number, data="ä" * size) for number, size in enumerate((10, 8_000, 9_000, 400_000, 2_500_000))
        ]
        for signal in signals:
            store.signals.put("ns", signal)
            store.signals.put("ns", signal)
        assert list(store.signals.stored("ns", "paid", "k", "", START)) == signals
        assert list(store.signals.list("ns", START, 10)) == signals[::-1]

    def test_signals_and_subscriptions_with_separators_do_not_collide(self, store: Store) -> None:
        words = [*AWKWARD_NAMES, "x" * 3000]
        pairs = [(name, "") for name in words] + [("", key) for key in words] + [(word, word) for word in words]
        for name, key in pairs:
            store.signals.put("ns", a_signal(name=name, key=key, id=f"{name[:9]}|{key[:9]}"))
            store.signals.subscribe("ns", a_subscription(name=name, key=key, uuid=f"{name}|{key}"[:99]))
        for name, key in pairs:
            assert [signal.id for signal in store.signals.stored("ns", name, key, "", START)] == [
                f"{name[:9]}|{key[:9]}"
            ]
            assert [found.uuid for found in store.signals.subscriptions("ns", name, key)] == [f"{name}|{key}"[:99]]

    def test_subscriptions_are_there_until_they_are_removed(self, store: Store) -> None:
        made = [a_subscription(run=run, uuid=uuid) for run in ("a", "a#u") for uuid in ("u", "v")]
        for subscription in made:
            store.signals.subscribe("ns", subscription)
            store.signals.subscribe("ns", subscription)
        store.signals.subscribe("other", a_subscription())

        def found() -> list[tuple[str, str, int]]:
            return sorted((each.run, each.uuid, each.until) for each in store.signals.subscriptions("ns", "paid", "k"))

        assert found() == [(each.run, each.uuid, each.until) for each in made]
        store.signals.unsubscribe("ns", msgspec.structs.replace(made[0], until=0))
        store.signals.unsubscribe("ns", made[0])
        assert found() == [(each.run, each.uuid, each.until) for each in made[1:]]
        assert list(store.signals.subscriptions("ns", "paid", "")) == []
        assert list(store.signals.subscriptions("other", "paid", "k")) == [a_subscription()]

    def test_a_wait_that_lasts_longer_is_still_subscribed_once(self, store: Store) -> None:
        store.signals.subscribe("ns", a_subscription(until=START + 1))
        store.signals.subscribe("ns", a_subscription(until=START + 2))
        assert list(store.signals.subscriptions("ns", "paid", "k")) == [a_subscription(until=START + 2)]

    def test_what_has_not_expired_survives_the_signals_that_come(self, store: Store) -> None:
        store.signals.subscribe("ns", a_subscription(until=START + 11))
        store.signals.put("ns", a_signal(expires_at=START + 11))
        store.signals.put("ns", a_signal(10))
        assert len(store.signals.subscriptions("ns", "paid", "k")) == 1
        assert len(list(store.signals.stored("ns", "paid", "k", "", START + 10))) == 2


class TasksContract:
    def test_tasks_are_listed_by_when_they_began_to_wait(self, store: Store) -> None:
        tasks = [a_task(number, since=START + number // 3) for number in range(20)]
        for task in reversed(tasks):
            store.tasks.put("ns", task)
            store.tasks.put("ns", task)
        store.tasks.put("other", a_task())
        assert list(store.tasks.list("ns", 50)) == tasks
        assert list(store.tasks.list("ns", 7)) == tasks[:7]
        for start in (0, 6, 18, 19):
            assert list(store.tasks.list("ns", 5, after=tasks[start])) == tasks[start + 1 : start + 6]
        assert list(store.tasks.list("other", 5)) == [a_task()]
        assert list(store.tasks.list("nobody", 5)) == []

    def test_tasks_are_listed_by_their_deadlines(self, store: Store) -> None:
        tasks = [a_task(number, since=START + number, until=START + 100 - number // 3) for number in range(20)]
        for task in tasks:
            store.tasks.put("ns", task)
        store.tasks.put("other", a_task())
        soonest = sorted(tasks, key=lambda task: (task.until, task.uuid))
        assert list(store.tasks.list("ns", 50, by_deadline=True)) == soonest
        for start in (0, 6, 18, 19):
            found = store.tasks.list("ns", 5, after=soonest[start], by_deadline=True)
            assert list(found) == soonest[start + 1 : start + 6]

    def test_a_removed_task_is_gone(self, store: Store) -> None:
        tasks = [a_task(number) for number in range(3)]
        for task in tasks:
            store.tasks.put("ns", task)
        store.tasks.remove("other", tasks[1])
        store.tasks.remove("ns", tasks[1])
        store.tasks.remove("ns", tasks[1])
        assert list(store.tasks.list("ns", 5)) == [tasks[0], tasks[2]]
        assert list(store.tasks.list("ns", 5, after=tasks[1])) == [tasks[2]]

    def test_a_task_that_still_waits_survives_those_that_come(self, store: Store) -> None:
        store.tasks.put("ns", a_task(0, until=START + 10))
        store.tasks.put("ns", a_task(1, since=START + 9))
        assert len(store.tasks.list("ns", 5)) == 2


class SchedulesContract:
    def test_a_state_is_loaded_as_it_was_saved(self, store: Store) -> None:
        state = a_state(
            wake_at=START + 5,
            paused_at=START,
            starting=START + 1,
            queue=(START + 2, START + 3),
            running="nightly@2026-01-01T00:00:00Z",
            recent=(a_slot(reason="run ä🙂\x00 is running", count=7), a_slot(SlotOutcome.STARTED, run="r")),
            counts={SlotOutcome.STARTED: 2, SlotOutcome.SKIPPED: 7},
        )
        store.schedules.save("ns", state, None)
        assert store.schedules.load("ns", ["nightly", "other"]) == {"nightly": state}
        assert store.schedules.load("other", ["nightly"]) == {}
        assert store.schedules.load("ns", []) == {}

    def test_states_of_any_names_are_kept_apart(self, store: Store) -> None:
        states = {name: a_state(name, version=number + 1) for number, name in enumerate(AWKWARD_NAMES)}
        for state in states.values():
            store.schedules.save("ns", state, None)
        assert store.schedules.load("ns", AWKWARD_NAMES) == states
        due = {found.name for found in store.schedules.due(START, 100)}
        assert due == set(AWKWARD_NAMES)

    def test_a_state_is_written_if_its_version_was_seen(self, store: Store) -> None:
        first, second = a_state(), a_state(version=2, done=START + 1)
        store.schedules.save("ns", first, None)
        for seen in (None, 2, 0):
            with pytest.raises(Conflict):
                store.schedules.save("ns", second, seen)
        with pytest.raises(Conflict):
            store.schedules.save("ns", a_state("other"), 1)
        assert store.schedules.load("ns", ["nightly", "other"]) == {"nightly": first}
        store.schedules.save("ns", second, 1)
        assert store.schedules.load("ns", ["nightly"]) == {"nightly": second}

    def test_of_many_that_write_one_wins(self, store: Store) -> None:
        for seen in (None, 1):
            states = [a_state(version=(seen or 0) + 1, done=number) for number in range(6)]
            outcomes = race([partial(store.schedules.save, "ns", state, seen) for state in states])
            winners = [state for state, outcome in zip(states, outcomes, strict=True) if outcome is None]
            assert list(store.schedules.load("ns", ["nightly"]).values()) == winners

    def test_a_deleted_state_is_gone(self, store: Store) -> None:
        state = a_state()
        store.schedules.save("ns", state, None)
        with pytest.raises(Conflict):
            store.schedules.delete("ns", a_state(version=2))
        store.schedules.delete("other", state)
        assert store.schedules.load("ns", ["nightly"]) == {"nightly": state}
        store.schedules.delete("ns", state)
        store.schedules.delete("ns", state)
        assert store.schedules.load("ns", ["nightly"]) == {}
        assert list(store.schedules.due(START * 2, 5)) == []
        store.schedules.save("ns", state, None)

    def test_due_are_those_that_must_be_looked_at(self, store: Store) -> None:
        for number in range(9):
            store.schedules.save("ns", a_state(f"s{number}", wake_at=START + number), None)
        store.schedules.save("other", a_state("s1", wake_at=START + 1), None)
        store.schedules.save("ns", a_state("never", wake_at=None), None)
        store.schedules.save("ns", a_state("s0", version=2, wake_at=None), 1)
        store.schedules.save("ns", a_state("s1", version=2, wake_at=START + 7), 1)
        due = store.schedules.due(START + 7, 100)
        assert [found.at for found in due] == sorted(found.at for found in due)
        assert {(found.namespace, found.name, found.at - START) for found in due} == {
            *(("ns", f"s{number}", number) for number in range(2, 8)),
            ("ns", "s1", 7),
            ("other", "s1", 1),
        }
        assert len(store.schedules.due(START + 7, 3)) == 3

    def test_timers_of_runs_and_schedules_are_not_mixed(self, store: Store) -> None:
        store.runs.create(new(a_run()))
        store.schedules.save("ns", a_state(), None)
        assert [timer.run for timer in store.runs.due(START * 2, 5)] == ["r1"]
        assert [found.name for found in store.schedules.due(START * 2, 5)] == ["nightly"]


class WaitersContract:
    def test_waiters_are_listed_by_since_when_they_wait_and_then_by_their_place(self, store: Store) -> None:
        waiters = [a_waiter(number, at=START + number // 4, place=number % 4) for number in range(20)]
        for waiter in reversed(waiters):
            store.waiters.put("ns", "limit/a", waiter)
            store.waiters.put("ns", "limit/a", waiter)
        store.waiters.put("ns", "limit/b", a_waiter(1))
        store.waiters.put("other", "limit/a", a_waiter(2))
        assert list(store.waiters.first("ns", "limit/a", 50)) == waiters
        assert list(store.waiters.first("ns", "limit/a", 7)) == waiters[:7]
        assert list(store.waiters.first("ns", "limit/b", 7)) == [a_waiter(1)]
        assert list(store.waiters.first("other", "limit/a", 7)) == [a_waiter(2)]
        assert list(store.waiters.first("ns", "limit/none", 7)) == []

    def test_removed_waiters_are_gone(self, store: Store) -> None:
        waiters = [a_waiter(number) for number in range(60)]
        for waiter in waiters:
            store.waiters.put("ns", "limit/a", waiter)
        store.waiters.remove("ns", "limit/b", waiters)
        store.waiters.remove("other", "limit/a", waiters)
        store.waiters.remove("ns", "limit/a", waiters[:58])
        store.waiters.remove("ns", "limit/a", waiters[:59])
        store.waiters.remove("ns", "limit/a", [])
        assert list(store.waiters.first("ns", "limit/a", 60)) == [waiters[59]]

    def test_a_waiter_put_again_replaces_the_one_at_its_place(self, store: Store) -> None:
        store.waiters.put("ns", "limit/a", a_waiter(1))
        store.waiters.put("ns", "limit/a", a_waiter(1, concurrent=9, per_second=0.5, burst=3, attempt=2))
        assert list(store.waiters.first("ns", "limit/a", 9)) == [
            a_waiter(1, concurrent=9, per_second=0.5, burst=3, attempt=2)
        ]

    def test_the_name_of_a_queue_may_hold_anything(self, store: Store) -> None:
        for number, name in enumerate(AWKWARD_NAMES):
            store.waiters.put("ns", name, a_waiter(number))
        for number, name in enumerate(AWKWARD_NAMES):
            assert list(store.waiters.first("ns", name, 9)) == [a_waiter(number)]


class StoreContract(
    RunsContract,
    ListingContract,
    DeliveriesContract,
    DefinitionsContract,
    KeysContract,
    VersionedValuesContract,
    SignalsContract,
    TasksContract,
    SchedulesContract,
    WaitersContract,
    BatchesContract,
):
    """Read all items."""
