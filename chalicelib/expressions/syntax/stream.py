"""The tokens of a source, one ahead, and the nodes that are made of them, counted."""

from __future__ import annotations

from typing import Any, Final

from chalicelib.expressions.errors import Failure
from chalicelib.expressions.syntax.lexer import Lexer, Token
from chalicelib.expressions.syntax.tree import Node

MAX_SOURCE: Final = 16_384
"""Characters of one expression."""

MAX_NESTING: Final = 250
"""Levels of brackets and operators within each other."""

MAX_NODES: Final = 20_000
"""Parts of one expression."""


class Stream:
    """What a parser reads from and counts with."""

    def __init__(self, source: str) -> None:
        self._lexer = Lexer(source)
        self._token = Token("end", "", 0)
        self.nodes = self._level = self._slots = 0
        self.patterns: list[Node] = []
        self.variables: list[Token] = []
        self.bound: set[str] = set()

    def _advance(self, *, infix: bool = False) -> Token:
        token = self._token
        self._token = self._lexer.next(infix=infix)
        if token.kind == "variable":
            self.variables.append(token)
        return token

    def _is(self, operator: str) -> bool:
        return self._token.kind == "operator" and self._token.value == operator

    def _expect(self, operator: str, *, infix: bool = False) -> None:
        if not self._is(operator):
            code = "S0203" if self._token.kind == "end" else "S0202"
            raise Failure(code, self._token.at, self._token.value, operator)
        self._advance(infix=infix)

    def _node(self, kind: str, at: int, value: Any = None, **parts: Any) -> Node:
        node = Node(kind, at, value, **parts)
        below = [part for part in (node.left, node.right, *(node.items or ())) if isinstance(part, Node)]
        return self._placed(node, *below)

    def _placed(self, node: Node, *below: Node) -> Node:
        self.nodes += 1
        if self.nodes > MAX_NODES:
            raise Failure("L0011", node.at)
        for part in below:
            node.height = max(node.height, part.height + 1)
        if node.height > MAX_NESTING:
            raise Failure("L0012", node.at)
        return node
