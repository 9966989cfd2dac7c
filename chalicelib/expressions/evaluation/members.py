"""All members of a value: `*` and `**`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from chalicelib.expressions.errors import Failure
from chalicelib.expressions.values import MAX_DEPTH, NOTHING, Outer, Sequence

if TYPE_CHECKING:
    from chalicelib.expressions.evaluation.evaluator import Machine


def every_member(m: Machine, value: Any) -> Any:
    """Return the values of all members of `*`, lists among them flattened."""
    if isinstance(value, Outer) and value:
        value = value[0]
    result = Sequence()
    members = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    m.meter.items(len(members))
    flat = False
    for item in members:
        if isinstance(item, list):
            flat = True
            _flatten(m, item, result, 0)
        else:
            result.append(item)
    return list(result) if flat else result


def _flatten(m: Machine, values: list[Any], result: list[Any], depth: int) -> None:
    if depth >= MAX_DEPTH:
        raise Failure("L0002")
    m.meter.items(len(values))
    for item in values:
        if isinstance(item, list):
            _flatten(m, item, result, depth + 1)
        else:
            result.append(item)


def descendants(m: Machine, value: Any) -> Any:
    """Return the value and all that is within it, for `**`."""
    result = Sequence()
    if value is not NOTHING:
        _descend(m, value, result, 0)
    return result[0] if len(result) == 1 else result


def _descend(m: Machine, value: Any, result: list[Any], depth: int) -> None:
    if depth >= MAX_DEPTH:
        raise Failure("L0002")
    inner: Any = ()
    if isinstance(value, list):
        inner = value
    else:
        result.append(value)
        if isinstance(value, dict):
            inner = value.values()
    m.meter.items(1 + len(inner))
    for item in inner:
        if isinstance(item, (list, dict)):
            _descend(m, item, result, depth + 1)
        else:
            result.append(item)
