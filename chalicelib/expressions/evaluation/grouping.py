"""Groups and orders: `x{...}` and `x^(...)`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from chalicelib.expressions.errors import Failure
from chalicelib.expressions.evaluation import operators
from chalicelib.expressions.evaluation.scope import Frame
from chalicelib.expressions.evaluation.sorting import merge_sorted
from chalicelib.expressions.syntax.tree import Node
from chalicelib.expressions.values import NOTHING, Outer, Sequence, Tuples, kind

if TYPE_CHECKING:
    from chalicelib.expressions.evaluation.evaluator import Machine

VALUE: Final = "@"
"""The member of a tuple that is its value; the others are what its steps have bound."""


def grouped(m: Machine, pairs: list[tuple[Node, Node]], values: Any, frame: Frame) -> dict[str, Any]:
    """Return the object of `{key: value, ...}`: one member for each key, its value over all items with that key."""
    streams = isinstance(values, Tuples)
    items = values if isinstance(values, list) else [values]
    groups: dict[str, tuple[int, list[Any]]] = {}
    m.meter.room(len(items) * len(pairs) * 2)
    for item in items or [NOTHING]:
        value, scope = (item[VALUE], Frame(item, frame)) if streams else (item, frame)
        for index, (key_node, _) in enumerate(pairs):
            key = m.evaluate(key_node, value, scope)
            if key is NOTHING:
                continue
            if not isinstance(key, str):
                raise Failure("T1003", key_node.at, value=key)
            known = groups.setdefault(key, (index, []))
            if known[0] != index:
                raise Failure("D1009", key_node.at, value=key)
            known[1].append(item)
    result = {}
    for key, (index, members) in groups.items():
        value, scope = _merged(m, members, frame) if streams else (_together(m, members), frame)
        found = m.evaluate(pairs[index][1], value, scope)
        if found is not NOTHING:
            result[key] = found
    return result


def _together(m: Machine, members: list[Any]) -> Any:
    """Return the one item of a group, or all of them, their items side by side."""
    if len(members) == 1:
        return members[0]
    result: list[Any] = []
    for item in members:
        if isinstance(item, list):
            m.meter.items(len(item))
            result.extend(item)
        elif item is not NOTHING:
            result.append(item)
    return result


def _merged(m: Machine, members: list[dict[str, Any]], frame: Frame) -> tuple[Any, Frame]:
    """Return the values of the tuples of a group, and a scope where each name has the values of all of them."""
    if len(members) == 1:
        merged = dict(members[0])
    else:
        names: dict[str, None] = {}
        for binding in members:
            names.update(dict.fromkeys(binding))
        m.meter.room(len(members) * len(names))
        merged = {name: _together(m, [each[name] for each in members if name in each]) for name in names}
    value = merged.pop(VALUE)
    return value, Frame(merged, frame)


def ordered(m: Machine, node: Node, values: list[Any], frame: Frame, *, tuples: bool) -> list[Any]:
    """Return the items in the order of the terms of `^(...)`."""
    terms = node.value
    m.meter.room(len(values) * (1 + len(terms)))
    keyed = []
    for item in values:
        value, scope = (item[VALUE], Frame(item, frame)) if tuples else (item, frame)
        keyed.append(([m.evaluate(term, value, scope) for term, _ in terms] if len(values) > 1 else [], item))

    def after(one: Any, other: Any) -> bool:
        for index, (term, descending) in enumerate(terms):
            order = _order(m, one[0][index], other[0][index], term.at)
            if order:
                return (order > 0) != descending if abs(order) == 1 else order > 0
        return False

    found = [item for _, item in merge_sorted(m.meter, keyed, after)]
    return Sequence(found) if isinstance(values, Sequence) and not isinstance(values, Outer) else found


def _order(m: Machine, one: Any, other: Any, at: int) -> int:
    """Return 1 or -1; 2 or -2 where it does not depend on the direction; 0 for equals."""
    if one is NOTHING or other is NOTHING:
        return 0 if one is other else 2 if one is NOTHING else -2
    kinds = kind(one) + kind(other)
    if kinds[0] not in "ns" or kinds[1] not in "ns":
        raise Failure("T2008", at, value=one if kinds[0] not in "ns" else other)
    if kinds[0] != kinds[1]:
        raise Failure("T2007", at, one, other)
    if operators.identical(one, other):
        return 0
    if kinds[0] == "s":
        m.meter.read(min(len(one), len(other)))
    return -1 if one < other else 1
