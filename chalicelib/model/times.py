"""Moments and durations as text. A moment (`Instant`) is milliseconds since 1970 UTC, a duration is milliseconds."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Final, TypeAlias

Milliseconds: TypeAlias = int


Instant: TypeAlias = int


_UNITS: Final = {"ms": 1, "s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}
_DURATION: Final = re.compile(r"(\d{1,12})(ms|s|m|h|d)", re.ASCII)
_MOMENT: Final = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)", re.ASCII)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def duration(text: str) -> int | None:
    """The milliseconds of `500ms`, `30s`, `15m`, `2h` or `7d`; None if the text is no duration."""
    matched = _DURATION.fullmatch(text)
    return int(matched[1]) * _UNITS[matched[2]] if matched else None


def instant(text: str) -> int | None:
    """The moment of an RFC 3339 time; None if the text is none."""
    if not _MOMENT.fullmatch(text):
        return None
    try:
        return (datetime.fromisoformat(text.upper()) - _EPOCH) // timedelta(milliseconds=1)
    except (ValueError, OverflowError):
        return None


def rfc3339(moment: int) -> str:
    """The moment as RFC 3339 in UTC, with milliseconds. Beyond the year 9999 it stays at that year's end."""
    moment = min(max(moment, 0), 253_402_300_799_999)
    whole = _EPOCH + timedelta(milliseconds=moment)
    return f"{whole:%Y-%m-%dT%H:%M:%S}.{moment % 1000:03}Z"
