"""Tree and names -> value.

One rule for each kind of node. Every evaluation of a node is one step of the meter and one level of depth; rules and
functions charge for the items and characters that they visit.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping
from typing import Any, Final

from chalicelib.expressions.draw import Draw, Stream
from chalicelib.expressions.errors import Failure
from chalicelib.expressions.evaluation import calls, grouping, members, operators, paths, transforms
from chalicelib.expressions.evaluation.scope import Frame
from chalicelib.expressions.meter import MAX_DEPTH, Meter
from chalicelib.expressions.syntax.tree import Node
from chalicelib.expressions.values import NOTHING, Constructed, Outer, Sequence, member, truth

Rule = Callable[["Machine", Node, Any, Frame], Any]


class Machine:
    """One evaluation: its meter, its depth, and what it draws its time and random bytes from."""

    __slots__ = ("_draw", "_stream", "functions", "level", "meter", "patterns", "shadowed")

    def __init__(self, meter: Meter, functions: Mapping[str, Any], shadowed: Container[str], draw: Draw) -> None:
        self.meter, self.level = meter, 0
        self.functions, self.shadowed = functions, shadowed
        self._draw = draw
        self.patterns: set[int] = set()
        self._stream: Stream | None = None

    @property
    def millis(self) -> int:
        """The time of the evaluation."""
        return self._draw.millis

    @property
    def stream(self) -> Stream:
        """The random bytes of the evaluation."""
        if self._stream is None:
            self._stream = self._draw.stream()
        return self._stream

    def evaluate(self, node: Node, value: Any, frame: Frame) -> Any:
        """Return the value of the node, where `$` is `value`."""
        meter = self.meter
        meter.left -= 1
        if meter.left < 0:
            meter.look()
        self.level += 1
        if self.level > MAX_DEPTH:
            raise Failure("L0008", node.at)
        result = RULES[node.kind](self, node, value, frame)
        if node.filters is not None:
            for predicate in node.filters:
                result = paths.filtered(self, predicate, result, frame)
        if node.group is not None and node.kind != "path":
            result = grouping.grouped(self, node.group, result, frame)
        if isinstance(result, Sequence) and type(result) is Sequence:
            if node.keep:
                result.keep = True
            if not result:
                result = NOTHING
            elif len(result) == 1 and not result.keep:
                result = result[0]
        self.level -= 1
        return result

    def truth(self, value: Any) -> bool:
        """Return the boolean that JSONata makes of a value."""
        return bool(value) if value is True or value is False else truth(value, self.meter)


def _literal(_m: Machine, node: Node, _value: Any, _frame: Frame) -> Any:
    return node.value


def _variable(_m: Machine, node: Node, value: Any, frame: Frame) -> Any:
    if node.value == "":
        return value[0] if isinstance(value, Outer) else value
    return frame.find(node.value)


def _name(m: Machine, node: Node, value: Any, _frame: Frame) -> Any:
    return member(value, node.value, m.meter)


def _parent(_m: Machine, node: Node, _value: Any, frame: Frame) -> Any:
    return frame.find(node.value.label)


def _block(m: Machine, node: Node, value: Any, frame: Frame) -> Any:
    inner = Frame({}, frame)
    result: Any = NOTHING
    for part in node.items:
        result = m.evaluate(part, value, inner)
    return result


def _bind(m: Machine, node: Node, value: Any, frame: Frame) -> Any:
    result = m.evaluate(node.right, value, frame)
    m.meter.bytes(64)
    frame.names[node.value] = result
    return result


def _condition(m: Machine, node: Node, value: Any, frame: Frame) -> Any:
    if m.truth(m.evaluate(node.items[0], value, frame)):
        return m.evaluate(node.items[1], value, frame)
    return m.evaluate(node.items[2], value, frame) if len(node.items) > 2 else NOTHING


def _default(m: Machine, node: Node, value: Any, frame: Frame) -> Any:
    left = m.evaluate(node.left, value, frame)
    return left if m.truth(left) else m.evaluate(node.right, value, frame)


def _coalesce(m: Machine, node: Node, value: Any, frame: Frame) -> Any:
    left = m.evaluate(node.left, value, frame)
    return left if left is not NOTHING else m.evaluate(node.right, value, frame)


def _and(m: Machine, node: Node, value: Any, frame: Frame) -> bool:
    return m.truth(m.evaluate(node.left, value, frame)) and m.truth(m.evaluate(node.right, value, frame))


def _or(m: Machine, node: Node, value: Any, frame: Frame) -> bool:
    return m.truth(m.evaluate(node.left, value, frame)) or m.truth(m.evaluate(node.right, value, frame))


def _array(m: Machine, node: Node, value: Any, frame: Frame) -> list[Any]:
    result: list[Any] = Constructed() if node.constructs else []
    m.meter.items(len(node.items))
    for part in node.items:
        item = m.evaluate(part, value, frame)
        if item is NOTHING:
            continue
        if isinstance(item, list) and part.kind != "array":
            m.meter.items(len(result) + len(item))
            result.extend(item)
        else:
            result.append(item)
    return result


def _object(m: Machine, node: Node, value: Any, frame: Frame) -> Any:
    return grouping.grouped(m, node.value, value, frame)


def _range(m: Machine, node: Node, value: Any, frame: Frame) -> Any:
    left, right = m.evaluate(node.left, value, frame), m.evaluate(node.right, value, frame)
    return operators.span(m, left, right, node.at)


def _arithmetic(m: Machine, node: Node, value: Any, frame: Frame) -> Any:
    left, right = m.evaluate(node.left, value, frame), m.evaluate(node.right, value, frame)
    return operators.arithmetic(left, right, node.value, node.at)


def _comparison(m: Machine, node: Node, value: Any, frame: Frame) -> Any:
    left, right = m.evaluate(node.left, value, frame), m.evaluate(node.right, value, frame)
    return operators.compared(m, left, right, node.value, node.at)


def _equality(m: Machine, node: Node, value: Any, frame: Frame) -> bool:
    left, right = m.evaluate(node.left, value, frame), m.evaluate(node.right, value, frame)
    if left is NOTHING or right is NOTHING:
        return False
    return operators.equal(left, right, m.meter) is (node.value == "=")


def _membership(m: Machine, node: Node, value: Any, frame: Frame) -> bool:
    left, right = m.evaluate(node.left, value, frame), m.evaluate(node.right, value, frame)
    return operators.contained(m, left, right)


def _concat(m: Machine, node: Node, value: Any, frame: Frame) -> str:
    left, right = m.evaluate(node.left, value, frame), m.evaluate(node.right, value, frame)
    return operators.joined(m, left, right)


def _negation(m: Machine, node: Node, value: Any, frame: Frame) -> Any:
    return operators.negated(m.evaluate(node.left, value, frame), node.at)


def _wildcard(m: Machine, _node: Node, value: Any, _frame: Frame) -> Any:
    return members.every_member(m, value)


def _descendants(m: Machine, _node: Node, value: Any, _frame: Frame) -> Any:
    return members.descendants(m, value)


def _path(m: Machine, node: Node, value: Any, frame: Frame) -> Any:
    return paths.plain_path(m, node, value, frame) if node.plain else paths.path(m, node, value, frame)


def _sort(m: Machine, node: Node, value: Any, frame: Frame) -> Any:
    return grouping.ordered(m, node, value if isinstance(value, list) else [value], frame, tuples=False)


def _regex(_m: Machine, node: Node, _value: Any, _frame: Frame) -> Any:
    pattern = node.value
    if isinstance(pattern, tuple):
        from chalicelib.expressions.patterns import Pattern

        pattern = node.value = Pattern(pattern[0], pattern[1], node.at)
    return pattern


RULES: Final[dict[str, Rule]] = {
    "literal": _literal,
    "variable": _variable,
    "name": _name,
    "path": _path,
    "block": _block,
    "bind": _bind,
    "condition": _condition,
    "default": _default,
    "coalesce": _coalesce,
    "and": _and,
    "or": _or,
    "array": _array,
    "object": _object,
    "range": _range,
    "arithmetic": _arithmetic,
    "comparison": _comparison,
    "equality": _equality,
    "membership": _membership,
    "concat": _concat,
    "negation": _negation,
    "wildcard": _wildcard,
    "descendants": _descendants,
    "parent": _parent,
    "sort": _sort,
    "regex": _regex,
    "call": calls.call,
    "thunk": calls.thunk,
    "partial": calls.partial,
    "function": calls.function,
    "apply": calls.applied,
    "transform": transforms.transform,
}
