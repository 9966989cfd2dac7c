"""Pages of runs while runs begin, change, end and are deleted: none is lost, and none is listed twice."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from chalicelib.adapters.dynamodb.store import DynamoStore
from chalicelib.adapters.memory import MemoryStore
from chalicelib.adapters.sqlite.database import MEMORY, Database
from chalicelib.adapters.sqlite.store import SqliteStore
from chalicelib.model.run import DefinitionRef, Parent, Run
from chalicelib.model.run_error import StepError
from chalicelib.model.status import Status
from chalicelib.service.ports.runs import RunQuery
from chalicelib.service.ports.store import Store
from chalicelib.service.runs.matching import admits
from tests.adapters.samples import a_run, after, new
from tests.fakes import START

STATUSES = [Status.RUNNING, Status.PAUSED, Status.COMPENSATING, Status.SUCCEEDED, Status.FAILED, Status.CANCELED]
NUMBERS = st.integers(0, 30)
CHANGES = st.lists(
    st.one_of(
        st.tuples(st.just("create"), NUMBERS, st.integers(0, 3)),
        st.tuples(st.just("save"), NUMBERS, st.sampled_from(STATUSES)),
        st.tuples(st.just("delete"), NUMBERS, st.none()),
    ),
    max_size=6,
)
QUERIES = st.fixed_dictionaries(
    {"limit": st.integers(1, 5)},
    optional={
        "statuses": st.frozensets(st.sampled_from(STATUSES), min_size=1),
        "flow": st.sampled_from(["f", "g"]),
        "version": st.sampled_from([1, 2]),
        "labels": st.lists(st.sampled_from([("a", "0"), ("a", "1"), ("b", "0"), ("b", "1")]), max_size=2).map(tuple),
        "since": st.integers(START, START + 4),
        "until": st.integers(START, START + 4),
        "error": st.sampled_from(["E0", "E1"]),
        "parent": st.just("p"),
        "name_prefix": st.sampled_from(["r", "r1", "p.", "p.s.r"]),
        "undo_failed": st.just(True),
    },
)


def the_run(number: int, namespace: str, at: int, run_id: str) -> Run:
    """Return run `number`, which begins `at` milliseconds after START."""
    child = number % 5 == 0
    return a_run(
        f"p.s.r{number:02}" if child else f"r{number:02}",
        namespace,
        START + at,
        id=run_id,
        definition=DefinitionRef(flow="fg"[number % 2], version=1 + number % 3 // 2),
        labels={"a": number % 2, "b": number // 2 % 2},
        failed_undos=number % 4 // 3,
        parent=Parent(run="p", uuid="u") if child else None,
    )


class World:
    """A store, and what it holds."""

    def __init__(self, store: Store, namespace: str) -> None:
        self.store = store
        self.namespace = namespace
        self.runs: dict[int, Run] = {}
        self.ids = count()

    def apply(self, kind: str, number: int, value: Any) -> None:
        known = self.runs.get(number)
        if kind == "create" and known is None:
            self.runs[number] = the_run(number, self.namespace, value, f"id{next(self.ids)}")
            self.store.runs.create(new(self.runs[number]))
        elif kind == "save" and known is not None:
            error = StepError(f"E{number % 2}") if value in (Status.FAILED, Status.CANCELED) else None
            self.runs[number] = after(known, status=value, error=error)
            self.store.runs.save(self.runs[number], known.version)
        elif kind == "delete" and known is not None:
            self.store.runs.delete(self.runs.pop(number))

    def matching(self, query: RunQuery) -> dict[str, Run]:
        return {run.id: run for run in self.runs.values() if admits(query, run)}


def check(world: World, first: list[Any], query: dict[str, Any], between: list[list[Any]]) -> None:
    """List all pages, with changes between them.

    A run that matches all the time is listed once. One that never matches is not listed.
    """
    asked = RunQuery(**query)
    for change in first:
        world.apply(*change)
    always, ever = world.matching(asked), set(world.matching(asked))
    listed: list[str] = []
    for _ in range(100):
        listing = world.store.runs.list(world.namespace, asked)
        assert len(listing.runs) <= asked.limit
        listed += [run.id for run in listing.runs]
        if listing.cursor is None:
            break
        asked = replace(asked, cursor=listing.cursor)
        for change in between.pop() if between else ():
            world.apply(*change)
            now = world.matching(asked)
            always = {run_id: run for run_id, run in always.items() if run_id in now}
            ever |= now.keys()
    assert len(listed) == len(set(listed))
    assert always.keys() <= set(listed) <= ever


def checked(make: Callable[[], Store], examples: int) -> None:
    numbers = count()

    @settings(max_examples=examples, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
    @given(
        first=st.lists(st.tuples(st.just("create"), NUMBERS, st.integers(0, 3)), min_size=10, max_size=40),
        changed=CHANGES,
        query=QUERIES,
        between=st.lists(CHANGES, max_size=8),
    )
    def run(first: list[Any], changed: list[Any], query: dict[str, Any], between: list[list[Any]]) -> None:
        check(World(make(), f"ns{next(numbers)}"), first + changed, query, between)

    run()


def test_paging_in_memory_loses_and_doubles_none() -> None:
    checked(MemoryStore, 300)


def test_paging_in_sqlite_loses_and_doubles_none() -> None:
    database = Database.open(MEMORY)
    store = SqliteStore(database)
    checked(lambda: store, 150)
    database.close()


def test_paging_in_dynamodb_loses_and_doubles_none(dynamo: DynamoStore) -> None:
    checked(lambda: dynamo, 12)
