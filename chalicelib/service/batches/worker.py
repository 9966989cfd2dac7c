"""Work on batches, a slice at a time. Each slice is claimed and then recorded by a conditional write of the batch.

    message ──> claim ──> find the next runs, or command them ──> write a chunk ──> next message ──> record ──> ...

The message of a slice names the version of the batch that it continues. After a crash it comes again, finds the claim
of the process that is gone, and repeats the slice once the claim has lapsed.

The batch notes how far earlier attempts may have come (`tried`): they may have crashed, or the store may have failed
after it had written a run, so that the run seemed busy. Up to there a run is only commanded if its history does not say
that it was, however many slices later, and also if the batch was stopped and continued meanwhile.

A batch that is stopped ends with the slice that is being worked on, unless it is continued meanwhile.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Final

from msgspec.structs import replace

from chalicelib.model.times import Milliseconds
from chalicelib.service.batches.collect import Collector
from chalicelib.service.batches.commands import RunCommands
from chalicelib.service.errors import Busy, Conflict
from chalicelib.service.messages import RunBatch, encode
from chalicelib.service.ports.batches import (
    CHUNK_ITEMS,
    Batch,
    BatchOutcome,
    BatchStatus,
    BatchStore,
    Chunk,
    Result,
)
from chalicelib.service.ports.clock import Clock, IdSource
from chalicelib.service.ports.queues import MAX_DELAY_MS, Queue, QueueName
from chalicelib.service.redelivery import Redelivery, until_committed

LOG = logging.getLogger("echoer.batches")

CLAIM_MS: Final[Milliseconds] = 60_000
"""How long others leave a slice to the process that claimed it."""

SLICE_MS: Final[Milliseconds] = 5_000
"""How long a slice may take. It ends with the run during which that time passes."""

MAX_BUSY: Final = 5
"""How often a busy run is tried again before the batch goes on without it."""

MAX_RECORDS: Final = 4
"""How often the end of a slice is written while the batch is being stopped and continued."""

_FIRST_BUSY_PAUSE_MS: Final = 500

Audit = Callable[[str, Batch, Result], None]
"""`audit(namespace, batch, result)` records what became of a run."""


class BatchWorker:
    """Handles the messages of batches."""

    def __init__(
        self,
        batches: BatchStore,
        collector: Collector,
        commands: RunCommands,
        audit: Audit,
        queue: Queue,
        clock: Clock,
        ids: IdSource,
    ) -> None:
        self._batches = batches
        self._collector = collector
        self._commands = commands
        self._audit = audit
        self._queue = queue
        self._clock = clock
        self._ids = ids

    def work(self, message: RunBatch) -> Redelivery:
        """Work on the next slice of the batch. Return in how many milliseconds the message must come again."""
        namespace, now = message.namespace, self._clock.now()
        batch = self._batches.load(namespace, message.batch)
        if batch is None or batch.version < message.version:
            return until_committed(message.sent_at, now)
        if batch.is_ended or (not batch.owner and message.version not in (0, batch.version)):
            return None
        if batch.owner and now < batch.owned_until:
            return batch.owned_until - now
        is_collecting = batch.status is BatchStatus.COLLECTING
        claimed = replace(
            batch,
            version=batch.version + 1,
            tried=max(batch.tried, _slice_end(batch)) if batch.owner and not is_collecting else batch.tried,
            owner=self._ids.nonce()[:12],
            owned_until=now + CLAIM_MS,
        )
        try:
            self._batches.save(namespace, claimed, batch.version)
        except Conflict:
            return _FIRST_BUSY_PAUSE_MS
        after = self._collect(namespace, claimed) if is_collecting else self._command(namespace, claimed)
        self._record(namespace, claimed, after, now)
        return None

    # ── one slice ────────────────────────────────────────────────────────────────────────────────────────────────────

    def _collect(self, namespace: str, batch: Batch) -> Batch:
        return self._collector.collect(namespace, batch, self._clock.now() + SLICE_MS)

    def _command(self, namespace: str, batch: Batch) -> Batch:
        """Command the next runs, and store what became of them."""
        number, offset = divmod(batch.recorded, CHUNK_ITEMS)
        end = _slice_end(batch) - number * CHUNK_ITEMS
        targets = self._batches.targets(namespace, batch.id, number)[offset:end]
        known = self._batches.results(namespace, batch.id, number)[:offset] if offset else ()
        results: list[Result] = []
        attempts, tried, end_at = batch.attempts, batch.tried, self._clock.now() + SLICE_MS
        for position, target in enumerate(targets, batch.recorded):
            try:
                result = self._commands.execute(namespace, batch, target, repeats=position < tried)
            except Busy as busy:
                attempts, tried = attempts + 1, max(tried, position + 1)
                if attempts < MAX_BUSY:
                    break
                result = Result(target.name, BatchOutcome.BUSY, str(busy))
            attempts = 0
            results.append(result)
            self._audit(namespace, batch, result)
            if self._clock.now() >= end_at:
                break
        if results:
            self._batches.put_chunk(namespace, batch, number, Chunk(results=(*known, *results)))
        counts = dict(batch.counts)
        for result in results:
            counts[result.outcome] = counts.get(result.outcome, 0) + 1
        recorded = batch.recorded + len(results)
        is_done = recorded >= batch.matched or not targets
        return replace(
            batch,
            recorded=recorded,
            counts=counts,
            attempts=attempts,
            tried=tried if tried > recorded else 0,
            status=BatchStatus.DONE if is_done else batch.status,
        )

    def _record(self, namespace: str, claimed: Batch, after: Batch, began: int) -> None:
        """Record the slice, and send the message of the next one before."""
        done = replace(after, version=claimed.version + 1, owner="", owned_until=0)
        for _ in range(MAX_RECORDS):
            now = self._clock.now()
            done = replace(done, updated_at=now, ended_at=now if done.is_ended else None)
            if not done.is_ended:
                self._send(namespace, done, claimed, began)
            try:
                self._batches.save(namespace, done, done.version - 1)
            except Conflict:
                found = self._batches.load(namespace, claimed.id)
                if found is None or found.owner != claimed.owner:
                    LOG.warning("another process has taken batch %r over", claimed.id)
                    return
                status = found.status if found.is_ended else after.status  # it was stopped, or also continued
                done = replace(done, version=found.version + 1, status=status)
            else:
                return

    def _send(self, namespace: str, batch: Batch, before: Batch, began: int) -> None:
        """Send the message of the next slice, for when the rate allows it."""
        now, done = self._clock.now(), batch.recorded - before.recorded
        delay = began + round(done * 1000 / batch.rate) - now if not batch.dry_run else 0
        if batch.attempts:
            delay = max(delay, _FIRST_BUSY_PAUSE_MS << batch.attempts)
        message = RunBatch(namespace=namespace, sent_at=now, version=batch.version, batch=batch.id)
        self._queue.send(QueueName.WAKES, [encode(message)], min(max(0, delay), MAX_DELAY_MS), early=True)


def _slice_end(batch: Batch) -> int:
    """Return up to which position the next slice commands runs: those of a second, and of one chunk."""
    items = CHUNK_ITEMS if batch.dry_run else max(1, min(CHUNK_ITEMS, round(batch.rate)))
    return min(batch.recorded + items, (batch.recorded // CHUNK_ITEMS + 1) * CHUNK_ITEMS)
