"""Small expressions over single values, as Python functions: conditions, members, sums, texts.

Theory of operation. A tree of at most MAX_NODES nodes of the kinds in `_MAKERS` becomes one function of the names. It
computes only what is plain: members of objects, texts that are short, numbers, booleans, null. Wherever it meets
anything else (a list, an object as a result, an error, a large number) it raises `Unusual`, and the whole expression is
evaluated in full. So results and errors are those of `evaluation`, and only what is plain is quicker. It takes at most
one step for each node, and does nothing else that could take long.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any, Final, Protocol, TypeAlias

from chalicelib.expressions.names import NAMES
from chalicelib.expressions.syntax.tree import Node
from chalicelib.expressions.values import EXACT, NOTHING, Nothing

MAX_NODES: Final = 64
"""Nodes of a small expression."""

_MAX_TEXT: Final = 1_000
"""Characters of a text that is read or made."""


class Lookup(Protocol):
    """What gives the value of a name. Raises KeyError for a name that has none."""

    def __getitem__(self, name: str, /) -> Any: ...


Quick: TypeAlias = Callable[[Lookup], Any]


class Unusual(Exception):
    """The expression meets what only a full evaluation handles."""


_UNUSUAL: Final = Unusual()
_SCALARS: Final = frozenset({str, int, float, bool, type(None), Nothing})
_NUMBERS: Final = frozenset({int, float})
_BOOLEAN: Final = frozenset({"comparison", "equality", "and", "or"})
"""The kinds of nodes that yield true or false."""


def quick(tree: Node) -> Quick | None:
    """Return the expression as a function of its names; None if it is none of the small ones.

    The function raises Unusual where only a full evaluation yields the result.
    """
    made = _made(tree)
    if made is None or tree.kind in _BOOLEAN:
        return made
    return _checked(made)


def _checked(made: Quick) -> Quick:
    def result(names: Lookup) -> Any:
        value = made(names)
        kind = type(value)
        if kind is bool or value is None or value is NOTHING:
            return value
        if (kind is str and len(value) <= _MAX_TEXT and value.isascii()) or kind is int:
            return value
        if kind is float and value - value == 0:
            return value
        raise _UNUSUAL

    return result


def _made(node: Node) -> Quick | None:
    if node.filters is not None or node.group is not None or node.keep or node.stages is not None:
        return None
    maker = _MAKERS.get(node.kind)
    return maker(node) if maker is not None else None


def _parts(*nodes: Node) -> list[Quick] | None:
    """Return the functions of the nodes; None unless each has one."""
    made: list[Quick] = []
    for node in nodes:
        one = _made(node)
        if one is None:
            return None
        made.append(one)
    return made


def _literal(node: Node) -> Quick | None:
    value = node.value
    return (lambda _names: value) if type(value) in _SCALARS else None


def _path(node: Node) -> Quick | None:
    first, *steps = node.items
    if not node.plain or first.kind != "variable" or first.value not in NAMES:
        return None
    name = first.value
    members = tuple(step.value for step in steps)
    if len(members) == 1:
        only = members[0]

        def member(names: Lookup) -> Any:
            value = names[name]
            if type(value) is dict:
                return value.get(only, NOTHING)
            if type(value) in _SCALARS:
                return NOTHING
            raise _UNUSUAL

        return member

    def path(names: Lookup) -> Any:
        value = names[name]
        for member in members:
            if type(value) is dict:
                value = value.get(member, NOTHING)
            elif type(value) in _SCALARS:
                return NOTHING
            else:
                raise _UNUSUAL
        return value

    return path


def _variable(node: Node) -> Quick | None:
    name = node.value
    return (lambda names: names[name]) if name in NAMES else None  # others are functions: a Lookup lacks them


def _block(node: Node) -> Quick | None:
    return _made(node.items[0]) if len(node.items) == 1 and not node.constructs else None


_COMPARED: Final[dict[str, Callable[[Any, Any], Any]]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


def _comparison(node: Node) -> Quick | None:
    parts = _parts(node.left, node.right)
    if parts is None:
        return None
    left, right = parts
    compare = _COMPARED[node.value]
    if node.right.kind == "literal" and type(node.right.value) in _NUMBERS:
        return _compared_with(left, compare, node.right.value)

    def compared(names: Lookup) -> Any:
        one, other = left(names), right(names)
        if type(one) in _NUMBERS and type(other) in _NUMBERS:
            return compare(one, other)
        if type(one) is str and type(other) is str and len(one) <= _MAX_TEXT:
            return compare(one, other)
        raise _UNUSUAL

    return compared


def _compared_with(left: Quick, compare: Callable[[Any, Any], Any], number: float) -> Quick:
    def compared(names: Lookup) -> Any:
        one = left(names)
        if type(one) in _NUMBERS:
            return compare(one, number)
        raise _UNUSUAL

    return compared


def _equality(node: Node) -> Quick | None:
    parts = _parts(node.left, node.right)
    if parts is None:
        return None
    left, right = parts
    wanted = node.value == "="

    def equal(names: Lookup) -> bool:
        one, other = left(names), right(names)
        if one is NOTHING or other is NOTHING:
            return False
        kind, other_kind = type(one), type(other)
        if kind not in _SCALARS or other_kind not in _SCALARS or (kind is str and len(one) > _MAX_TEXT):
            raise _UNUSUAL
        is_same = kind is other_kind or (kind in _NUMBERS and other_kind in _NUMBERS)
        return (is_same and bool(one == other)) is wanted

    return equal


def _and(node: Node) -> Quick | None:
    parts = _parts(node.left, node.right)
    if parts is None:
        return None
    left, right = parts
    return lambda names: _truth(left(names)) and _truth(right(names))


def _or(node: Node) -> Quick | None:
    parts = _parts(node.left, node.right)
    if parts is None:
        return None
    left, right = parts
    return lambda names: _truth(left(names)) or _truth(right(names))


def _truth(value: Any) -> bool:
    if type(value) in _SCALARS:
        return bool(value)
    raise _UNUSUAL


def _condition(node: Node) -> Quick | None:
    parts = _parts(*node.items)
    if parts is None:
        return None
    test, yes = parts[:2]
    no: Quick = parts[2] if len(parts) > 2 else lambda _names: NOTHING
    return lambda names: yes(names) if _truth(test(names)) else no(names)


_COMPUTED: Final[dict[str, Callable[[int, int], int]]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
}


def _arithmetic(node: Node) -> Quick | None:
    parts = _parts(node.left, node.right)
    compute = _COMPUTED.get(node.value)
    if parts is None or compute is None:
        return None
    left, right = parts

    def computed(names: Lookup) -> int:
        one, other = left(names), right(names)
        if type(one) is int and type(other) is int and -EXACT <= one <= EXACT and -EXACT <= other <= EXACT:
            result = compute(one, other)
            if -EXACT <= result <= EXACT:
                return result
        raise _UNUSUAL

    return computed


def _concat(node: Node) -> Quick | None:
    parts = _parts(node.left, node.right)
    if parts is None:
        return None
    left, right = parts
    return lambda names: _text(left(names)) + _text(right(names))


def _text(value: Any) -> str:
    kind = type(value)
    if kind is str and len(value) <= _MAX_TEXT:
        return str(value)
    if value is NOTHING:
        return ""
    if kind is int and -EXACT <= value <= EXACT:
        return str(value)
    raise _UNUSUAL


_MAKERS: Final[dict[str, Callable[[Node], Quick | None]]] = {
    "literal": _literal,
    "path": _path,
    "variable": _variable,
    "block": _block,
    "comparison": _comparison,
    "equality": _equality,
    "and": _and,
    "or": _or,
    "condition": _condition,
    "arithmetic": _arithmetic,
    "concat": _concat,
}
