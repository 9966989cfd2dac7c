"""A document of an editor: offsets in its text, and lines and columns in the units of the client."""

from __future__ import annotations

import re
from typing import Final

from lsprotocol import types
from pygls.workspace import PositionCodec

from chalicelib.language.source import Source, Span

_LINE: Final = re.compile(r"[^\r\n]*(?:\r\n|\n|\r|\Z)")


class Text:
    """A document with positions in the units of the client (UTF-16 unless the client negotiates another encoding)."""

    def __init__(self, text: str, codec: PositionCodec | None = None) -> None:
        self.text = text
        self._codec = codec or PositionCodec()
        self._source = Source(text)
        self._lines = _LINE.findall(text)

    def offset(self, position: types.Position) -> int:
        """Return the offset of a position; a position after the end of a line means its end."""
        line = min(position.line, len(self._lines) - 1)
        inner = self._codec.position_from_client_units(self._lines, types.Position(line, position.character))
        return sum(map(len, self._lines[:line])) + min(inner.character, len(self._lines[line].rstrip("\r\n")))

    def position(self, line: int, column: int) -> types.Position:
        """Return the position of a line and column that count from 1."""
        before = self._source.line(line)[: column - 1]
        return types.Position(line - 1, self._codec.client_num_units(before))

    def range(self, span: Span) -> types.Range:
        """Return the range of a span."""
        return types.Range(*(self.position(*self._source.position(offset)) for offset in (span.start, span.end)))
