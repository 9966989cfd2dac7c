"""Paths: steps, filters, groups and orders."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from chalicelib.expressions import operators
from chalicelib.expressions.errors import Failure
from chalicelib.expressions.scope import Frame
from chalicelib.expressions.sorting import merge_sorted
from chalicelib.expressions.tree import Node
from chalicelib.expressions.values import (
    MAX_DEPTH,
    NOTHING,
    Constructed,
    Outer,
    Sequence,
    Tuples,
    kind,
    member,
    number,
)

if TYPE_CHECKING:
    from chalicelib.expressions.evaluator import Machine

_VALUE = "@"
"""The member of a tuple that is its value; the others are what its steps have bound."""


def plain_path(m: Machine, node: Node, value: Any, frame: Frame) -> Any:
    """Return the value of a path of names, which may begin with a variable: the common case."""
    steps = node.items
    first = steps[0]
    index = 0
    if first.kind == "variable":
        index = 1
        if first.value:
            value = frame.find(first.value)
        elif isinstance(value, Outer):
            value = value[0]
    m.meter.spend(len(steps))
    last = len(steps) - 1
    while index <= last:
        if isinstance(value, dict):
            value = value.get(steps[index].value, NOTHING)
        elif isinstance(value, list):
            value = _mapped_name(m, steps[index].value, value, last=index == last)
        else:
            return NOTHING
        index += 1
    return value


def _mapped_name(m: Machine, name: str, values: list[Any], *, last: bool) -> Any:
    """Return what a step finds in a list: as a sequence, or as it is where that is one list at the end of a path."""
    m.meter.items(len(values))
    found: list[Any] = []
    for item in values:
        if isinstance(item, dict):
            if name in item:
                found.append(item[name])
        elif isinstance(item, list):
            inner = member(item, name, m.meter)
            if inner:
                found.append(inner[0] if len(inner) == 1 else inner)
    return _flattened(m, found, last=last)


def _flattened(m: Machine, found: list[Any], *, last: bool) -> Any:
    if last and len(found) == 1 and isinstance(found[0], list) and not isinstance(found[0], Sequence):
        return found[0]
    result = Sequence()
    for item in found:
        if isinstance(item, list) and not isinstance(item, Constructed):
            m.meter.items(len(item))
            result.extend(item)
        elif item is not NOTHING:
            result.append(item)
    m.meter.items(len(result))
    return result


def named(m: Machine, name: str, value: Any) -> Any:
    """Return the value of a name as a step."""
    return member(value, name, m.meter)


def path(m: Machine, node: Node, value: Any, frame: Frame) -> Any:
    """Return the value of any path."""
    steps = node.items
    values: Any = value if isinstance(value, list) and steps[0].kind != "variable" else Sequence((value,))
    result: Any = NOTHING
    tuples: Tuples | None = None
    last = len(steps) - 1
    for index, step in enumerate(steps):
        if tuples is not None or step.tuples:
            result = tuples = _tuple_step(m, step, values, tuples, frame)
        else:
            result = _plain_step(m, step, index, values, frame, last=index == last)
            if result is NOTHING or not result:
                break
        if step.focus is None:
            values = result
    return _collected(m, node, result, tuples, frame)


def _plain_step(m: Machine, step: Node, index: int, values: Any, frame: Frame, *, last: bool) -> Any:
    if index > 0 or not step.constructs:
        return _step(m, step, values, frame, last=last)
    result = m.evaluate(step, values, frame)
    return result if last or isinstance(result, list) else NOTHING


def _collected(m: Machine, node: Node, result: Any, tuples: Tuples | None, frame: Frame) -> Any:
    """Return what the last step of a path found: its values without their bindings, kept or grouped."""
    if tuples is not None:
        m.meter.room(len(tuples))
        result = tuples if node.tuples else Sequence([item[_VALUE] for item in tuples])
    if node.keep_singleton and isinstance(result, list):
        if isinstance(result, Constructed):
            result = Sequence((result,))
        if isinstance(result, Sequence):
            result.keep = True
    if node.group is not None:
        return grouped(m, node.group, tuples if tuples is not None else result, frame)
    return result


def _step(m: Machine, step: Node, values: list[Any], frame: Frame, *, last: bool) -> Any:
    if step.kind == "sort":
        result = ordered(m, step, values, frame, tuples=False)
        return _staged(m, step, result, frame) if step.stages is not None else result
    m.meter.items(len(values))
    found = []
    for item in values:
        result = m.evaluate(step, item, frame)
        if step.stages is not None:
            for _, predicate in step.stages:
                result = filtered(m, predicate, result, frame)
        if result is not NOTHING:
            found.append(result)
    return _flattened(m, found, last=last)


def _tuple_step(m: Machine, step: Node, values: Any, tuples: Tuples | None, frame: Frame) -> Tuples:
    if step.kind == "sort":
        return _tuple_sort(m, step, values, tuples, frame)
    if tuples is None:
        tuples = Tuples({_VALUE: item} for item in values)
    result = Tuples()
    for binding in tuples:
        found = m.evaluate(step, binding[_VALUE], Frame(binding, frame))
        if found is NOTHING:
            continue
        items = found if isinstance(found, list) else [found]
        m.meter.room(len(items) * (6 + len(binding)))
        for place, item in enumerate(items):
            result.append(_bound(step, binding, item, place, joined=isinstance(found, Tuples)))
    m.meter.items(len(result))
    if step.stages is not None:
        return _staged(m, step, result, frame)  # type: ignore[no-any-return]
    return result


def _bound(step: Node, binding: dict[str, Any], item: Any, place: int, *, joined: bool) -> dict[str, Any]:
    made = dict(binding)
    if joined:
        made.update(item)
        return made
    if step.focus is not None:
        made[step.focus] = item
    else:
        made[_VALUE] = item
    if step.position is not None:
        made[step.position] = place
    if step.ancestor is not None:
        made[step.ancestor.label] = binding[_VALUE]
    return made


def _tuple_sort(m: Machine, step: Node, values: Any, tuples: Tuples | None, frame: Frame) -> Tuples:
    if tuples is not None:
        result = Tuples(ordered(m, step, tuples, frame, tuples=True))
    else:
        found = ordered(m, step, values, frame, tuples=False)
        result = Tuples({_VALUE: item, step.position or "": place} for place, item in enumerate(found))
    m.meter.room(2 * len(result))
    return _staged(m, step, result, frame) if step.stages is not None else result


def _staged(m: Machine, step: Node, values: Any, frame: Frame) -> Any:
    for stage, argument in step.stages or ():
        if stage == "filter":
            values = filtered(m, argument, values, frame)
        else:
            m.meter.items(len(values))
            for place, binding in enumerate(values):
                binding[argument] = place
    return values


def filtered(m: Machine, predicate: Node, values: Any, frame: Frame) -> Any:
    """Return the items for which the predicate holds, or those at the places that it yields."""
    streams = isinstance(values, Tuples)
    items = values if isinstance(values, list) else [values]
    result: Any = Tuples() if streams else Sequence()
    if predicate.kind == "literal" and kind(predicate.value) == "n" and not predicate.filters:
        place = _place(predicate.value, len(items))
        if place is None or items[place] is NOTHING:
            return result
        if isinstance(items[place], list):
            return items[place]
        result.append(items[place])
        return result
    m.meter.items(len(items))
    for place, item in enumerate(items):
        value, scope = (item[_VALUE], Frame(item, frame)) if streams else (item, frame)
        if _selects(m, m.evaluate(predicate, value, scope), place, len(items), item, result):
            result.append(item)
    return result


def _selects(m: Machine, found: Any, place: int, count: int, item: Any, result: list[Any]) -> bool:
    """Whether the item is selected once; adds it to the result itself where places select it."""
    if found is True or found is False:
        return bool(found)
    letter = kind(found)
    if letter == "n":
        return _place(found, count) == place
    if letter != "a" or not _are_numbers(m, found):
        return m.truth(found)
    for chosen in found:
        if _place(chosen, count) == place:
            result.append(item)
    return False


def _are_numbers(m: Machine, values: list[Any]) -> bool:
    m.meter.spend(1 + len(values) // 4)
    return all(kind(item) == "n" for item in values)


def _place(value: float, count: int) -> int | None:
    place = int(number(value // 1))
    if place < 0:
        place += count
    return place if 0 <= place < count else None


def grouped(m: Machine, pairs: list[tuple[Node, Node]], values: Any, frame: Frame) -> dict[str, Any]:
    """Return the object of `{key: value, ...}`: one member for each key, its value over all items with that key."""
    streams = isinstance(values, Tuples)
    items = values if isinstance(values, list) else [values]
    groups: dict[str, tuple[int, list[Any]]] = {}
    m.meter.room(len(items) * len(pairs) * 2)
    for item in items or [NOTHING]:
        value, scope = (item[_VALUE], Frame(item, frame)) if streams else (item, frame)
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
    value = merged.pop(_VALUE)
    return value, Frame(merged, frame)


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


def ordered(m: Machine, node: Node, values: list[Any], frame: Frame, *, tuples: bool) -> list[Any]:
    """Return the items in the order of the terms of `^(...)`."""
    terms = node.value
    m.meter.room(len(values) * (1 + len(terms)))
    keyed = []
    for item in values:
        value, scope = (item[_VALUE], Frame(item, frame)) if tuples else (item, frame)
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
