"""What one operation counts does not grow with the run, the store, or those that wait: small and large are equal.

A keyed value of another length changes a few bytes, so bytes may differ by that; nothing else may.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import pytest

from bench.growth import dynamodb, subjects
from bench.growth.counts import Counts, count
from bench.growth.host import GrowthHost
from bench.growth.subjects import Operation
from chalicelib.service.runs.references import MAX_INLINE_BYTES

MORE_BYTES = 100
"""How many bytes longer the names and numbers of a large one may be."""


def counted(operations: Iterable[Operation]) -> dict[str, list[Counts]]:
    """Return the counts of each operation, in the order of the sizes."""
    found: dict[str, list[Counts]] = defaultdict(list)
    for operation in operations:
        found[operation.name].append(operation.counts())
    return found


def assert_equal(small: Counts, large: Counts, *, more_bytes: int = MORE_BYTES) -> None:
    assert large.statements <= small.statements * 1.01
    assert large.instructions <= small.instructions * 1.02
    assert large.calls <= small.calls * 1.03
    assert large.sql_bytes <= small.sql_bytes + more_bytes


def test_a_transition_does_not_grow_with_the_history() -> None:
    small, large = counted(subjects.transitions((12, 1_008), times=36)).popitem()[1]
    assert_equal(small, large)


def test_a_transition_does_not_grow_with_pending_undos() -> None:
    small, large = counted(subjects.transitions((120, 1_440), "saga", times=120)).popitem()[1]
    assert_equal(small, large)


def test_an_undo_does_not_grow_with_those_that_are_left() -> None:
    small, large = counted(subjects.undoing((50, 1_000))).popitem()[1]
    assert_equal(small, large)


def test_a_transition_on_dynamodb_does_not_grow_with_the_history() -> None:
    small, large = dynamodb.transitions((12, 120))
    assert replace(large, size=small.size) == small


def test_a_transition_on_dynamodb_does_not_grow_with_pending_undos() -> None:
    small, large = dynamodb.transitions((120, 600), "saga")
    assert replace(large, size=small.size) == small
    assert large.write_units < 1.4


def test_nothing_on_the_way_of_a_run_grows_with_the_runs_in_the_store() -> None:
    found = counted(subjects.stored_runs((10, 3_000), times=30))
    assert found.keys() == {"transition", "start of a run", "sweep", "first page of a list"}
    for name in ("transition", "start of a run", "sweep"):
        assert_equal(*found[name])


@pytest.mark.parametrize("fail", [False, True], ids=["finish", "fail"])
def test_an_item_does_not_grow_with_the_items(fail: bool) -> None:
    """Up to MAX_INLINE_BYTES the list of items is in the head; a longer one is a blob that is not written again."""
    small, large = counted(subjects.items((120, 2_000), 5, fail=fail, times=30)).popitem()[1]
    assert large.statements <= small.statements + 0.5
    assert large.instructions <= small.instructions * 1.1
    assert large.calls <= small.calls * 1.3
    assert large.sql_bytes <= small.sql_bytes + MAX_INLINE_BYTES


def test_an_item_in_flight_takes_few_bytes() -> None:
    few, many = (counted(subjects.items((2_000,), most, times=30)).popitem()[1][0] for most in (10, 100))
    assert (many.sql_bytes - few.sql_bytes) / 90 < 60


def test_schedules_that_are_not_due_cost_nothing() -> None:
    for small, large in counted(subjects.schedules((1, 300))).values():
        assert_equal(small, large)


def test_a_waiter_does_not_grow_with_the_waiters() -> None:
    found = counted(subjects.waiters((20, 500)))
    assert_equal(*found["event with another key"])
    assert_equal(*found["waiter takes it"])
    assert_equal(*found["event, per waiter"])


def test_counts_see_what_is_read_and_written(tmp_path: Path) -> None:
    """The figures are not constants: more rows are more instructions, more bytes are more bytes."""
    host = GrowthHost(tmp_path)
    host.submit(subjects.LOOP)
    few = count(host.database, lambda: host.database.rows("SELECT 1 FROM definitions"))
    host.database.change("CREATE TABLE many AS SELECT value FROM json_each('[1, 2, 3, 4, 5, 6, 7, 8, 9]')")
    many = count(host.database, lambda: host.database.rows("SELECT 1 FROM many, many, many"))
    assert (few.statements, many.statements) == (1, 1)
    assert many.instructions > few.instructions + 9**3
    write = "UPDATE definitions SET body = ?"
    short = count(host.database, lambda: host.database.change(write, (b"x" * 10,)))
    long = count(host.database, lambda: host.database.change(write, (b"x" * 1_010,)))
    assert long.sql_bytes == short.sql_bytes + 1_000
    host.close()


def test_work_that_touches_no_database_cannot_be_counted(tmp_path: Path) -> None:
    host = GrowthHost(tmp_path)
    with pytest.raises(AssertionError, match="nothing was counted"):
        count(host.database, lambda: None)
    host.close()
