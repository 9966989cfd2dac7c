"""The functions that FSL adds to JSONata."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from chalicelib.expressions.errors import Failure
from chalicelib.expressions.values import NOTHING, TYPE_NAMES, kind

if TYPE_CHECKING:
    from chalicelib.expressions.evaluation.evaluator import Machine


def need(_m: Machine, value: Any = NOTHING, type_name: Any = NOTHING) -> Any:
    """Return the value. Fails where there is none, or where it is of another type."""
    if value is NOTHING:
        raise Failure("L0030")
    if type_name is not NOTHING and not _is(value, type_name):
        raise Failure("L0031", token=type_name, value=value)
    return value


def as_type(_m: Machine, value: Any = NOTHING, type_name: Any = NOTHING) -> Any:
    """Return the value; NOTHING where it is of another type."""
    return value if value is not NOTHING and _is(value, type_name) else NOTHING


def _is(value: Any, type_name: Any) -> bool:
    if type_name not in TYPE_NAMES.values() or type_name == "undefined":
        raise Failure("L0032", value=type_name)
    return bool(TYPE_NAMES[kind(value)] == type_name)


def moment(m: Machine, value: Any = NOTHING) -> Any:
    """Return the milliseconds since 1970 of an ISO 8601 time; NOTHING for what is none."""
    if not isinstance(value, str):
        return NOTHING
    from chalicelib.expressions.pictures.iso import read_iso

    m.meter.read(len(value))
    found = read_iso(value)
    return NOTHING if found is None else found


def like(m: Machine, value: Any = NOTHING, glob: Any = NOTHING) -> Any:
    """Whether the value is a text that the pattern matches: `*` is any characters, `\\*` and `\\\\` are themselves."""
    if not isinstance(value, str) or not isinstance(glob, str):
        return False
    m.meter.read(len(glob))
    parts = _parts(glob)
    m.meter.read(len(value) * 2 + 16 * len(parts))
    m.meter.spend(sum(len(value) * min(len(part), 64) >> 12 for part in parts[1:-1]))
    if len(parts) == 1:
        return value == parts[0]
    first, *middle, last = parts
    if len(value) < len(first) + len(last) or not value.startswith(first) or not value.endswith(last):
        return False
    position, end = len(first), len(value) - len(last)
    for part in middle:
        position = value.find(part, position, end)
        if position < 0:
            return False
        position += len(part)
    return True


def _parts(glob: str) -> list[str]:
    """Return the texts between the stars."""
    parts, current, position = [], [], 0
    while position < len(glob):
        char = glob[position]
        if char == "\\" and glob[position + 1 : position + 2] in ("*", "\\"):
            position += 1
            current.append(glob[position])
        elif char == "*":
            parts.append("".join(current))
            current = []
        else:
            current.append(char)
        position += 1
    return [*parts, "".join(current)]


def listed(m: Machine, *values: Any) -> list[Any]:
    """Return the values as a list, which does not flatten those that are lists. What is nothing is left out."""
    m.meter.items(len(values))
    return [value for value in values if value is not NOTHING]
