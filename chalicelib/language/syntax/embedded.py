"""The pieces of embedded JSONata expressions: their ends and their operands.

Braces in strings, comments and regular expressions end nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from typing import Final

_CLOSED: Final = {
    "/*": r"/\*[\s\S]*?\*/",
    '"': r'"(?:[^"\\]|\\[\s\S])*"',
    "'": r"'(?:[^'\\]|\\[\s\S])*'",
    "`": r"`[^`]*`",
}
"""What has a beginning and an end, by its beginning."""
_REGEX: Final = re.compile(r"/((?:[^/\\\r\n]|\\.)*)(/[im]*)?")
_OPERATORS: Final = frozenset({"and", "or", "in"})


def end_of_expression(text: str, start: int) -> int | None:
    """Return the offset of the `}` that closes the expression with contents from `start`; None if there is none."""
    depth = 0
    for kind, at, _ in pieces_of(text, start):
        if kind == "open":
            depth += 1
        elif kind == "close":
            if depth == 0:
                return at
            depth -= 1
    return None


def pieces_of(text: str, start: int = 0) -> Iterator[tuple[str, int, int]]:
    """Yield the kind, start and end of each piece of an expression.

    Kinds are blank, operand, open, close, ended (`)` or `]`), slash, regex and other. As in JSONata, a slash begins a
    regular expression where an operand is expected, and is a division elsewhere. Takes time proportional to the text:
    an end that was not found once is not looked for again.
    """
    offset, after_operand, unended = start, False, 0
    unclosed: frozenset[str] = frozenset()
    piece = _piece(unclosed)
    while match := piece.match(text, offset):
        kind, at, offset = match.lastgroup or "", match.start(), match.end()
        beginning = "/*" if text.startswith("/*", at) else match[0]
        if kind in ("slash", "other") and beginning in _CLOSED and beginning not in unclosed:
            piece = _piece(unclosed := unclosed | {beginning})
        if kind == "slash" and not after_operand and at >= unended:
            regex = _REGEX.match(text, at)
            if regex and regex[1] and regex[2]:
                kind, offset = "regex", regex.end()
            elif regex and not regex[2]:
                unended = regex.end()
        if kind != "blank":
            after_operand = kind in ("operand", "close", "ended", "regex") and match[0] not in _OPERATORS
        yield kind, at, offset


@cache
def _piece(unclosed: frozenset[str]) -> re.Pattern[str]:
    """Return what matches a piece where these beginnings have no end."""
    comment, *texts = [pattern if beginning not in unclosed else r"(?!)" for beginning, pattern in _CLOSED.items()]
    return re.compile(
        rf"(?P<blank>\s+|{comment})|(?P<operand>{'|'.join(texts)}|[\w$.]+)"
        r"|(?P<open>\{)|(?P<close>\})|(?P<ended>[)\]])|(?P<slash>/)|(?P<other>[\s\S])"
    )


def operands_of(source: str) -> Iterator[tuple[str, int, int]]:
    """Yield the text, start and end of each operand: a path of names, blanks between them left out, is one."""
    pieces = [(kind, source[start:end], start, end) for kind, start, end in pieces_of(source) if kind != "blank"]
    at = 0
    while at < len(pieces):
        kind, joined, start, end = pieces[at]
        while at + 1 < len(pieces) and pieces[at + 1][0] == "operand" and "." in (joined[-1:], pieces[at + 1][1][:1]):
            at += 1
            joined, end = joined + pieces[at][1], pieces[at][3]
        at += 1
        if kind == "operand":
            yield joined, start, end
