"""CPU time in units of a loop that is measured on the same machine, so that a bound holds on slow machines too."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from time import thread_time
from typing import Final

ROUNDS: Final = 100_000
"""Rounds of the loop that is one unit: about 5 ms of a core of 2024."""

TRIES = 5


def units(work: Callable[[], object], enough: float) -> float:
    """Return the CPU time of the work: the best of up to `TRIES`, as long as it takes more than `enough`.

    Other work on the machine makes a try slower, and never faster.
    """
    taken = _seconds(work) / _unit()
    for _ in range(TRIES - 1):
        if taken <= enough:
            break
        taken = min(taken, _seconds(work) / _unit())
    return taken


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
