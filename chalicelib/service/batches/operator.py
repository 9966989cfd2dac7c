"""Create, read, stop and continue batches."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

import msgspec
from msgspec.structs import replace

from chalicelib.engine.values.secret_values import encrypted
from chalicelib.model.json_values import Json
from chalicelib.model.times import Milliseconds
from chalicelib.service.batches.collect import Collector
from chalicelib.service.batches.commands import CONFIDENTIAL, BatchCommand, place_of
from chalicelib.service.batches.worker import BatchWorker
from chalicelib.service.errors import Busy, Conflict, NotFound
from chalicelib.service.messages import RunBatch, encode
from chalicelib.service.ports.batches import (
    CHUNK_ITEMS,
    Batch,
    BatchOutcome,
    BatchStatus,
    BatchStore,
    Result,
)
from chalicelib.service.ports.clock import Clock, IdSource
from chalicelib.service.ports.queues import Queue, QueueName
from chalicelib.service.ports.runs import RunQuery
from chalicelib.service.security.secrets import Secrets, SecretsOff

DEFAULT_RATE: Final = 50.0
"""How many runs per second a batch commands."""

KEPT_MS: Final[Milliseconds] = 30 * 24 * 60 * 60 * 1000
"""How long a batch is kept after it was created."""

COLLECTING_MS: Final[Milliseconds] = 3_000
"""How long the request that creates a batch looks for its runs. The rest is found in the background."""

MAX_CHUNKS_READ: Final = 20
"""How many chunks of results one request reads."""

MAX_ATTEMPTS: Final = 8


class BatchOrder(msgspec.Struct, frozen=True, kw_only=True):
    """A request for a batch. `query` finds its runs; None: `names` are its runs. `select` is shown as it is."""

    command: BatchCommand
    args: dict[str, Json] = msgspec.field(default_factory=dict)
    query: RunQuery | None = None
    names: tuple[str, ...] = ()
    select: dict[str, Json] = msgspec.field(default_factory=dict)
    dry_run: bool = False
    rate: float = DEFAULT_RATE


class ResultPage(msgspec.Struct, frozen=True):
    """Results, and the cursor of the next page (None: there are no more for now)."""

    results: tuple[Result, ...]
    cursor: int | None


class BatchOperator:
    """Creates, reads, stops and continues batches."""

    def __init__(
        self,
        batches: BatchStore,
        collector: Collector,
        worker: BatchWorker,
        secrets: Secrets,
        queue: Queue,
        clock: Clock,
        ids: IdSource,
    ) -> None:
        self._batches = batches
        self._collector = collector
        self._worker = worker
        self._secrets = secrets
        self._queue = queue
        self._clock = clock
        self._ids = ids

    def create(self, namespace: str, order: BatchOrder, *, by: str = "") -> Batch:
        """Create a batch; its work begins in the background. A dry run has its first results at once."""
        now, batch_id = self._clock.now(), self._new_id()
        batch = Batch(
            id=batch_id,
            command=order.command,
            args=self._encrypted(namespace, batch_id, order.args),
            select=order.select,
            query=order.query,
            dry_run=order.dry_run,
            rate=order.rate,
            by=by,
            created_at=now,
            updated_at=now,
            expires_at=now + KEPT_MS,
        )
        if order.query is None:
            batch = self._collector.name(namespace, batch, order.names)
        else:
            batch = self._collector.collect(namespace, batch, now + COLLECTING_MS)
        message = RunBatch(namespace=namespace, sent_at=now, version=batch.version, batch=batch.id)
        if batch.is_ended:
            batch = replace(batch, ended_at=now)
        else:
            self._queue.send(QueueName.WAKES, [encode(message)])  # before the write, so that it cannot be lost
        self._batches.save(namespace, batch, None)
        if order.dry_run and not batch.is_ended:
            self._worker.work(message)
            batch = self.get(namespace, batch.id)
        return batch

    def get(self, namespace: str, batch_id: str) -> Batch:
        """Return the batch. Raises NotFound."""
        batch = self._batches.load(namespace, batch_id)
        if batch is None or batch.expires_at <= self._clock.now():
            raise NotFound("batch", batch_id)
        return batch

    def list(self, namespace: str, limit: int, before: str) -> list[Batch]:
        """Return batches, newest first, below the id `before` (empty: from the newest on)."""
        return list(self._batches.list(namespace, self._clock.now(), limit, before))

    def results(
        self, namespace: str, batch: Batch, after: int, limit: int, only: frozenset[BatchOutcome] = frozenset()
    ) -> ResultPage:
        """Return at most `limit` results from the position `after` on, of these outcomes (none: of all)."""
        found: list[Result] = []
        position = after
        for _ in range(MAX_CHUNKS_READ):
            if position >= batch.recorded:
                return ResultPage(tuple(found), None)
            number, offset = divmod(position, CHUNK_ITEMS)
            end = min(CHUNK_ITEMS, batch.recorded - number * CHUNK_ITEMS)
            for result in self._batches.results(namespace, batch.id, number)[offset:end]:
                if len(found) == limit:
                    return ResultPage(tuple(found), position)
                position += 1
                if not only or result.outcome in only:
                    found.append(result)
            position = max(position, number * CHUNK_ITEMS + end)
        return ResultPage(tuple(found), position if position < batch.recorded else None)

    def stop(self, namespace: str, batch_id: str) -> Batch:
        """Stop the batch. The runs that it has commanded stay as they are. Raises NotFound, Busy."""
        for _ in range(MAX_ATTEMPTS):
            batch, now = self.get(namespace, batch_id), self._clock.now()
            if batch.is_ended:
                return batch
            stopped = replace(
                batch, version=batch.version + 1, status=BatchStatus.STOPPED, updated_at=now, ended_at=now
            )
            try:
                self._batches.save(namespace, stopped, batch.version)
            except Conflict:
                continue
            return stopped
        raise Busy(f"batch {batch_id!r} is being changed by too many requests at once; try again")

    def resume(self, namespace: str, batch_id: str) -> Batch:
        """Continue a batch that was stopped, with the runs that are left. Raises NotFound, Busy."""
        for _ in range(MAX_ATTEMPTS):
            batch, now = self.get(namespace, batch_id), self._clock.now()
            if batch.status is not BatchStatus.STOPPED:
                return batch
            resumed = replace(
                batch,
                version=batch.version + 1,
                status=BatchStatus.RUNNING if batch.cursor is None else BatchStatus.COLLECTING,
                attempts=0,
                updated_at=now,
                ended_at=None,
            )
            message = RunBatch(namespace=namespace, sent_at=now, version=resumed.version, batch=batch.id)
            self._queue.send(QueueName.WAKES, [encode(message)])  # before the write, so that it cannot be lost
            try:
                self._batches.save(namespace, resumed, batch.version)
            except Conflict:
                continue
            return resumed
        raise Busy(f"batch {batch_id!r} is being changed by too many requests at once; try again")

    def _encrypted(self, namespace: str, batch_id: str, args: dict[str, Json]) -> dict[str, Json]:
        """Return the args as they are stored. Without a key no flow has secrets, so there is nothing to encrypt."""
        cipher = self._secrets.cipher(namespace, place_of(batch_id))
        try:
            return {name: encrypted(value, cipher) if name in CONFIDENTIAL else value for name, value in args.items()}
        except SecretsOff:
            return args

    def _new_id(self) -> str:
        """Return an id that sorts by time."""
        now = self._clock.now()
        moment = datetime.fromtimestamp(now // 1000, UTC)
        return f"{moment:%Y%m%dT%H%M%S}{now % 1000:03}-{self._ids.nonce()[:6]}"
