"""Transforms: `|pattern|update, delete|`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from chalicelib.expressions.errors import Failure
from chalicelib.expressions.evaluation.scope import Frame
from chalicelib.expressions.meter import FUNCTION_BYTES
from chalicelib.expressions.syntax.tree import Node
from chalicelib.expressions.values import MAX_DEPTH, NOTHING, Function, kind

if TYPE_CHECKING:
    from chalicelib.expressions.evaluation.evaluator import Machine


class Transformer(Function):
    """The function of `|pattern|update, delete|`."""

    __slots__ = ("frame", "node")
    arity = 1

    def __init__(self, node: Node, frame: Frame) -> None:
        self.node, self.frame = node, frame

    def applied(self, m: Machine, args: list[Any], _value: Any) -> Any:
        target = args[0] if args else NOTHING
        if target is NOTHING:
            return NOTHING
        if kind(target) not in "oa":
            raise Failure("T0410", value=1)
        pattern, update = self.node.items[:2]
        own: set[int] = set()
        result = copied(m, target, own)
        matches = m.evaluate(pattern, result, self.frame)
        if matches is NOTHING:
            return result
        for match in matches if isinstance(matches, list) else [matches]:
            if isinstance(match, dict) and id(match) not in own:
                continue  # a value of a variable, which is not the transform's to change
            changes = m.evaluate(update, match, self.frame)
            if changes is not NOTHING:
                if not isinstance(changes, dict):
                    raise Failure("T2011", update.at, value=changes)
                if isinstance(match, dict):
                    m.meter.items(len(changes))
                    match.update(changes)
            for deleted in self.node.items[2:]:
                _delete(m, match, m.evaluate(deleted, match, self.frame), deleted.at)
        return result


def transform(m: Machine, node: Node, _value: Any, frame: Frame) -> Any:
    """Return the function that a transform is."""
    m.meter.bytes(FUNCTION_BYTES)
    return Transformer(node, frame)


def _delete(m: Machine, match: Any, names: Any, at: int) -> None:
    if names is NOTHING:
        return
    listed = names if isinstance(names, list) else [names]
    m.meter.visit(len(listed))
    if any(not isinstance(name, str) for name in listed):
        raise Failure("T2012", at, value=names)
    if isinstance(match, dict):
        for name in listed:
            match.pop(name, None)


def copied(m: Machine, value: Any, own: set[int] | None = None, depth: int = 0) -> Any:
    """Return a copy of the value with arrays and objects of its own. The ids of the objects are added to `own`."""
    if depth >= MAX_DEPTH:
        raise Failure("L0002")
    if isinstance(value, list):
        m.meter.items(len(value))
        return [copied(m, item, own, depth + 1) if isinstance(item, (list, dict)) else item for item in value]
    if isinstance(value, dict):
        m.meter.room(2 * len(value))
        made = {
            name: copied(m, item, own, depth + 1) if isinstance(item, (list, dict)) else item
            for name, item in value.items()
        }
        if own is not None:
            own.add(id(made))
        return made
    return value
