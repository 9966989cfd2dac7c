"""The generic cell rate: bursts after a pause, steady intervals, and rates below one per second."""

from __future__ import annotations

import pytest

from chalicelib.service.cell_rate import CellRate, milliseconds

SECOND = 1_000_000


def admitted(rate: CellRate, arrivals: list[int]) -> list[int]:
    """Return the arrivals that are admitted."""
    next_at, found = 0, []
    for now in arrivals:
        if not rate.wait_us(next_at, now):
            found.append(now)
            next_at = rate.after(next_at, now)
    return found


@pytest.mark.parametrize("per_second", [1, 2, 5, 100])
def test_one_second_s_worth_is_admitted_at_once(per_second: int) -> None:
    assert len(admitted(CellRate.of(per_second), [SECOND] * 1_000)) == per_second


@pytest.mark.parametrize(("per_second", "expected"), [(0.5, 5), (1, 10), (4, 43), (10, 109)])
def test_after_the_burst_one_is_admitted_per_interval(per_second: float, expected: int) -> None:
    arrivals = list(range(SECOND, 11 * SECOND, 1_000))
    assert len(admitted(CellRate.of(per_second), arrivals)) == expected


def test_the_wait_is_exact() -> None:
    rate = CellRate.of(4)
    next_at = SECOND
    for _ in range(4):
        assert rate.wait_us(next_at, SECOND) == 0
        next_at = rate.after(next_at, SECOND)
    wait = rate.wait_us(next_at, SECOND)
    assert wait == SECOND // 4
    assert rate.wait_us(next_at, SECOND + wait - 1) == 1
    assert rate.wait_us(next_at, SECOND + wait) == 0


def test_a_tiny_rate_has_an_interval_of_at_most_a_leap_year() -> None:
    assert CellRate.of(1e-12).interval_us == 366 * 86_400 * SECOND


def test_milliseconds_are_rounded_up() -> None:
    assert [milliseconds(value) for value in (0, 1, 1_000, 1_001)] == [0, 1, 1, 2]
