"""Text tables for a terminal."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

from chalicelib.model.visible_text import visible


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return the rows under the header, in columns. A cell may have several lines."""
    cells = [[_printable(cell) for cell in row] for row in ([name.upper() for name in header], *rows)]
    widths = [max(_width(line) for row in cells for line in row[column]) for column in range(len(header))]
    rule = "+" + "+".join("-" * (width + 2) for width in widths) + "+"
    lines = [line for row in cells[1:] for line in _lines(row, widths)]
    return "\n".join([rule, *_lines(cells[0], widths), rule, *lines, *([rule] if lines else [])])


def _printable(cell: str) -> list[str]:
    """Return the cell's lines, without characters that could move the cursor of a terminal."""
    return [visible(line) for line in cell.split("\n")]


def _lines(row: Sequence[Sequence[str]], widths: Sequence[int]) -> list[str]:
    height = max(len(cell) for cell in row)
    filled = [[*cell, *[""] * (height - len(cell))] for cell in row]
    return [
        "| "
        + " | ".join(cell[n] + " " * (width - _width(cell[n])) for cell, width in zip(filled, widths, strict=True))
        + " |"
        for n in range(height)
    ]


def _width(text: str) -> int:
    return sum(2 if unicodedata.east_asian_width(c) in "WF" else not unicodedata.combining(c) for c in text)
