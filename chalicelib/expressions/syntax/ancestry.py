"""Which step each `%` refers to.

A `%` is a Slot, which rises from the part that mentions it to the path around it, until it reaches the step that has
this input. That step then binds the label of the slot, and `%` is a variable of that name.
"""

from __future__ import annotations

from chalicelib.expressions.errors import Failure
from chalicelib.expressions.syntax.tree import Node, Slot


def pass_on(outer: Node, *parts: Node) -> None:
    """Add to `outer` the slots that are sought within its parts."""
    for part in parts:
        slots = part.seeking or []
        if part.kind == "parent":
            slots = [*slots, part.value]
        if slots:
            outer.seeking = [*(outer.seeking or []), *slots]


def resolve(path: Node) -> None:
    """Find the steps of the path that the slots of its last step refer to; those beyond its start are passed on."""
    last = path.items[-1]
    slots = list(last.seeking or [])
    if last.kind == "parent":
        slots.append(last.value)
    for slot in slots:
        index = len(path.items) - 2
        while slot.level > 0:
            if index < 0:
                path.seeking = [*(path.seeking or []), slot]
                break
            step = path.items[index]
            index -= 1
            while index >= 0 and step.focus and path.items[index].focus:
                step = path.items[index]
                index -= 1
            slot = _seek(step, slot)


def resolve_in_filter(step: Node, predicate: Node) -> None:
    """Find what the slots within a filter of the step refer to: the step itself, or what is before it."""
    for slot in predicate.seeking or ():
        if slot.level == 1:
            _seek(step, slot)
        else:
            slot.level -= 1
    pass_on(step, predicate)


def _seek(node: Node, slot: Slot) -> Slot:
    if node.kind in ("name", "wildcard"):
        slot.level -= 1
        if slot.level == 0:
            if node.ancestor is not None:
                slot.label = node.ancestor.label
            node.ancestor = slot
            node.tuples = True
    elif node.kind == "parent":
        slot.level += 1
    elif node.kind == "block":
        if node.items:
            node.tuples = True
            slot = _seek(node.items[-1], slot)
    elif node.kind == "path":
        node.tuples = True
        index = len(node.items) - 1
        slot = _seek(node.items[index], slot)
        while slot.level > 0 and index > 0:
            index -= 1
            slot = _seek(node.items[index], slot)
    else:
        raise Failure("S0217", node.at, node.kind)
    return slot
