"""Positions in a text: spans of offsets, and lines and columns counted from 1."""

from __future__ import annotations

import re
from bisect import bisect_right
from typing import Final

import msgspec

_LINE_END: Final = re.compile(r"\r\n|\n|\r")


class Span(msgspec.Struct, frozen=True, order=True, gc=False):
    """The characters from offset `start` up to, not including, `end`."""

    start: int
    end: int

    def to(self, last: Span) -> Span:
        """Return the span from the start of this span to the end of `last`."""
        return Span(self.start, last.end)

    @property
    def after(self) -> Span:
        """The empty span directly after this one."""
        return Span(self.end, self.end)


class Source:
    """A text that converts offsets to lines and columns. `\\n`, `\\r\\n` and `\\r` end a line."""

    __slots__ = ("_starts", "text")

    def __init__(self, text: str) -> None:
        self.text = text
        self._starts = [0, *(match.end() for match in _LINE_END.finditer(text))]

    @property
    def lines(self) -> int:
        """The number of lines; the last one is empty if the text ends with a line ending."""
        return len(self._starts)

    def position(self, offset: int) -> tuple[int, int]:
        """Return the line and column (in characters) of an offset; the end of the text is a valid offset."""
        line = bisect_right(self._starts, offset)
        return line, offset - self._starts[line - 1] + 1

    def offset(self, line: int, column: int) -> int:
        """Return the offset of a line and column that `position` returned."""
        return self._starts[line - 1] + column - 1

    def line(self, number: int) -> str:
        """Return a line without its line ending; an empty string if there is no such line."""
        if not 1 <= number <= len(self._starts):
            return ""
        start = self._starts[number - 1]
        end = self._starts[number] if number < len(self._starts) else len(self.text)
        return self.text[start:end].rstrip("\r\n")
