"""Paths: steps, filters, groups and orders."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from chalicelib.expressions.evaluation.grouping import VALUE, grouped, ordered
from chalicelib.expressions.evaluation.scope import Frame
from chalicelib.expressions.syntax.tree import Node
from chalicelib.expressions.values import (
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
    from chalicelib.expressions.evaluation.evaluator import Machine


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
        result = tuples if node.tuples else Sequence([item[VALUE] for item in tuples])
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
        tuples = Tuples({VALUE: item} for item in values)
    result = Tuples()
    for binding in tuples:
        found = m.evaluate(step, binding[VALUE], Frame(binding, frame))
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
        made[VALUE] = item
    if step.position is not None:
        made[step.position] = place
    if step.ancestor is not None:
        made[step.ancestor.label] = binding[VALUE]
    return made


def _tuple_sort(m: Machine, step: Node, values: Any, tuples: Tuples | None, frame: Frame) -> Tuples:
    if tuples is not None:
        result = Tuples(ordered(m, step, tuples, frame, tuples=True))
    else:
        found = ordered(m, step, values, frame, tuples=False)
        result = Tuples({VALUE: item, step.position or "": place} for place, item in enumerate(found))
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
        value, scope = (item[VALUE], Frame(item, frame)) if streams else (item, frame)
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
