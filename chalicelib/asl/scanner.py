"""A text that is read from left to right, each character once."""

from __future__ import annotations

import re
from typing import Final, NoReturn

from chalicelib.asl.path_tree import NotReadable

MAX_DEPTH: Final = 50
"""How deep paths, filters and brackets may be nested within each other."""

_NUMBER: Final = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")
_INTEGER: Final = re.compile(r"-?[0-9]+")
_MAX_DIGITS: Final = 300
"""More digits would be read in more than linear time, and no service takes them."""
_SHOWN: Final = 30


class Scanner:
    """The text and the place where reading is."""

    def __init__(self, text: str) -> None:
        self.text, self.at, self._depth = text, 0, 0

    def fail(self, reason: str, at: int | None = None) -> NoReturn:
        """Raise NotReadable for this place, or for another one."""
        raise NotReadable((self.at if at is None else at) + 1, reason)

    def deeper(self) -> None:
        """Enter a nested part. Raises NotReadable where there are too many."""
        self._depth += 1
        if self._depth > MAX_DEPTH:
            self.fail(f"more than {MAX_DEPTH} parts are nested")

    def out(self) -> None:
        """Leave a nested part."""
        self._depth -= 1

    @property
    def ended(self) -> bool:
        """Whether all is read."""
        return self.at >= len(self.text)

    def peek(self, length: int = 1) -> str:
        """Return what comes next, shorter where the text ends."""
        return self.text[self.at : self.at + length]

    def take(self, expected: str) -> bool:
        """Read `expected` where it comes next, and return whether it did."""
        if not self.text.startswith(expected, self.at):
            return False
        self.at += len(expected)
        return True

    def need(self, expected: str, where: str) -> None:
        """Read `expected`. Raises NotReadable where it does not come next."""
        if not self.take(expected):
            self.fail(f"`{expected}` is missing {where}")

    def space(self) -> None:
        """Skip white space."""
        while not self.ended and self.text[self.at].isspace():
            self.at += 1

    def match(self, pattern: re.Pattern[str]) -> str:
        """Read what the pattern matches here, and return it; an empty text where it does not match."""
        found = pattern.match(self.text, self.at)
        if found is None:
            return ""
        self.at = found.end()
        return found.group()

    def integer(self) -> int | None:
        """Read a whole number, or nothing."""
        start, digits = self.at, self.match(_INTEGER)
        if len(digits) > _MAX_DIGITS:
            self.fail("the number has too many digits", start)
        return int(digits) if digits else None

    def number(self) -> int | float | None:
        """Read a number as JSON writes it, or nothing."""
        start, digits = self.at, self.match(_NUMBER)
        if not digits:
            return None
        if len(digits) > _MAX_DIGITS:
            self.fail("the number has too many digits", start)
        value = int(digits) if digits.lstrip("-").isdigit() else float(digits)
        if value in (float("inf"), float("-inf")):
            self.fail("the number is too large", start)
        return value

    def quoted(self) -> str:
        r"""Read a text in quotes. A backslash makes the quote or a backslash plain; before others it is itself."""
        start, quote = self.at, self.peek()
        self.at += 1
        parts: list[str] = []
        while not self.ended:
            char = self.text[self.at]
            self.at += 1
            if char == quote:
                return "".join(parts)
            if char == "\\" and self.peek() in (quote, "\\"):
                char = self.text[self.at]
                self.at += 1
            parts.append(char)
        raise NotReadable(start + 1, "the quote is not closed")

    def next_words(self) -> str:
        """Return what comes next, for a message."""
        rest = self.text[self.at : self.at + _SHOWN]
        return f"`{rest}`" if rest else "the end"
