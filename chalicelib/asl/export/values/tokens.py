"""The tokens of an expression with their places, and the calls among them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

from chalicelib.expressions.syntax.lexer import Lexer

_CLOSES: Final = {"(": ")", "[": "]", "{": "}"}
_ENDS: Final = frozenset(_CLOSES.values())
_OPERANDS: Final = frozenset({"*", "**", "%", "?"})
"""Operators that are operands where one is expected: wildcards, the parent, a placeholder."""
_WORDS: Final = frozenset({"and", "or", "in"})


class Piece(NamedTuple):
    """A token, and where it begins and ends in the source."""

    kind: str
    value: Any
    start: int
    end: int

    def is_sign(self, sign: str) -> bool:
        """Return whether it is this operator or bracket."""
        return self.kind == "operator" and self.value == sign


def pieces_of(source: str) -> list[Piece]:
    """Return the tokens of an expression that can be read."""
    lexer = Lexer(source)
    found: list[Piece] = []
    is_infix = False
    while True:
        token = lexer.next(infix=is_infix)
        if token.kind == "end":
            return found
        found.append(Piece(token.kind, token.value, token.at, lexer.position))
        if token.kind == "operator":
            is_infix = token.value in _ENDS or (not is_infix and token.value in _OPERANDS | _WORDS)
        else:
            is_infix = True


def end_of_bracket(pieces: Sequence[Piece], opening: int) -> int:
    """Return the index of the bracket that closes the one at `opening`."""
    depth = 0
    for index in range(opening, len(pieces)):
        piece = pieces[index]
        if piece.kind == "operator":
            depth += (piece.value in _CLOSES) - (piece.value in _ENDS)
        if not depth:
            return index
    return len(pieces) - 1


def arguments_of(pieces: Sequence[Piece], opening: int) -> list[tuple[int, int]]:
    """Return the arguments of the call with its bracket at `opening`: the indexes of their first tokens and ends."""
    closing = end_of_bracket(pieces, opening)
    found: list[tuple[int, int]] = []
    start = index = opening + 1
    while index < closing:
        if pieces[index].kind == "operator" and pieces[index].value in _CLOSES:
            index = end_of_bracket(pieces, index)
        elif pieces[index].is_sign(","):
            found.append((start, index))
            start = index + 1
        index += 1
    return [*found, (start, closing)] if closing > opening + 1 else found
