"""Pending undos wherever they are stored: in the head, or in pages to which it refers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import msgspec
from msgspec.structs import replace

from chalicelib.adapters.memory import MemoryStore
from chalicelib.model.pending_undo import PendingUndo, UndoPages, page_of
from chalicelib.model.run import Run


def with_all_undos(store: MemoryStore, run: Run) -> Run:
    """The run as it would be if its head held all its undos."""
    if not run.undo_pages:
        return run
    return replace(run, undos=(*_read(store, run, run.undo_pages), *run.undos), undo_pages=())


def _read(store: MemoryStore, run: Run, pages: Iterable[UndoPages]) -> Iterator[PendingUndo]:
    left = list(pages)
    while left:
        at = left.pop()
        found = store.runs.blobs(run, [at.key])
        if at.key not in found:
            raise LookupError(f"run {run.name!r} has no page {at.key!r} of undos")
        page = page_of(msgspec.json.decode(found[at.key]))
        left += (replace(one, is_due=at.is_due, token=at.token) for one in page.others)
        yield from (replace(undo, is_due=at.is_due, token=at.token) for undo in page.undos)
