"""What can be known of the value of an expression without evaluating it."""

from __future__ import annotations

from collections.abc import Set
from typing import Final

from chalicelib.asl.export.values.rewrite import parsed
from chalicelib.expressions.syntax.tree import Node

_ALWAYS: Final = frozenset({"literal", "object", "array", "concat", "equality", "membership", "and", "or", "function"})
"""Kinds of expressions that always have a value."""

_ALWAYS_CALLED: Final = frozenset({"exists", "count", "need", "now", "millis", "random", "uuid", "list", "like"})
_CALLED_BOOLEAN: Final = frozenset({"exists", "like"})
_ALWAYS_BOUND: Final = frozenset({"input", "result", "item", "index", "now", "run", "step"})
_BOOLEAN: Final = frozenset({"equality", "membership", "and", "or"})


def has_value(source: str, sure: Set[tuple[str, ...]]) -> bool:
    """Return whether the expression yields a value wherever it does not fail.

    `sure`: paths, such as ("input", "id"), that always have a value.
    """
    tree, bound = parsed(source)
    return _has_value(tree, sure, bound)


def _has_value(tree: Node, sure: Set[tuple[str, ...]], bound: frozenset[str]) -> bool:
    if tree.filters or tree.group:
        return tree.group is not None
    if tree.kind in _ALWAYS:
        return True
    match tree.kind:
        case "variable":
            return (tree.value in _ALWAYS_BOUND or (tree.value,) in sure) and tree.value not in bound
        case "path":
            return _path_of(tree) in sure and tree.items[0].value not in bound
        case "arithmetic" | "comparison":
            return all(_has_value(part, sure, bound) for part in (tree.left, tree.right))
        case "negation":
            return _has_value(tree.left, sure, bound)
        case "condition":
            return len(tree.items) == 3 and all(_has_value(part, sure, bound) for part in tree.items[1:])
        case "block":
            return bool(tree.items) and _has_value(tree.items[-1], sure, bound)
        case "call":
            name = _called(tree)
            return name in _ALWAYS_CALLED or (name in _TOTAL and _has_values(tree.items, sure, bound))
        case _:
            return False


_TOTAL: Final = frozenset(
    "string not boolean length uppercase lowercase trim append merge join type floor ceil round abs partition".split()  # noqa: SIM905
)
"""Functions that have a value for every value."""


def _has_values(parts: list[Node], sure: Set[tuple[str, ...]], bound: frozenset[str]) -> bool:
    return bool(parts) and all(_has_value(part, sure, bound) for part in parts)


def is_boolean(source: str, sure: Set[tuple[str, ...]]) -> bool:
    """Return whether the expression yields true or false wherever it does not fail."""
    tree, bound = parsed(source)
    return _is_boolean(tree, sure, bound)


def _is_boolean(tree: Node, sure: Set[tuple[str, ...]], bound: frozenset[str]) -> bool:
    if tree.filters or tree.group:
        return False
    if tree.kind in _BOOLEAN:
        return True
    if tree.kind == "literal":
        return isinstance(tree.value, bool)
    if tree.kind == "block":
        return bool(tree.items) and _is_boolean(tree.items[-1], sure, bound)
    if tree.kind == "comparison":
        return _has_value(tree, sure, bound)
    name = _called(tree) if tree.kind == "call" else ""
    return name in _CALLED_BOOLEAN or (name in ("not", "boolean") and _has_values(tree.items, sure, bound))


def is_list(source: str) -> bool:
    """Return whether the expression yields a list, and must not be put into another one."""
    tree, _ = parsed(source)
    if tree.kind == "array":
        return True
    if tree.kind != "call":
        return False
    name = _called(tree)
    if name == "need":
        return len(tree.items) == 2 and tree.items[1].kind == "literal" and tree.items[1].value == "array"
    return name in ("list", "partition", "append")


def path_in(source: str) -> tuple[str, ...] | None:
    """Return the names of an expression that is a plain path from a variable: ("error", "name"); None for others."""
    tree, bound = parsed(source)
    if tree.kind == "variable" and not tree.filters and not tree.group and tree.value not in bound:
        return (tree.value,)
    return _path_of(tree) if tree.kind == "path" and tree.items[0].value not in bound else None


def _path_of(tree: Node) -> tuple[str, ...] | None:
    first, *others = tree.items
    if first.kind != "variable" or any(step.kind != "name" for step in others) or tree.keep_singleton:
        return None
    if any(step.filters or step.stages or step.keep or step.group for step in tree.items):
        return None
    return (first.value, *(step.value for step in others))


def compared_names(source: str) -> tuple[str, tuple[str, ...]] | None:
    """Return the path and the texts or numbers that a condition compares it with: `$error.name = "X"`, `in [...]`."""
    return _all_compared(parsed(source)[0])


def _all_compared(tree: Node) -> tuple[str, tuple[str, ...]] | None:
    while tree.kind == "block" and len(tree.items) == 1:
        tree = tree.items[0]
    if tree.kind == "or":
        parts = [_compared(part) for part in _alternatives(tree)]
        paths = {part[0] for part in parts if part}
        if None in parts or len(paths) != 1:
            return None
        return paths.pop(), tuple(text for part in parts if part for text in part[1])
    return _compared(tree)


def excluded_names(source: str) -> tuple[str, tuple[str, ...]] | None:
    """Return the path and the texts that a condition excludes: `$not($error.name = "X")`, `$error.name != "X"`."""
    tree, _ = parsed(source)
    while tree.kind == "block" and len(tree.items) == 1:
        tree = tree.items[0]
    if tree.kind == "call" and _called(tree) == "not" and len(tree.items) == 1:
        return _all_compared(tree.items[0])
    if tree.kind == "equality" and tree.value == "!=" and tree.left.kind == "path" and tree.right.kind == "literal":
        path = _path_of(tree.left)
        return (".".join(path), (str(tree.right.value),)) if path else None
    return None


def _alternatives(tree: Node) -> list[Node]:
    if tree.kind == "block" and len(tree.items) == 1:
        return _alternatives(tree.items[0])
    return [*_alternatives(tree.left), *_alternatives(tree.right)] if tree.kind == "or" else [tree]


def _compared(tree: Node) -> tuple[str, tuple[str, ...]] | None:
    is_equal = tree.kind == "equality" and tree.value == "="
    if not is_equal and tree.kind != "membership":
        return None
    path = _path_of(tree.left) if tree.left.kind == "path" else None
    right = tree.right
    values = right.items if right.kind == "array" else [right]
    if path is None or not values or any(one.kind != "literal" for one in values):
        return None
    if not all(isinstance(one.value, (str, int)) and not isinstance(one.value, bool) for one in values):
        return None
    if is_equal and right.kind == "array":
        return None
    return ".".join(path), tuple(str(one.value) for one in values)


def _called(tree: Node) -> str:
    return str(tree.left.value) if tree.left.kind == "variable" else ""
