"""Find what people have paused, and batches that make no progress."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from chalicelib.model.holds import HeldKind
from chalicelib.service.batches.worker import CLAIM_MS
from chalicelib.service.doctor.findings import Finding, FindingKind
from chalicelib.service.holds.book import HoldBook
from chalicelib.service.messages import RunBatch
from chalicelib.service.ports.batches import BatchStore
from chalicelib.service.ports.clock import Clock

MAX_EXAMINED_BATCHES: Final = 100

STALLED_AFTER_MS: Final = 5 * CLAIM_MS


class HoldChecks:
    """Checks the pauses of actions and flows, and the newest batches."""

    def __init__(self, book: HoldBook, batches: BatchStore, clock: Clock) -> None:
        self._book = book
        self._batches = batches
        self._clock = clock

    def problems(self, namespace: str) -> Iterator[Finding]:
        """Yield what is paused, and batches whose message may be lost."""
        holds, _ = self._book.read(namespace)
        for kind in HeldKind:
            for name, pause in sorted(holds.of(kind).items()):
                by = f" by {pause.by}" if pause.by else ""
                waits = "nothing of it is sent" if kind is HeldKind.ACTION else "no run of it starts"
                detail = f"{kind} {name!r} was paused{by}: {waits} until it is continued"
                yield Finding(kind=FindingKind.PAUSED, run="", since=pause.at, detail=detail)
        yield from self._stalled(namespace)

    def _stalled(self, namespace: str) -> Iterator[Finding]:
        now = self._clock.now()
        for batch in self._batches.list(namespace, now, MAX_EXAMINED_BATCHES):
            pause = max(STALLED_AFTER_MS, round(2_000 / batch.rate))
            if not batch.is_ended and batch.updated_at < now - pause and batch.owned_until < now:
                yield Finding(
                    kind=FindingKind.STALLED_BATCH,
                    run="",
                    since=batch.updated_at,
                    detail=f"batch {batch.id!r} has done {batch.recorded} of {batch.matched} runs, and has stalled",
                    message=RunBatch(namespace=namespace, sent_at=now, version=0, batch=batch.id),
                )
