"""Durations and moments as text."""

from __future__ import annotations

import pytest

from chalicelib.model.times import (
    UNIT_MS,
    combined_duration,
    duration,
    format_duration,
    format_elapsed,
    instant,
    rfc3339,
)


@pytest.mark.parametrize(
    ("milliseconds", "text"),
    [
        (1, "1ms"),
        (1_500, "1500ms"),
        (90_000, "90s"),
        (5_400_000, "90m"),
        (7_200_000, "2h"),
        (129_600_000, "36h"),
        (604_800_000, "7d"),
        (31_622_400_000, "366d"),
        (360_060_000, "4d4h1m"),
        (5_430_000, "1h30m30s"),
        (150_500, "2m30s500ms"),
    ],
)
def test_a_duration_is_written_in_one_unit_while_its_number_is_small(milliseconds: int, text: str) -> None:
    assert format_duration(milliseconds) == text
    assert duration(text) == milliseconds


@pytest.mark.parametrize(
    ("milliseconds", "text"), [(0, "0s"), (5_400_000, "1h30m"), (129_600_000, "1d12h"), (150_500, "2m30s500ms")]
)
def test_a_combined_duration_has_all_units_that_it_needs(milliseconds: int, text: str) -> None:
    assert combined_duration(milliseconds) == text
    assert duration(text) == milliseconds


@pytest.mark.parametrize(
    ("milliseconds", "text"), [(0, "0s"), (90_000, "1m 30s"), (5_400_001, "1h 30m 1ms"), (183_600_000, "2d 3h")]
)
def test_an_elapsed_time_is_written_in_all_its_units(milliseconds: int, text: str) -> None:
    assert format_elapsed(milliseconds) == text
    assert sum(duration(part) or 0 for part in text.split()) == milliseconds


def test_units_are_ordered_from_the_largest() -> None:
    assert sorted(UNIT_MS.values(), reverse=True) == list(UNIT_MS.values())
    assert UNIT_MS["ms"] == 1


@pytest.mark.parametrize(
    ("text", "milliseconds"),
    [("1h30m", 5_400_000), ("1h90m", 9_000_000), ("1.5s", 1_500), ("0.25d", 21_600_000), ("0s", 0), ("1m5ms", 60_005)],
)
def test_a_duration_has_one_or_more_units(text: str, milliseconds: int) -> None:
    assert duration(text) == milliseconds


@pytest.mark.parametrize(
    "text", ["", "1", "ms", "-1s", "1 s", "1w", "30m1h", "1h1h", "1.5h30m", "1h30", "1h 30m", "1.s"]
)
def test_other_texts_are_no_durations(text: str) -> None:
    assert duration(text) is None


@pytest.mark.parametrize(
    ("text", "same"),
    [
        ("2016-12-31T23:59:60Z", "2017-01-01T00:00:00.000Z"),
        ("2016-12-31T23:59:60.250Z", "2017-01-01T00:00:00.250Z"),
        ("2017-01-01T08:59:60+09:00", "2017-01-01T00:00:00.000Z"),
        ("2016-12-31t15:59:60-08:00", "2017-01-01T00:00:00.000Z"),
        ("2026-07-01T12:00:59z", "2026-07-01T12:00:59.000Z"),
    ],
)
def test_a_leap_second_counts_as_the_next_second(text: str, same: str) -> None:
    moment = instant(text)
    assert moment is not None
    assert rfc3339(moment) == same


@pytest.mark.parametrize(
    "text",
    [
        "2016-12-31T12:00:60Z",
        "2016-12-31T23:59:60+01:00",
        "2016-12-31T23:59:61Z",
        "2016-12-31T24:00:00Z",
        "2016-02-30T23:59:60Z",
        "9999-12-31T23:59:60-23:59",
        "2016-12-31 23:59:60Z",
        "2016-12-31T23:59:60",
    ],
)
def test_other_texts_are_no_times(text: str) -> None:
    assert instant(text) is None
