"""Times as ISO 8601 writes them."""

from __future__ import annotations

import re
from typing import Final

from chalicelib.expressions.pictures.calendar import DAY_MS, days_of, moment_of

_ISO: Final = re.compile(
    r"([0-9]{4})(?:-([0-9]{2})(?:-([0-9]{2}))?)?"
    r"(?:T([0-9]{2}):([0-9]{2}):([0-9]{2})(?:\.([0-9]+))?)?(Z|([+-])([0-9]{2}):?([0-9]{2}))?"
)


def read_iso(text: str) -> int | None:
    """Return the milliseconds since 1970 of a time; None if the text is none. Without an offset it is UTC."""
    found = _ISO.fullmatch(text)
    if not found or (found[8] and not found[4]):
        return None
    year, month, day = int(found[1]), int(found[2] or 1), int(found[3] or 1)
    hour, minute, second = (int(found[index] or 0) for index in (4, 5, 6))
    if not (1 <= month <= 12 and 1 <= day <= days_of(year, month + 1, 1) - days_of(year, month, 1)):
        return None
    if hour > 24 or minute > 59 or second > 59 or (hour == 24 and (minute or second)):
        return None
    millis = days_of(year, month, day) * DAY_MS + hour * 3_600_000 + minute * 60_000 + second * 1_000
    millis += int(((found[7] or "") + "000")[:3])
    if found[9]:
        hours, minutes = int(found[10]), int(found[11])
        if hours > 23 or minutes > 59:
            return None
        offset = (hours * 60 + minutes) * 60_000
        millis -= offset if found[9] == "+" else -offset
    return millis


def written_iso(millis: int, offset: int) -> str:
    """Return the time in ISO 8601, in a zone of this offset in minutes."""
    at = moment_of(millis + offset * 60_000)
    year = f"{at.year:04}" if at.year >= 0 else f"-{-at.year:04}"
    zone = "Z"
    if offset:
        hours, minutes = divmod(abs(offset), 60)
        zone = f"{'-' if offset < 0 else '+'}{hours:02}:{minutes:02}"
    return f"{year}-{at.month:02}-{at.day:02}T{at.hour:02}:{at.minute:02}:{at.second:02}.{at.milli:03}{zone}"
