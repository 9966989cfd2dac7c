"""Options of steps that may be expressions: durations, counts and factors. They have the limits of literal ones."""

from __future__ import annotations

import re
from typing import Final

from chalicelib.engine.errors import ExpressionFailed
from chalicelib.engine.values.evaluation import Names, YieldsNothing, resolve
from chalicelib.engine.values.secret_values import shown
from chalicelib.model import times
from chalicelib.model.actions import ArgType
from chalicelib.model.json_values import Json
from chalicelib.model.templates import Template
from chalicelib.model.times import MAX_DURATION_MS, Milliseconds, format_duration

_PERCENT: Final = re.compile(r"([0-9]{1,3}(?:\.[0-9]{1,6})?)%", re.ASCII)
_INTEGER: Final = re.compile(r"-?[0-9]{1,15}", re.ASCII)
_A_DURATION: Final = "a duration such as 30s or 1h30m"


def duration_of(
    name: str, option: Template, names: Names, *, least: Milliseconds = 1, most: Milliseconds = MAX_DURATION_MS
) -> Milliseconds:
    """Return the milliseconds of a whole number of them, or of text such as `30s`. Raises ExpressionFailed."""
    if isinstance(option, int):
        return option
    value = ArgType.INT.converted(value_of(name, option, names, _A_DURATION))
    whole = ArgType.INT.admits(value)
    found = value if whole else times.duration(value) if isinstance(value, str) else None
    if found is None:
        raise _wrong(name, _A_DURATION, value)
    if not least <= found <= most:
        raise _wrong(name, f"from {format_duration(least)} to {format_duration(most)}", value)
    return int(found)


def optional_duration(name: str, option: Template, names: Names) -> Milliseconds | None:
    """Return the milliseconds of an option that may be left out. Raises ExpressionFailed."""
    return None if option is None else duration_of(name, option, names)


def whole_number(name: str, option: Template, names: Names, *, least: int, most: int | None = None) -> int:
    """Return a whole number from `least` to `most`, which may be text. Raises ExpressionFailed."""
    if isinstance(option, int):
        return option
    value = _counted(value_of(name, option, names, "a whole number"))
    if not ArgType.INT.admits(value):
        raise _wrong(name, "a whole number", value)
    if value < least or (most is not None and value > most):
        raise _wrong(name, f"at least {least}" if most is None else f"from {least} to {most}", value)
    return int(value)


def factor(name: str, option: Template, names: Names) -> float:
    """Return a number of at least 1. Raises ExpressionFailed."""
    value = option if isinstance(option, (int, float)) else value_of(name, option, names, "a number")
    if not ArgType.FLOAT.admits(value):
        raise _wrong(name, "a number", value)
    if value < 1:
        raise _wrong(name, "at least 1", value)
    return float(value)


def share_of(name: str, option: Template, names: Names, count: int) -> int:
    """Return how many of `count` things the option admits: a number, or a percentage. Raises ExpressionFailed."""
    needed = "a whole number or a percentage such as 10%"
    value = value_of(name, option, names, needed)
    matched = _PERCENT.fullmatch(value.strip()) if isinstance(value, str) else None
    if matched:
        percent = float(matched[1])
        if percent > 100:
            raise _wrong(name, "at most 100%", value)
        return int(count * percent / 100)
    value = _counted(value)
    if not ArgType.INT.admits(value):
        raise _wrong(name, needed, value)
    if value < 0:
        raise _wrong(name, "at least 0", value)
    return int(value)


def _counted(value: Json) -> Json:
    """Return the integer that a number or a text is, if it is one; otherwise the value."""
    if isinstance(value, str) and _INTEGER.fullmatch(value.strip()):
        return int(value)
    return ArgType.INT.converted(value)


def text_of(name: str, option: Template, names: Names, needed: str) -> str:
    """Return a text, without blanks around it. Raises ExpressionFailed."""
    value = value_of(name, option, names, needed)
    if not isinstance(value, str):
        raise _wrong(name, needed, value)
    return value.strip()


def value_of(name: str, option: Template, names: Names, needed: str) -> Json:
    """Return the value of the option. Raises ExpressionFailed, which names it."""
    try:
        return resolve(option, names)
    except YieldsNothing as failure:
        raise ExpressionFailed(f"`{name}` must be {needed}: {failure}") from failure
    except ExpressionFailed as failure:
        raise ExpressionFailed(f"`{name}` could not be computed: {failure}") from failure


def _wrong(name: str, needed: str, value: Json) -> ExpressionFailed:
    found = shown(value)
    return ExpressionFailed(f"`{name}` must be {needed}, and is {found}")
