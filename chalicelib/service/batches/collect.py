"""Find the runs of a batch: those that matched its filters when it was created. Later ones do not slip in."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from msgspec.structs import replace

from chalicelib.model.run import Run
from chalicelib.model.times import Instant
from chalicelib.service.ports.batches import CHUNK_ITEMS, Batch, BatchStatus, BatchStore, Chunk, Target
from chalicelib.service.ports.clock import Clock
from chalicelib.service.ports.runs import Listing, RunQuery

MAX_PAGES: Final = 20
"""How many pages of the list one slice reads."""


class Collector:
    """Stores the runs of batches in chunks. `listing(namespace, query)` returns runs as they are stored."""

    def __init__(self, listing: Callable[[str, RunQuery], Listing], batches: BatchStore, clock: Clock) -> None:
        self._listing = listing
        self._batches = batches
        self._clock = clock

    def collect(self, namespace: str, batch: Batch, end_at: Instant) -> Batch:
        """Find and store the next runs until `end_at`. Return the batch as it is then."""
        if batch.query is None:
            return replace(batch, status=BatchStatus.RUNNING)
        until = batch.created_at if batch.query.until is None else min(batch.query.until, batch.created_at)
        query = replace(batch.query, until=until)
        number, offset = divmod(batch.matched, CHUNK_ITEMS)
        kept = list(self._batches.targets(namespace, batch.id, number)[:offset]) if offset else []
        cursor = batch.cursor
        for _ in range(MAX_PAGES):
            listing = self._listing(namespace, replace(query, limit=CHUNK_ITEMS, cursor=cursor))
            kept += [Target(run.name, run.id, run.seq) for run in listing.runs if _matched(batch, query, run)]
            cursor = listing.cursor
            while len(kept) >= CHUNK_ITEMS:
                self._batches.put_chunk(namespace, batch, number, Chunk(targets=tuple(kept[:CHUNK_ITEMS])))
                kept, number = kept[CHUNK_ITEMS:], number + 1
            if cursor is None or self._clock.now() >= end_at:
                break
        if kept:
            self._batches.put_chunk(namespace, batch, number, Chunk(targets=tuple(kept)))
        matched = number * CHUNK_ITEMS + len(kept)
        status = batch.status
        if cursor is None:
            status = BatchStatus.RUNNING if matched else BatchStatus.DONE
        return replace(batch, matched=matched, cursor=cursor, status=status)

    def name(self, namespace: str, batch: Batch, names: tuple[str, ...]) -> Batch:
        """Store the named runs, each once. Return the batch as it is then."""
        targets = tuple(Target(name) for name in dict.fromkeys(names))
        for start in range(0, len(targets), CHUNK_ITEMS):
            chunk = Chunk(targets=targets[start : start + CHUNK_ITEMS])
            self._batches.put_chunk(namespace, batch, start // CHUNK_ITEMS, chunk)
        return replace(batch, matched=len(targets), status=BatchStatus.RUNNING if targets else BatchStatus.DONE)


def _matched(batch: Batch, query: RunQuery, run: Run) -> bool:
    """Return whether the run existed when the batch was created, with the status that the filters ask for."""
    by_status = query.statuses is not None or query.error is not None or query.undo_failed
    return run.created_at <= batch.created_at and not (by_status and run.status_at > batch.created_at)
