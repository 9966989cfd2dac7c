"""`python -m tests.simulation`: many schedules (`--runs`, `--minutes`), or one with its story (`--seed` alone)."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable

from tests.simulation import planted
from tests.simulation.campaign import Totals, many
from tests.simulation.schedule import play
from tests.simulation.shrink import report

ENDLESS = 1_000_000_000
PAUSE = 30.0
"""Seconds between two lines of a log."""


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--seed", type=int, help="the first seed; alone: play this one and print its story")
    parser.add_argument("--runs", type=int, help="how many schedules to play")
    parser.add_argument("--minutes", type=float, help="for how long to play")
    parser.add_argument("--bugs", type=int, metavar="N", help="plant every known bug, and look N schedules for each")
    asked = parser.parse_args()
    if asked.bugs:
        return _bugs(asked.seed or 0, asked.bugs)
    if asked.seed is not None and asked.runs is None and asked.minutes is None:
        return _one(asked.seed)
    runs = asked.runs or (ENDLESS if asked.minutes else 1_000)
    totals = many(asked.seed or 0, runs, minutes=asked.minutes, report=_progress())
    print(f"\nfaults:\n{totals.table()}\n{totals.line()}; first seed {asked.seed or 0}")  # noqa: T201
    for failed in totals.failures[:3]:
        print(f"\n{report(failed)}")  # noqa: T201
    return 1 if totals.failures else 0


def _one(seed: int) -> int:
    result = play(seed, tell=True)
    if result.broken:
        print(report(result, whole=True))  # noqa: T201
        return 1
    print("\n".join(result.story))  # noqa: T201
    print(f"seed {seed}: every law held; {result.runs} runs, {result.turns} turns, {len(result.struck)} faults")  # noqa: T201
    return 0


def _bugs(first: int, budget: int) -> int:
    found = 0
    for bug in planted.BUGS:
        failed = planted.hunt(bug, first, budget)
        found += failed is not None
        print(f"{bug.name:<34} {f'seed {failed.seed}: {failed.broken}' if failed else 'NOT FOUND'}"[:150])  # noqa: T201
    print(f"score: {found}/{len(planted.BUGS)}")  # noqa: T201
    return 0 if found == len(planted.BUGS) else 1


def _progress() -> Callable[[Totals], None]:
    """Print the progress: one line that changes on a terminal, a line every half minute in a log."""
    told_at = 0.0

    def report(totals: Totals) -> None:
        nonlocal told_at
        if sys.stderr.isatty():
            print(f"\r{totals.line()}", end="", file=sys.stderr, flush=True)  # noqa: T201
        elif totals.seconds - told_at >= PAUSE:
            told_at = totals.seconds
            print(totals.line(), file=sys.stderr, flush=True)  # noqa: T201

    return report


if __name__ == "__main__":
    sys.exit(main())
