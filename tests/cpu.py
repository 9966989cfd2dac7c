"""CPU time in units of a loop that is measured on the same machine, so that a bound holds on slow machines too."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from time import thread_time
from typing import Final

ROUNDS: Final = 100_000
"""Rounds of the loop that is one unit: about 5 ms of a core of 2024."""


def units(work: Callable[[], object], enough: float) -> float:
    """Return the CPU time of the work. It is done twice if it takes more than `enough`, and the better time counts."""
    taken = _seconds(work) / _unit()
    return taken if taken <= enough else min(taken, _seconds(work) / _unit())


@cache
def _unit() -> float:
    return min(_seconds(_loop) for _ in range(5))


def _loop() -> int:
    total = 0
    for number in range(ROUNDS):
        total += number * number % 7
    return total


def _seconds(work: Callable[[], object]) -> float:
    begun = thread_time()
    work()
    return thread_time() - begun
