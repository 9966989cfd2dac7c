"""Times read by pictures."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from chalicelib.expressions.errors import Failure
from chalicelib.expressions.meter import MAX_PICTURE
from chalicelib.expressions.pictures import calendar, words
from chalicelib.expressions.pictures.times import DAYS, MONTHS, Component, value_of

if TYPE_CHECKING:
    from chalicelib.expressions.meter import Meter

_LETTERS: Final = re.compile(r"[A-Za-z]+")
_DIGITS: Final = re.compile(r"[0-9]+")
_HALVES: Final = {"am": 0, "AM": 0, "pm": 1, "PM": 1}


class _Reader:
    """Divides a text among the parts of a picture: the longest for the first, and so on."""

    def __init__(self, parts: list[Component], text: str, meter: Meter) -> None:
        self._parts, self._text, self._meter = parts, text, meter
        self._failed: set[tuple[int, int]] = set()

    def pieces(self, index: int = 0, at: int = 0) -> list[str] | None:
        """Return the text of each part from `index` on; None if they do not match from `at` on."""
        if index == len(self._parts):
            return [] if at == len(self._text) else None
        if (index, at) in self._failed:
            return None
        self._meter.spend(1)
        part = self._parts[index]
        for end in _ends(part, self._text, at):
            self._meter.spend(1)
            rest = self.pieces(index + 1, end)
            if rest is not None:
                return [self._text[at:end], *rest]
        self._failed.add((index, at))
        return None


def _ends(part: Component, text: str, at: int) -> range | list[int]:
    """Return where the part may end, the furthest first."""
    if part.literal:
        end = at + len(part.literal)
        return [end] if text[at:end].lower() == part.literal.lower() else []
    if part.letter in "Zz":
        return _zone_ends(part, text, at)
    integer = part.integer
    shape = _LETTERS
    if integer is not None:
        if integer.form == "digits":
            return _digit_ends(part, text, at)
        shape = words.pattern() if integer.form == "words" else _LETTERS
        if integer.form == "other":
            raise Failure("D3130", value=integer.picture)
    found = shape.match(text, at)
    return range(found.end(), at, -1) if found else []


def _digit_ends(part: Component, text: str, at: int) -> range | list[int]:
    integer = part.integer
    if integer is None:
        return []
    end = at
    separators = {char for _, char in integer.separators}
    while end < len(text) and (text[end] in separators or integer.zero <= ord(text[end]) <= integer.zero + 9):
        end += 1
    if part.fixed:
        return [at + part.fixed] if end >= at + part.fixed else []
    if integer.ordinal:
        return [stop + 2 for stop in range(end, at, -1) if text[stop : stop + 2].lower() in ("st", "nd", "rd", "th")]
    return range(end, at, -1)


def _zone_ends(part: Component, text: str, at: int) -> range | list[int]:
    start = at
    if part.letter == "z":
        if text[at : at + 3].lower() != "gmt":
            return []
        start += 3
    if text[start : start + 1] not in ("+", "-"):
        return []
    hours = _DIGITS.match(text, start + 1)
    if not hours:
        return []
    if part.integer is None or not part.integer.every:
        return range(hours.end(), start + 1, -1)
    separator = part.integer.separators[0][1]
    if not text.startswith(separator, hours.end()):
        return []
    minutes = _DIGITS.match(text, hours.end() + len(separator))
    return range(minutes.end(), minutes.start(), -1) if minutes else []


def read(parts: list[Component], text: str, now: int, meter: Meter) -> tuple[int, bool] | None:
    """Return the milliseconds since 1970, and whether the text has an offset of its own; None if it does not match.

    What the picture lacks is that of `now`, if it is larger than what it has; else the smallest.
    """
    if len(text) > MAX_PICTURE:
        return None
    for part in parts:
        if part.letter and part.letter not in "ZzMxFP" and part.integer is None:
            raise Failure("D3133", value=part.letter)
    pieces = _Reader(parts, text, meter).pieces()
    if pieces is None:
        return None
    found: dict[str, int | None] = {}
    for part, piece in zip(parts, pieces, strict=True):
        if part.letter:
            found[part.letter] = _value(part, piece, meter)
    known = {letter: value for letter, value in found.items() if value is not None}
    if not found:
        return None
    return _millis(known, now), "Z" in known or "z" in known


def _value(part: Component, piece: str, meter: Meter) -> int | None:
    if part.letter in "Zz":
        return _offset(part, piece)
    if part.integer is not None:
        return part.integer.parse(piece, meter)
    if part.letter == "P":
        return _HALVES.get(piece)
    names = DAYS if part.letter == "F" else MONTHS
    shown = [name if part.most is None else name[: part.most] for name in names]
    return shown.index(piece) + 1 if piece in shown else None


def _offset(part: Component, piece: str) -> int:
    text = piece[3:] if part.letter == "z" else piece
    sign = -1 if text[0] == "-" else 1
    if part.integer is not None and part.integer.every:
        hours, _, minutes = text[1:].partition(part.integer.separators[0][1])
    else:
        hours, minutes = text[1:3], text[3:]
    return sign * (int(hours) * 60 + int(minutes or 0))


def _millis(found: dict[str, int], now: int) -> int:
    """Return the moment of the components."""
    by_day_of_year = not _any(found, "MD") and _all(found, "Yd")
    if not _any(found, "YMD") or not _all(found, "Y"):
        _refuse_weeks(found, by_day_of_year=by_day_of_year)
    halves = not _any(found, "H") and _any(found, "Ph")
    order = ("Yd" if by_day_of_year else "YMD") + ("Phmsf" if halves else "Hmsf")
    moment = calendar.moment_of(now)
    started = ended = False
    for letter in order:
        if letter in found:
            if ended:
                raise Failure("D3136")
            started = True
        elif started:
            found[letter] = 1 if letter in "MDd" else 0
            ended = True
        else:
            found[letter] = value_of(letter, moment)
    if by_day_of_year:
        days = calendar.days_of(found["Y"], 1, 1) + found["d"] - 1
    else:
        days = calendar.days_of(found["Y"], found["M"] or 1, found["D"])
    hour = found["h"] % 12 + 12 * found["P"] if halves else found["H"]
    seconds = (hour * 60 + found["m"]) * 60 + found["s"]
    offset = found.get("Z", found.get("z", 0))
    return days * calendar.DAY_MS + seconds * 1_000 + found["f"] - offset * 60_000


def _refuse_weeks(found: dict[str, int], *, by_day_of_year: bool) -> None:
    if not by_day_of_year and _any(found, "X") and _any(found, "xwWF"):
        raise Failure("D3136")


def _any(found: dict[str, int], letters: str) -> bool:
    return any(letter in found for letter in letters)


def _all(found: dict[str, int], letters: str) -> bool:
    return all(letter in found for letter in letters)
