"""What an expression reads, judged without the names of FSL: for languages that embed JSONata too."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from chalicelib.expressions.compiled import allow_frames
from chalicelib.expressions.errors import Failure
from chalicelib.expressions.functions import builtins
from chalicelib.expressions.messages import reason
from chalicelib.expressions.syntax.parser import Parser
from chalicelib.expressions.syntax.tree import Node

_Name = TypeVar("_Name", str, tuple[str, ...])

_CONTEXT: Final = {"name": None, "wildcard": "*", "descendants": "**", "parent": "%"}
"""The nodes that read the context where they are, and how they are written where not by their own name."""


@dataclass(frozen=True, slots=True)
class Outline:
    """What an expression reads from outside. Offsets are in its source.

    Attributes:
        problem: The offset and the words of the first thing that cannot be read; None where all can.
        variables: The variables that it does not bind itself and that are no functions, each with the names of members
            that follow: `$a.b` is (("a", "b"), offset).
        context: What it reads of the document that it is given as a whole, outside of every path:
            names, `*`, `$`, and `$$` anywhere.
    """

    problem: tuple[int, str] | None
    variables: tuple[tuple[tuple[str, ...], int], ...] = ()
    context: tuple[tuple[str, int], ...] = ()


def outline(source: str) -> Outline:
    """Return what the expression reads. Takes time linear in its length; regular expressions are not compiled."""
    allow_frames()
    parser = Parser(source)
    try:
        tree = parser.parsed()
    except Failure as failure:
        return Outline((min(failure.at or 0, len(source)), reason(failure)))
    known = parser.bound | builtins().keys()
    nodes = list(_placed_nodes(tree))
    return Outline(None, _ordered(_variables(nodes, known)), _ordered(_context(nodes)))


def _ordered(found: Iterator[tuple[_Name, int]]) -> tuple[tuple[_Name, int], ...]:
    return tuple(sorted(found, key=lambda pair: pair[1]))


def _context(nodes: list[tuple[Node, bool]]) -> Iterator[tuple[str, int]]:
    for node, outermost in nodes:
        if node.kind == "variable" and node.value == "$":
            yield "$$", node.at
        elif outermost and node.kind == "variable" and node.value == "":
            yield "$", node.at
        elif outermost and node.kind in _CONTEXT:
            yield _CONTEXT[node.kind] or str(node.value), node.at


def _variables(nodes: list[tuple[Node, bool]], known: set[str]) -> Iterator[tuple[tuple[str, ...], int]]:
    leading: set[int] = set()
    for node, _ in nodes:
        if node.kind == "path" and node.items[0].kind == "variable":
            leading.add(id(node.items[0]))
            names = _leading_names(node)
        elif node.kind == "variable" and id(node) not in leading:
            names = (str(node.value),)
        else:
            continue
        if names[0] not in known and names[0] not in ("", "$"):
            yield names, node.at


def _leading_names(path: Node) -> tuple[str, ...]:
    names = [str(path.items[0].value)]
    for step in path.items[1:]:
        if step.kind != "name":
            break
        names.append(str(step.value))
    return tuple(names)


def _placed_nodes(tree: Node) -> Iterator[tuple[Node, bool]]:
    """Yield every node, parents first, and whether its context is that of the whole expression."""
    waiting = [(tree, True)]
    while waiting:
        node, outermost = waiting.pop()
        yield node, outermost
        waiting.extend((part, False) for part in _inner(node))
        if node.kind == "path":
            waiting.append((node.items[0], outermost))
            waiting.extend((step, False) for step in node.items[1:])
        elif node.kind == "transform":
            waiting.extend((part, False) for part in node.items)
        else:
            waiting.extend((part, outermost) for part in (node.left, node.right, *(node.items or ())) if part)
            waiting.extend((part, outermost and node.kind == "object") for part in _flat(node.value))


def _inner(node: Node) -> Iterator[Node]:
    """Yield what is evaluated for each item of the node: its filters and groups."""
    yield from node.filters or ()
    yield from (argument for stage, argument in node.stages or () if stage == "filter")
    yield from _flat(node.group)


def _flat(pairs: Any) -> Iterator[Node]:
    if isinstance(pairs, list):
        yield from (part for pair in pairs for part in pair if isinstance(part, Node))
