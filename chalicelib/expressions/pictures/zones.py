"""Time zones: offsets such as `+0100`, and names such as `Europe/Berlin`."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from chalicelib.expressions.errors import Failure

if TYPE_CHECKING:
    from datetime import timedelta

    from chalicelib.expressions.meter import Meter

_OFFSET: Final = re.compile(r"([+-]?)([0-9]{1,4})")
_NAME: Final = re.compile(r"[A-Za-z][A-Za-z0-9_+\-]{0,30}(/[A-Za-z0-9_+\-]{1,30}){0,3}")
_LOAD_STEPS: Final = 40
"""What the rules of a zone cost, which are read from a file once."""


def offset_at(zone: str, millis: int, meter: Meter) -> int:
    """Return the offset from UTC, in minutes, of a zone at a moment."""
    found = _OFFSET.fullmatch(zone)
    if found:
        return _minutes(found)
    from datetime import UTC, datetime

    rules = _rules(zone, meter)
    try:
        at = datetime.fromtimestamp(millis // 1000, UTC)
    except (ValueError, OverflowError, OSError):
        raise Failure("L0027") from None
    return _minutes_of(at.astimezone(rules).utcoffset())


def offset_of_local(zone: str, millis: int, meter: Meter) -> int:
    """Return the offset of a zone where its clocks show this time, given as if it were UTC."""
    found = _OFFSET.fullmatch(zone)
    if found:
        return _minutes(found)
    from datetime import UTC, datetime

    rules = _rules(zone, meter)
    try:
        shown = datetime.fromtimestamp(millis // 1000, UTC).replace(tzinfo=rules)
        return _minutes_of(shown.utcoffset())
    except (ValueError, OverflowError, OSError):
        raise Failure("L0027") from None


def _minutes_of(offset: timedelta | None) -> int:
    return round(offset.total_seconds() / 60) if offset else 0


def _minutes(found: re.Match[str]) -> int:
    hours, minutes = divmod(int(found[2]), 100)
    return (hours * 60 + minutes) * (-1 if found[1] == "-" else 1)


def _rules(zone: str, meter: Meter) -> Any:
    meter.spend(_LOAD_STEPS)
    if not _NAME.fullmatch(zone):
        raise Failure("L0026", value=zone)
    from zoneinfo import ZoneInfo

    try:
        return ZoneInfo(zone)
    except (ValueError, OSError, LookupError):
        raise Failure("L0026", value=zone) from None
