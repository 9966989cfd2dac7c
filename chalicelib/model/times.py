"""Moments and durations as text. A moment (`Instant`) is milliseconds since 1970 UTC, a duration is milliseconds."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Final, TypeAlias

Milliseconds: TypeAlias = int


Instant: TypeAlias = int


UNIT_MS: Final = {"d": 86_400_000, "h": 3_600_000, "m": 60_000, "s": 1_000, "ms": 1}
"""The units of a duration in milliseconds, the largest first."""

MAX_DURATION_MS: Final = 366 * UNIT_MS["d"]
"""The longest duration, written or computed."""

_DURATION: Final = re.compile("".join(rf"(?:(\d{{1,12}}){unit})?" for unit in UNIT_MS), re.ASCII)
_FRACTION: Final = re.compile(r"(\d{1,12}\.\d{1,12})(ms|s|m|h|d)", re.ASCII)
_MOMENT: Final = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:(?P<second>\d\d)(\.\d+)?([Zz]|[+-]\d\d:\d\d)", re.ASCII)
_MAX_COUNT_ALONE: Final = 100
_MAX_MS_ALONE: Final = 10_000
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_EPOCH_UTC: Final = datetime(1970, 1, 1)


def duration(text: str) -> Milliseconds | None:
    """Return the milliseconds of `500ms`, `1.5h`, `7d` or `1h30m`; None if the text is no duration.

    Combined units go from the largest to the smallest, each at most once, with whole numbers.
    """
    fraction = _FRACTION.fullmatch(text)
    if fraction:
        return round(float(fraction[1]) * UNIT_MS[fraction[2]])
    matched = _DURATION.fullmatch(text)
    if not text or not matched:
        return None
    return sum(int(count) * size for count, size in zip(matched.groups(), UNIT_MS.values(), strict=True) if count)


def format_duration(milliseconds: Milliseconds) -> str:
    """Return a duration as FSL writes it: in one unit while its number is small (`90m`, `1500ms`), else in several."""
    if not milliseconds:
        return "0s"
    unit, count = next((unit, milliseconds // size) for unit, size in UNIT_MS.items() if milliseconds % size == 0)
    is_small = unit == "d" or count < (_MAX_MS_ALONE if unit == "ms" else _MAX_COUNT_ALONE)
    return f"{count}{unit}" if is_small else combined_duration(milliseconds)


def combined_duration(milliseconds: Milliseconds) -> str:
    """Return a duration in several units, each less than one of the next: `1h30m`, `2m30s500ms`. Nothing is `0s`."""
    return format_elapsed(milliseconds).replace(" ", "")


def format_elapsed(milliseconds: Milliseconds) -> str:
    """Return a duration in all units that it needs: `2d 3h`, `1m 30s`, `0s`."""
    parts: list[str] = []
    for unit, size in UNIT_MS.items():
        count, milliseconds = divmod(milliseconds, size)
        if count:
            parts.append(f"{count}{unit}")
    return " ".join(parts) or "0s"


def instant(text: str) -> int | None:
    """Return the moment of an RFC 3339 time; None if the text is none.

    A leap second, such as 23:59:60Z, counts as the second after it.
    """
    matched = _MOMENT.fullmatch(text)
    if not matched:
        return None
    is_leap = matched["second"] == "60"
    if is_leap:
        text = f"{text[: matched.start('second')]}59{text[matched.end('second') :]}"
    try:
        moment = datetime.fromisoformat(text.upper()).astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    if is_leap and (moment.hour, moment.minute) != (23, 59):
        return None
    return (moment - _EPOCH) // timedelta(milliseconds=1) + (1_000 if is_leap else 0)


def rfc3339(moment: int) -> str:
    """The moment as RFC 3339 in UTC, with milliseconds. Beyond the year 9999 it stays at that year's end."""
    moment = min(max(moment, 0), 253_402_300_799_999)
    whole = _EPOCH_UTC + timedelta(0, moment // 1000)
    return f"{whole.isoformat()}.{moment % 1000:03}Z"
