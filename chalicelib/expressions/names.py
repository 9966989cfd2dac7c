"""The names that an expression uses, and those that it may."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

from chalicelib.expressions.meter import may_suggest
from chalicelib.model.similar_names import nearest

if TYPE_CHECKING:
    from chalicelib.expressions.syntax.lexer import Token
    from chalicelib.expressions.syntax.tree import Node

NAMES: Final = frozenset(
    "input vars result state error event item index now run step response scheduled config".split()  # noqa: SIM905
)
"""What FSL binds."""

ABSENT: Final = {"eval": "an expression cannot evaluate texts"}
"""What JSONata has and this package has not, and why."""

_SHOWN: Final = 40
_MAX_KNOWN: Final = 500
"""Names among which one that is similar to an unknown name is looked for."""


def unknown(variables: list[Token], known: frozenset[str]) -> Token | None:
    """Return the first variable that is not known."""
    for token in variables:
        if token.value not in known and token.value not in ("", "$"):
            return token
    return None


def suggestion(name: str, known: frozenset[str]) -> str:
    """Return what is wrong with a name that is not known, and which one is close to it."""
    if name in ABSENT:
        return f"${name} is not available: {ABSENT[name]}"
    near = nearest(name[:_SHOWN], sorted(known)[:_MAX_KNOWN]) if may_suggest() else None
    shown = name if len(name) <= _SHOWN else f"{name[:_SHOWN]}..."
    return f"${shown} is not bound here" + (f"; did you mean ${near}?" if near else "")


def finish(tree: Node) -> None:
    """Mark the paths that are plain names, which are evaluated directly."""
    for node in _nodes(tree):
        if node.kind == "path":
            node.plain = _is_plain(node)


def members_used(tree: Node) -> frozenset[tuple[str, ...]]:
    """Return each variable that the expression reads, with the names of members that follow it."""
    found: set[tuple[str, ...]] = set()
    leading: set[int] = set()
    for node in _nodes(tree):
        if node.kind == "path" and node.items[0].kind == "variable":
            leading.add(id(node.items[0]))
            found.add(_leading_names(node))
        elif node.kind == "variable" and id(node) not in leading:
            found.add((node.value,))
    return frozenset(found)


def _leading_names(path: Node) -> tuple[str, ...]:
    names = [path.items[0].value]
    for step in path.items[1:]:
        if step.kind != "name":
            break
        names.append(step.value)
    return tuple(names)


def _is_plain(path: Node) -> bool:
    if path.group is not None or path.keep_singleton or path.tuples or path.keep:
        return False
    return all(
        (step.kind == "name" or (index == 0 and step.kind == "variable"))
        and not (step.stages or step.filters or step.tuples or step.keep or step.group)
        for index, step in enumerate(path.items)
    )


def _nodes(tree: Node) -> Iterator[Node]:
    """Yield every node, parents before what is below them."""
    waiting = [tree]
    while waiting:
        node = waiting.pop()
        yield node
        for part in (node.left, node.right):
            if part is not None:
                waiting.append(part)
        waiting.extend(node.items or ())
        waiting.extend(node.filters or ())
        if isinstance(node.value, list):
            waiting.extend(_flat(node.value))
        if node.stages:
            waiting.extend(argument for stage, argument in node.stages if stage == "filter")
        if node.group:
            waiting.extend(_flat(node.group))


def _flat(pairs: list[Any]) -> Iterator[Node]:
    for pair in pairs:
        for part in pair:
            if not isinstance(part, bool):
                yield part
