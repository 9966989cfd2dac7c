"""Times as JSONata reads and writes them, by pictures such as `[Y0001]-[M01]-[D01]`.

The library pads to any width a picture names, makes a pattern for `re` out of one as it stands, and takes what a
picture does not tell from the clock. Here widths are small, patterns go to RE2, and a picture must tell the date.
"""

from __future__ import annotations

import calendar
import re
from typing import Any, Final

from jsonata import DateTimeUtils, Functions
from jsonata.regex_engine import RegexFlags

from chalicelib.engine.expressions.limits import Halt
from chalicelib.engine.expressions.patterns import Pattern

_LENGTH: Final = 256
_WIDE: Final = re.compile(r",[^\]]*[\d_]{3}")
_RFC3339: Final = re.compile(
    r"(\d{4}-\d\d-\d\d)(?:[Tt ](\d\d:\d\d(?::\d\d)?)(\.\d+)?([Zz]|[+-]\d\d:?\d\d)?)?", re.ASCII
)
_ZONE: Final = re.compile(r"[+-]?\d{1,4}", re.ASCII)


def millis(text: str | None) -> int | None:
    """Milliseconds since 1970 of an ISO 8601 time, exactly."""
    if text is None:
        return None
    match = _RFC3339.fullmatch(text)
    if not match and not re.fullmatch(r"\d{4}", text, re.ASCII):
        raise Halt("a time is needed such as 2026-11-20T19:30:00Z")
    if not match:
        return int(Functions.datetime_to_millis(text, None))
    day, time, fraction, zone = match.groups()
    whole = f"{day}T{time or '00:00'}{(zone or 'Z').upper().replace('Z', '+00:00')}"
    try:
        return int(Functions.datetime_to_millis(whole, None)) + int(f"{fraction or '.'}000"[1:4])
    except ValueError as exc:
        raise Halt("a time is needed such as 2026-11-20T19:30:00Z") from exc


def written(instant: Any, picture: Any, zone: Any) -> Any:
    """The time as the picture says; ISO 8601 in UTC without one."""
    if instant is None:
        return None
    _check(picture)
    if zone is not None and not (isinstance(zone, str) and _ZONE.fullmatch(zone)):
        raise Halt("a time zone is needed such as +0100")
    return DateTimeUtils.format_datetime(int(instant), picture, zone)


def read(text: Any, picture: Any) -> Any:
    """Milliseconds since 1970 of a time written as the picture says; nothing if it is not."""
    if text is None or picture is None:
        return millis(text)
    _check(picture)
    if len(text) > _LENGTH:
        return None
    marks = DateTimeUtils._analyse_datetime_picture(picture)
    parts = DateTimeUtils._generate_regex(marks).parts
    sources = [
        re.escape(mark.value) if mark.type == "literal" else part.regex
        for mark, part in zip(marks.parts, parts, strict=True)
    ]
    pattern = Pattern("^" + "".join(f"({source})" for source in sources) + "$", RegexFlags(case_insensitive=True))
    match = pattern.search(text)
    if match is None:
        return None
    told = {
        part.component: part.parse(group)
        for mark, part, group in zip(marks.parts, parts, match.groups(), strict=True)
        if mark.type != "literal"
    }
    return _instant(told)


def _instant(told: dict[str, int]) -> int:
    if "Y" not in told or ("D" in told and "M" not in told) or {"W", "X", "x", "w"} & set(told):
        raise Halt("a picture to read a time by needs year, month and day")
    hour = told.get("H", told.get("h", 0) % 12 + 12 * told.get("P", 0) if "h" in told else 0)
    month, day, minute, second = told.get("M", 1), told.get("D", 1), told.get("m", 0), told.get("s", 0)
    fits = 1 <= told["Y"] <= 9999 and 1 <= month <= 12 and hour < 24 and minute < 60 and second < 60
    if not fits or not 1 <= day <= calendar.monthrange(told["Y"], month)[1]:
        raise Halt("there is no such time")
    seconds = calendar.timegm((told["Y"], month, day, hour, minute, second))
    seconds += 86_400 * (told["d"] - 1) if "d" in told else 0
    zone = told.get("Z", told.get("z", 0))
    return (seconds - 60 * zone) * 1000 + min(told.get("f", 0), 999)


def _check(picture: Any) -> None:
    if picture is None:
        return
    if not isinstance(picture, str) or len(picture) > _LENGTH or _WIDE.search("".join(picture.split())):
        raise Halt(f"a picture has at most {_LENGTH} characters, and widths below 100")
