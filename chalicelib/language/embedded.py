"""Where an embedded JSONata expression ends: the brace that closes it, not one in its strings, comments or regexes."""

from __future__ import annotations

import re
from typing import Final

_PIECE: Final = re.compile(
    r"""
      (?P<blank>   \s+ | /\*[\s\S]*?\*/ )
    | (?P<operand> "(?:[^"\\]|\\[\s\S])*" | '(?:[^'\\]|\\[\s\S])*' | `[^`]*` | [\w$.]+ )
    | (?P<open>    \{ )
    | (?P<close>   \} )
    | (?P<ended>   [)\]] )
    | (?P<slash>   / )
    | (?P<other>   [\s\S] )
    """,
    re.VERBOSE,
)
_REGEX: Final = re.compile(r"/(?:[^/\\\r\n]|\\.)+/[im]*")
_OPERATORS: Final = frozenset({"and", "or", "in"})


def end_of_expression(text: str, start: int) -> int | None:
    """The offset of the `}` that closes the expression whose inside begins at `start`; None if there is none.

    As in JSONata, a slash where an operand is expected begins a regular expression, and divides elsewhere.
    """
    depth, offset, after_operand = 0, start, False
    while match := _PIECE.match(text, offset):
        offset = match.end()
        match match.lastgroup:
            case "blank":
                continue
            case "open":
                depth += 1
            case "close":
                if depth == 0:
                    return match.start()
                depth -= 1
            case "slash" if not after_operand and (regex := _REGEX.match(text, match.start())):
                offset, after_operand = regex.end(), True
                continue
        after_operand = match.lastgroup in ("operand", "close", "ended") and match[0] not in _OPERATORS
    return None
