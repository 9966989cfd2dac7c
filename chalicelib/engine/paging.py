"""Pages: the tail of a run's history becomes a page when it is full."""

from __future__ import annotations

from typing import Final

import msgspec

from chalicelib.model.history import Entry, Page
from chalicelib.model.run import Run

MAX_TAIL_ENTRIES: Final = 8

MAX_TAIL_BYTES: Final = 384
"""Bytes of JSON."""


def turn_page(before: Run | None, after: Run) -> tuple[Run, Page | None]:
    """Return `after` with room in its tail, and the page to write first if the committed tail of `before` was full.

    A tail is never empty: the next entry's number follows that of its last entry.
    """
    if before is None or not _full(before.tail):
        return after, None
    new = after.tail[len(before.tail) :]
    if not new:
        return after, None
    return msgspec.structs.replace(after, tail=new), Page(entries=before.tail)


def _full(tail: tuple[Entry, ...]) -> bool:
    return len(tail) >= MAX_TAIL_ENTRIES or len(msgspec.json.encode(tail)) > MAX_TAIL_BYTES
