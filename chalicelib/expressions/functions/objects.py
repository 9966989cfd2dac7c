"""Functions on objects."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from chalicelib.expressions.errors import Failure
from chalicelib.expressions.evaluation.transforms import copied
from chalicelib.expressions.values import MAX_DEPTH, NOTHING, Function, Sequence, member

if TYPE_CHECKING:
    from chalicelib.expressions.evaluation.evaluator import Machine


def keys(m: Machine, value: Any = NOTHING) -> Any:
    """Return the names of the members of an object, or of all objects in an array."""
    found: dict[str, None] = {}
    _names(m, value, found, 0)
    m.meter.items(len(found))
    return Sequence(found)


def _names(m: Machine, value: Any, found: dict[str, None], depth: int) -> None:
    if depth >= MAX_DEPTH:
        raise Failure("L0002")
    if isinstance(value, dict):
        m.meter.items(len(value))
        found.update(dict.fromkeys(value))
    elif isinstance(value, list):
        m.meter.spend(1 + len(value))
        for item in value:
            _names(m, item, found, depth + 1)


def lookup(m: Machine, value: Any = NOTHING, name: Any = NOTHING) -> Any:
    """Return the member of this name."""
    return member(value, name, m.meter) if isinstance(name, str) else NOTHING


def spread(m: Machine, value: Any = NOTHING) -> Any:
    """Return an object of one member for each member."""
    if isinstance(value, Function):
        return ""
    if not isinstance(value, (list, dict)):
        return value
    result = Sequence()
    _spread(m, value, result, 0)
    return list(result) if isinstance(value, list) and value else result


def _spread(m: Machine, value: Any, result: list[Any], depth: int) -> None:
    if depth >= MAX_DEPTH:
        raise Failure("L0002")
    if isinstance(value, list):
        m.meter.items(len(value))
        for item in value:
            _spread(m, item, result, depth + 1)
    elif isinstance(value, dict):
        m.meter.room(len(value) * 6)
        result.extend({name: item} for name, item in value.items())
    elif value is not NOTHING:
        result.append(value)


def merge(m: Machine, values: Any = NOTHING) -> Any:
    """Return one object with the members of all; later ones win."""
    if values is NOTHING:
        return NOTHING
    result: dict[str, Any] = {}
    m.meter.visit(len(values))
    for value in values:
        m.meter.room(2 * len(value))
        result.update(value)
    return result


def clone(m: Machine, value: Any = NOTHING) -> Any:
    """Return a copy."""
    return copied(m, value)
