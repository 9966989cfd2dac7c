"""Many schedules, side by side in processes."""

from __future__ import annotations

import gc
import os
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from dataclasses import dataclass, field
from typing import Final

from tests.simulation.fates import FAULTS
from tests.simulation.schedule import Result, play

CHUNK: Final = 100
ALONE: Final = 600
"""Up to how many schedules one process is enough."""


@dataclass
class Totals:
    """What came of all schedules so far."""

    schedules: int = 0
    turns: int = 0
    runs: int = 0
    counts: Counter[str] = field(default_factory=Counter)
    failures: list[Result] = field(default_factory=list)
    seconds: float = 0

    def add(self, other: Totals) -> None:
        self.schedules += other.schedules
        self.turns += other.turns
        self.runs += other.runs
        self.counts += other.counts
        self.failures += other.failures

    @property
    def never(self) -> list[str]:
        """Kinds of fault that never struck."""
        return [kind for kind in FAULTS if not self.counts[kind]]

    def line(self) -> str:
        rate = self.schedules / self.seconds if self.seconds else 0
        return (
            f"{self.schedules} schedules ({rate:.0f}/s), {self.runs} runs, {self.turns} turns, "
            f"{self.counts.total()} faults of {len(FAULTS) - len(self.never)}/{len(FAULTS)} kinds, "
            f"{len(self.failures)} failures"
        )

    def table(self) -> str:
        """Every kind of fault, and how often it struck."""
        return "\n".join(f"    {kind:<28}{self.counts[kind]:>9}" for kind in FAULTS)


def some(first: int, count: int) -> Totals:
    """So many schedules from that seed on, in this process."""
    totals = Totals()
    for seed in range(first, first + count):
        result = play(seed)
        totals.schedules += 1
        totals.turns += result.turns
        totals.runs += result.runs
        totals.counts += result.counts
        if result.broken:
            totals.failures.append(result)
    return totals


def many(
    first: int,
    count: int,
    *,
    minutes: float | None = None,
    most_failures: int = 5,
    report: Callable[[Totals], None] = lambda totals: None,
) -> Totals:
    """So many schedules from that seed on, or as many as go into so many minutes; fewer where many fail."""
    began, totals = time.monotonic(), Totals()
    jobs = 1 if count <= ALONE and minutes is None else os.cpu_count() or 1
    starts = iter(range(first, first + count, CHUNK))
    with ProcessPoolExecutor(jobs, initializer=_collect_rarely) as pool:
        running: set[Future[Totals]] = set()
        while True:
            late = minutes is not None and time.monotonic() - began > minutes * 60
            while len(running) < 2 * jobs and not late and len(totals.failures) < most_failures:
                start = next(starts, None)
                if start is None:
                    break
                running.add(pool.submit(some, start, min(CHUNK, first + count - start)))
            if not running:
                return totals
            done, running = wait(running, return_when=FIRST_COMPLETED)
            for future in done:
                totals.add(future.result())
            totals.seconds = time.monotonic() - began
            report(totals)


def _collect_rarely() -> None:
    """A schedule leaves few cycles behind: looking for them less often makes schedules 15 % faster."""
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)
