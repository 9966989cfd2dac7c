"""Reduces a failing schedule to few faults that still break the same law, and records its story."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from tests.simulation.fates import Decision
from tests.simulation.schedule import Result, play

MOST_PLAYS: Final = 300
SHOWN: Final = 60
"""How many lines of a story are shown: the last ones."""


def shrink(failed: Result) -> Result:
    """Return the schedule without the faults that the failure does not need, with its story."""
    dropped: set[Decision] = set()
    plays = 0
    size = max(1, len(failed.struck) // 2)
    found = failed
    while size and plays < MOST_PLAYS:
        shrunk = False
        for part in list(_parts([decision for decision, _ in found.struck], size)):
            plays += 1
            tried = play(failed.seed, frozenset(dropped.union(part)))
            if _same(tried, failed):
                dropped.update(part)
                found, shrunk = tried, True
                break
        if not shrunk:
            size //= 2
    return play(failed.seed, frozenset(dropped), tell=True)


def report(failed: Result, *, whole: bool = False) -> str:
    """The failure, the faults that it needs, its story, and how to play it again."""
    small = shrink(failed)
    faults = [f"    {place}#{nth}: {kind}" for (place, nth), kind in small.struck] or ["    none"]
    return "\n".join(
        [
            f"seed {failed.seed}: {failed.broken}",
            f"shrunk from {len(failed.struck)} faults to {len(small.struck)}: {small.broken}",
            *faults,
            *(small.story if whole else small.story[-SHOWN:]),
            f"play it again: python -m tests.simulation --seed {failed.seed}",
        ]
    )


def _same(tried: Result, failed: Result) -> bool:
    return tried.broken is not None and failed.broken is not None and tried.broken.law == failed.broken.law


def _parts(decisions: list[Decision], size: int) -> Iterator[list[Decision]]:
    for start in range(0, len(decisions), size):
        yield decisions[start : start + size]
