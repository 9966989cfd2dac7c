"""Functions that call functions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from chalicelib.expressions.errors import Failure
from chalicelib.expressions.evaluation.calls import apply
from chalicelib.expressions.evaluation.sorting import merge_sorted
from chalicelib.expressions.values import NOTHING, Function, Sequence, kind

if TYPE_CHECKING:
    from chalicelib.expressions.evaluation.evaluator import Machine


def _called(m: Machine, function: Function, *args: Any) -> Any:
    return apply(m, function, list(args[: max(1, function.arity)]), None)


def mapped(m: Machine, values: Any = NOTHING, function: Any = NOTHING) -> Any:
    """Return what the function yields for each item."""
    if values is NOTHING:
        return NOTHING
    m.meter.items(len(values))
    result = Sequence()
    for index, item in enumerate(values):
        found = _called(m, function, item, index, values)
        if found is not NOTHING:
            result.append(found)
    return result


def filtered(m: Machine, values: Any = NOTHING, function: Any = NOTHING) -> Any:
    """Return the items for which the function yields a true value."""
    if values is NOTHING:
        return NOTHING
    m.meter.items(len(values))
    result = Sequence()
    for index, item in enumerate(values):
        if m.truth(_called(m, function, item, index, values)):
            result.append(item)
    return result


def single(m: Machine, values: Any = NOTHING, function: Any = NOTHING) -> Any:
    """Return the one item for which the function yields a true value. Fails if there is none or another."""
    if values is NOTHING:
        return NOTHING
    m.meter.visit(len(values))
    result: Any = NOTHING
    found = False
    for index, item in enumerate(values):
        if function is NOTHING or m.truth(_called(m, function, item, index, values)):
            if found:
                raise Failure("D3138")
            result, found = item, True
    if not found:
        raise Failure("D3139")
    return result


def reduced(m: Machine, values: Any = NOTHING, function: Any = NOTHING, initial: Any = NOTHING) -> Any:
    """Return the last result of the function, called with the result before and each item."""
    if values is NOTHING:
        return NOTHING
    if function.arity < 2:
        raise Failure("D3050")
    result, start = (values[0], 1) if initial is NOTHING and values else (initial, 0)
    m.meter.visit(len(values))
    for index in range(start, len(values)):
        result = apply(m, function, [result, values[index], index, values][: function.arity], None)
    return result


def each(m: Machine, value: Any = NOTHING, function: Any = NOTHING) -> Any:
    """Return what the function yields for each member."""
    if value is NOTHING:
        return NOTHING
    m.meter.items(len(value))
    result = Sequence()
    for name, item in list(value.items()):
        found = _called(m, function, item, name, value)
        if found is not NOTHING:
            result.append(found)
    return result


def sifted(m: Machine, value: Any = NOTHING, function: Any = NOTHING) -> Any:
    """Return the object of the members for which the function yields a true value; NOTHING if there is none."""
    if value is NOTHING:
        return NOTHING
    m.meter.room(2 * len(value))
    result = {}
    for name, item in list(value.items()):
        if m.truth(_called(m, function, item, name, value)):
            result[name] = item
    return result or NOTHING


def sorted_by(m: Machine, values: Any = NOTHING, function: Any = NOTHING) -> Any:
    """Return the items in order: by the function, which says whether its first argument goes after its second."""
    if values is NOTHING:
        return NOTHING
    m.meter.items(len(values))
    if len(values) <= 1:
        return values
    if function is NOTHING:
        return _in_natural_order(m, values)
    return merge_sorted(m.meter, values, lambda one, other: m.truth(apply(m, function, [one, other], None)))


def _in_natural_order(m: Machine, values: list[Any]) -> list[Any]:
    kinds = {kind(value) for value in values}
    if kinds not in ({"n"}, {"s"}):
        raise Failure("D3070")
    m.meter.spend(len(values) * len(values).bit_length() // 16)
    if kinds == {"s"}:
        longest = max(map(len, values))
        m.meter.read(longest * len(values) * len(values).bit_length() // 16)
    return sorted(values)
