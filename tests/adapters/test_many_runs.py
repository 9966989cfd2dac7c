"""Lists of 100,000 runs on one machine: what a page costs does not grow with the runs."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from msgspec.structs import replace

from chalicelib.adapters.sqlite.database import MEMORY, Database
from chalicelib.adapters.sqlite.listing import MAX_COUNTED
from chalicelib.adapters.sqlite.runs import create_within
from chalicelib.adapters.sqlite.store import SqliteStore
from chalicelib.model.run import DefinitionRef, Parent, Run
from chalicelib.model.run_error import StepError
from chalicelib.model.status import LIVE, Status
from chalicelib.service.ports.runs import RunQuery
from chalicelib.service.ports.store import Store
from tests.adapters.samples import a_run, new
from tests.cpu import units
from tests.fakes import START

RUNS = 100_000
FAILED = frozenset({Status.FAILED})


def the_run(number: int) -> Run:
    status = Status.FAILED if number % 100 == 0 else Status.RUNNING if number % 50 == 1 else Status.SUCCEEDED
    return a_run(
        f"order-{number:06}",
        at=START + number,
        status=status,
        definition=DefinitionRef(flow=f"f{number % 20}", version=1 + number % 3),
        labels={"team": number % 10} if number % 10 else {},
        error=StepError(f"E{number % 7}") if status is Status.FAILED else None,
        failed_undos=int(number % 5_000 == 0),
        parent=Parent(run=f"p{number // 1_000}", uuid="u") if number % 10 == 0 else None,
    )


@pytest.fixture(scope="module")
def store() -> Iterator[Store]:
    database = Database.open(MEMORY)
    with database.transaction() as connection:
        for number in range(RUNS):
            create_within(connection, new(the_run(number)))
    yield SqliteStore(database)
    database.close()


@pytest.mark.parametrize(
    ("query", "found", "first"),
    [
        (RunQuery(), 50, 99_999),
        (RunQuery(until=START + 500), 50, 500),
        (RunQuery(statuses=FAILED), 50, 99_900),
        (RunQuery(statuses=LIVE), 50, 99_951),
        (RunQuery(flow="f0", statuses=FAILED), 50, 99_900),
        (RunQuery(flow="f3", version=2), 50, 99_943),
        (RunQuery(labels=(("team", "3"),)), 50, 99_993),
        (RunQuery(labels=(("team", "3"),), statuses=FAILED), 0, None),
        (RunQuery(error="E3"), 50, 99_900),
        (RunQuery(parent="p50"), 50, 50_990),
        (RunQuery(name_prefix="order-00012"), 10, 129),
        (RunQuery(undo_failed=True), 20, 95_000),
        (RunQuery(due_before=START + 60_500), 10, 1),
    ],
    ids=[
        "all",
        "until",
        "failed",
        "live",
        "failed-of-flow",
        "version",
        "label",
        "failed-with-label",
        "error",
        "parent",
        "prefix",
        "undo-failed",
        "due",
    ],
)
def test_a_page_of_many_runs_is_read_quickly(store: Store, query: RunQuery, found: int, first: int | None) -> None:
    """Within 0.2 s of a core of 2024: a page took 0.2 to 27 ms there."""
    listings = []
    assert units(lambda: listings.append(store.runs.list("ns", query)), 40) <= 40
    names = [run.name for run in listings[-1].runs]
    assert len(names) == found
    assert names[:1] == ([] if first is None else [f"order-{first:06}"])
    assert (listings[-1].total or 0) <= MAX_COUNTED
    assert units(lambda: store.runs.count("ns", query, MAX_COUNTED), 40) <= 40


def test_all_pages_have_all_runs(store: Store) -> None:
    query, names = RunQuery(limit=1_000), list[str]()
    while True:
        listing = store.runs.list("ns", query)
        names += (run.name for run in listing.runs)
        if listing.cursor is None:
            break
        query = replace(query, cursor=listing.cursor)
    assert names == [f"order-{number:06}" for number in range(RUNS - 1, -1, -1)]
