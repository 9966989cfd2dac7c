"""When the tail of a run's history becomes a page."""

from __future__ import annotations

from typing import Final

import msgspec

from chalicelib.model.history import Entry, Page
from chalicelib.model.run import Run

TAIL_ENTRIES: Final = 8

TAIL_BYTES: Final = 384


def turn_page(before: Run | None, after: Run) -> tuple[Run, Page | None]:
    """`after` with room in its tail, and the page to be written first if `before`'s committed tail was full.

    A tail is never left empty: its last entry's number is what the next one is counted from.
    """
    if before is None or not _full(before.tail):
        return after, None
    kept = after.tail[len(before.tail) :]
    if not kept:
        return after, None
    return msgspec.structs.replace(after, tail=kept), Page(entries=before.tail)


def _full(tail: tuple[Entry, ...]) -> bool:
    return len(tail) >= TAIL_ENTRIES or len(msgspec.json.encode(tail)) > TAIL_BYTES
