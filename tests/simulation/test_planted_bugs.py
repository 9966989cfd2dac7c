"""The checkers bite: every bug that is planted is found."""

from __future__ import annotations

import pytest

from tests.simulation.planted import BUGS, Bug, hunt

BUDGET = 8_000
FIRST = 1


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.name)
def test_the_laws_find(bug: Bug) -> None:
    failed = hunt(bug, FIRST, BUDGET)
    assert failed is not None, f"{bug.name!r} broke no law in {BUDGET} schedules from seed {FIRST} on"
    print(f"{bug.name}: seed {failed.seed}, {failed.broken}")  # noqa: T201


def test_there_are_enough_of_them() -> None:
    assert len({bug.name for bug in BUGS}) == len(BUGS) >= 90
