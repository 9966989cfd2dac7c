"""Moments and durations as text. A moment (`Instant`) is milliseconds since 1970 UTC, a duration is milliseconds."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Final, TypeAlias

Milliseconds: TypeAlias = int


Instant: TypeAlias = int


UNIT_MS: Final = {"d": 86_400_000, "h": 3_600_000, "m": 60_000, "s": 1_000, "ms": 1}
"""The units of a duration in milliseconds, the largest first."""

_DURATION: Final = re.compile(r"(\d{1,12})(ms|s|m|h|d)", re.ASCII)
_MOMENT: Final = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:(?P<second>\d\d)(\.\d+)?([Zz]|[+-]\d\d:\d\d)", re.ASCII)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def duration(text: str) -> int | None:
    """The milliseconds of `500ms`, `30s`, `15m`, `2h` or `7d`; None if the text is no duration."""
    matched = _DURATION.fullmatch(text)
    return int(matched[1]) * UNIT_MS[matched[2]] if matched else None


def format_duration(milliseconds: Milliseconds) -> str:
    """Return a duration in the largest unit that divides it, as FSL writes it: `90m`, `2h`, `1500ms`."""
    return next(f"{milliseconds // size}{unit}" for unit, size in UNIT_MS.items() if milliseconds % size == 0)


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
    whole = _EPOCH + timedelta(milliseconds=moment)
    return f"{whole:%Y-%m-%dT%H:%M:%S}.{moment % 1000:03}Z"
