"""Source text -> tokens."""

from __future__ import annotations

import re
from typing import Any, Final, NamedTuple

from chalicelib.expressions.errors import Failure
from chalicelib.expressions.values import number

_BLANKS: Final = re.compile(r"[ \t\n\r\v]*")
_NUMBER: Final = re.compile(r"-?(?:0|[1-9][0-9]*)(\.[0-9]+)?([Ee][-+]?[0-9]+)?")
_OPERATOR: Final = re.compile(r"\.\.|:=|!=|>=|<=|\*\*|~>|\?:|\?\?|[.\[\]{}(),@#;:?+\-*/%|=<>^&!~]")
_NAME: Final = re.compile(r"[^ \t\n\r\v.\[\]{}(),@#;:?+\-*/%|=<>^&!~]+")
_PLAIN_TEXT: Final = {'"': re.compile(r'[^"\\]*'), "'": re.compile(r"[^'\\]*")}
_HEX: Final = re.compile(r"[0-9a-fA-F]{4}")
_ESCAPES: Final = {'"': '"', "\\": "\\", "/": "/", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}
_VALUES: Final[dict[str, Any]] = {"true": True, "false": False, "null": None}
_WORDS: Final = frozenset({"and", "or", "in"})


class Token(NamedTuple):
    """`kind` is operator, name, variable, literal, regex or end; `at` is the offset of its first character."""

    kind: str
    value: Any
    at: int


class Lexer:
    """Reads one token after the other."""

    def __init__(self, source: str) -> None:
        self.source = source
        self.position = 0

    def next(self, *, infix: bool) -> Token:
        """Return the next token. After an operand (`infix`), `/` divides; elsewhere it begins a regular expression."""
        start = self._skip_blanks()
        source = self.source
        if start >= len(source):
            return Token("end", "", start)
        first = source[start]
        if first == "/" and not infix:
            return self._regex(start)
        found = _OPERATOR.match(source, start)
        if found:
            if found[0] in ("!", "~"):
                raise Failure("S0204", start, found[0])
            self.position = found.end()
            return Token("operator", found[0], start)
        if first in "\"'":
            return self._text(first, start)
        if first == "`":
            end = source.find("`", start + 1)
            if end < 0:
                raise Failure("S0105", start)
            self.position = end + 1
            return Token("name", source[start + 1 : end], start)
        return self._number_or_name(start)

    def _skip_blanks(self) -> int:
        source, position = self.source, self.position
        while True:
            position = _BLANKS.match(source, position).end()  # type: ignore[union-attr]
            if not source.startswith("/*", position):
                return position
            end = source.find("*/", position + 2)
            if end < 0:
                raise Failure("S0106", position)
            position = end + 2

    def _number_or_name(self, start: int) -> Token:
        found = _NUMBER.match(self.source, start)
        if found:
            self.position = found.end()
            return Token("literal", _number(found, start), start)
        name = _NAME.match(self.source, start)[0]  # type: ignore[index]
        self.position = start + len(name)
        if name[0] == "$":
            return Token("variable", name[1:], start)
        if name in _WORDS:
            return Token("operator", name, start)
        if name in _VALUES:
            return Token("literal", _VALUES[name], start)
        return Token("name", name, start)

    def _text(self, quote: str, start: int) -> Token:
        source, position, parts = self.source, start + 1, []
        while True:
            plain = _PLAIN_TEXT[quote].match(source, position)
            parts.append(plain[0])  # type: ignore[index]
            position = plain.end()  # type: ignore[union-attr]
            if position >= len(source):
                raise Failure("S0101", start)
            if source[position] == quote:
                break
            escaped, position = self._escape(position)
            parts.append(escaped)
        self.position = position + 1
        return Token("literal", _joined("".join(parts)), start)

    def _escape(self, at: int) -> tuple[str, int]:
        letter = self.source[at + 1 : at + 2]
        if letter in _ESCAPES:
            return _ESCAPES[letter], at + 2
        if letter != "u":
            raise Failure("S0103", at, letter)
        digits = _HEX.match(self.source, at + 2)
        if not digits:
            raise Failure("S0104", at)
        return chr(int(digits[0], 16)), at + 6

    def _regex(self, start: int) -> Token:
        source, position, depth = self.source, start + 1, 0
        while position < len(source):
            char = source[position]
            if char == "\\":
                position += 1
            elif char == "/" and depth == 0:
                return self._flags(start, position)
            elif char in "([{":
                depth += 1
            elif char in ")]}":
                depth -= 1
            position += 1
        raise Failure("S0302", start)

    def _flags(self, start: int, end: int) -> Token:
        pattern = self.source[start + 1 : end]
        if not pattern:
            raise Failure("S0301", start)
        flags = end + 1
        while self.source[flags : flags + 1] in ("i", "m"):
            flags += 1
        self.position = flags
        return Token("regex", (pattern, self.source[end + 1 : flags]), start)


def _number(found: re.Match[str], at: int) -> int | float:
    text = found[0]
    if found[1] is None and found[2] is None and len(text) < 300:
        return int(text)
    value = float(text)
    if value - value != 0:
        raise Failure("S0102", at, text[:40])
    return number(value)


def _joined(text: str) -> str:
    """Join halves of surrogate pairs, which escapes write one by one."""
    if text.isascii() or not any("\ud800" <= char <= "\udbff" for char in text):
        return text
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "surrogatepass")
