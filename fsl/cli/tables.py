"""Layout of tables. The texts of cells are escaped already."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.table import Table

_GAP = "  "


def plain(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table with one line per row, however long it is."""
    lines = [list(columns), *map(list, rows)]
    widths = [max(_width(line[n]) for line in lines) for n in range(len(columns))]
    return "\n".join(
        _GAP.join(cell + " " * (width - _width(cell)) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )


def folded(columns: Sequence[str], rows: Sequence[Sequence[tuple[str, str]]]) -> Table:
    """Return a table whose cells fold. A cell is a text and its style."""
    from rich.table import Table
    from rich.text import Text

    grid = Table(box=None, pad_edge=False, header_style="bold", padding=(0, len(_GAP), 0, 0))
    for column in columns:
        grid.add_column(column, overflow="fold")
    for row in rows:
        grid.add_row(*(Text(text, style) for text, style in row))
    return grid


def _width(text: str) -> int:
    """Return the number of columns of a text on a terminal."""
    if text.isascii():
        return len(text)
    return sum(2 if unicodedata.east_asian_width(c) in "WF" else not unicodedata.combining(c) for c in text)
