"""Pictures of times, such as `[D01].[M01].[Y0001] [H01]:[m01]`: their parts, and times written by them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from chalicelib.expressions.errors import Failure
from chalicelib.expressions.meter import MAX_PICTURE
from chalicelib.expressions.pictures import calendar
from chalicelib.expressions.pictures.calendar import Moment
from chalicelib.expressions.pictures.integers import IntegerPicture

if TYPE_CHECKING:
    from chalicelib.expressions.meter import Meter

MONTHS: Final = tuple(
    "January February March April May June July August September October November December".split()  # noqa: SIM905
)
DAYS: Final = "Monday Tuesday Wednesday Thursday Friday Saturday Sunday".split()  # noqa: SIM905
_DEFAULTS: Final = {
    **dict.fromkeys("YMDdWwXxHhf", "1"),
    **dict.fromkeys("FPCE", "n"),
    **dict.fromkeys("ms", "01"),
    **dict.fromkeys("Zz", "01:01"),
}
NUMERIC: Final = frozenset("YMDdFWwXxHhmsf")
MAX_WIDTH: Final = 100
"""The largest width that a component may name."""


class Component:
    """A part of a picture: a `literal`, or a component by its `letter` and how it is written."""

    def __init__(self, letter: str = "", literal: str = "") -> None:
        self.letter, self.literal = letter, literal
        self.names = ""
        self.integer: IntegerPicture | None = None
        self.least: int | None = None
        self.most: int | None = None
        self.digits = -1
        self.fixed = 0
        self.traditional = False


def read_picture(picture: str, meter: Meter) -> list[Component]:
    """Return the parts of a picture."""
    if len(picture) > MAX_PICTURE:
        raise Failure("L0024")
    meter.spend(4 + len(picture) // 2)
    parts: list[Component] = []
    literal, position = "", 0
    while position < len(picture):
        char = picture[position]
        if char != "[" or picture.startswith("[[", position):
            literal += char
            position += 2 if char in "[]" and picture[position + 1 : position + 2] == char else 1
            continue
        end = picture.find("]", position)
        if end < 0:
            raise Failure("D3135")
        if literal:
            parts.append(Component(literal=literal))
            literal = ""
        parts.append(_component("".join(picture[position + 1 : end].split()), parts, meter))
        position = end + 1
    if literal:
        parts.append(Component(literal=literal))
    return parts


def _component(marker: str, before: list[Component], meter: Meter) -> Component:
    part = Component(marker[:1])
    presentation, comma, width = marker[1:].rpartition(",")
    if not comma:
        presentation = marker[1:]
    else:
        least, _, most = width.partition("-")
        part.least, part.most = _width(least), _width(most)
    second = ""
    if len(presentation) > 1 and presentation[-1] in "atco":
        presentation, second = presentation[:-1], presentation[-1]
    presentation = presentation or _DEFAULTS.get(part.letter, "")
    if not presentation or part.letter not in _DEFAULTS:
        raise Failure("D3132", value=part.letter)
    part.traditional = second == "t"
    if presentation[0] in "nN":
        part.names = "lower" if presentation[0] == "n" else "title" if presentation[1:2] == "n" else "upper"
    elif part.letter in NUMERIC:
        _number(part, IntegerPicture(presentation + (f";{second}" if second else ""), meter), before)
    if part.letter in "Zz" and not part.names:
        part.integer = IntegerPicture(presentation, meter)
    return part


def _number(part: Component, integer: IntegerPicture, before: list[Component]) -> None:
    part.integer = integer
    if part.least is not None:
        integer.mandatory = max(integer.mandatory, part.least)
    if part.letter == "Y":
        if part.most is not None:
            part.digits = integer.mandatory = part.most
        elif integer.mandatory + integer.optional >= 2:
            part.digits = integer.mandatory + integer.optional
    if before and before[-1].integer is not None and before[-1].letter not in "Zz":
        before[-1].fixed = before[-1].integer.mandatory


def _width(text: str) -> int | None:
    if text in ("", "*"):
        return None
    if not (text.isascii() and text.isdigit()) or len(text) > 4 or int(text) >= MAX_WIDTH:
        raise Failure("L0033", value=MAX_WIDTH)
    return int(text)


def write(parts: list[Component], millis: int, offset: int, meter: Meter) -> str:
    """Return the moment written by the parts, in a zone of this offset in minutes."""
    moment = calendar.moment_of(millis + offset * 60_000)
    return "".join([part.literal or _written(part, moment, offset, meter) for part in parts])


def _written(part: Component, moment: Moment, offset: int, meter: Meter) -> str:
    letter = part.letter
    meter.spend(2)
    if letter in "Zz":
        return _zone(part, offset, meter)
    if letter == "P":
        text = "pm" if moment.hour >= 12 else "am"
        return text.upper() if part.names == "upper" else text
    if letter in "CE":
        return "ISO"
    value = value_of(letter, moment)
    if part.names:
        return _name(part, value)
    if part.digits != -1:
        value %= 10**part.digits
    return part.integer.format(value, meter)  # type: ignore[union-attr]


def _name(part: Component, value: int) -> str:
    if part.letter not in "MxF":
        raise Failure("D3133", value=part.letter)
    name = (DAYS if part.letter == "F" else MONTHS)[value - 1]
    name = name.upper() if part.names == "upper" else name.lower() if part.names == "lower" else name
    return name if part.most is None else name[: part.most]


def value_of(letter: str, moment: Moment) -> int:
    """Return the number that a component of a moment is."""
    return {
        "Y": lambda: moment.year,
        "M": lambda: moment.month,
        "D": lambda: moment.day,
        "d": lambda: moment.days - calendar.days_of(moment.year, 1, 1) + 1,
        "F": lambda: moment.weekday,
        "W": lambda: calendar.week_of_year(moment),
        "w": lambda: calendar.week_of_month(moment),
        "X": lambda: calendar.year_of_week(moment),
        "x": lambda: calendar.month_of_week(moment),
        "H": lambda: moment.hour,
        "h": lambda: moment.hour % 12 or 12,
        "P": lambda: int(moment.hour >= 12),
        "m": lambda: moment.minute,
        "s": lambda: moment.second,
        "f": lambda: moment.milli,
    }[letter]()


def _zone(part: Component, offset: int, meter: Meter) -> str:
    if offset == 0 and part.traditional:
        return "Z"
    integer = part.integer
    if integer is None:
        raise Failure("D3133", value=part.letter)
    hours, minutes = divmod(abs(offset), 60)
    if integer.every:
        text = integer.format(hours * 100 + minutes, meter)
    elif integer.mandatory in (1, 2):
        text = integer.format(hours, meter) + (f":{minutes:02}" if minutes else "")
    elif integer.mandatory in (3, 4):
        text = integer.format(hours * 100 + minutes, meter)
    else:
        raise Failure("D3134", value=integer.mandatory)
    return ("GMT" if part.letter == "z" else "") + ("-" if offset < 0 else "+") + text
