"""Batches in DynamoDB: an item each, in one partition per namespace, and one per chunk in a partition of the batch."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice

from chalicelib.adapters.dynamodb import keys
from chalicelib.adapters.dynamodb.items import Table, seconds, translated
from chalicelib.adapters.store_rules import batch_conflict, kind_of_chunk
from chalicelib.model import formats
from chalicelib.model.times import Instant
from chalicelib.service.ports.batches import Batch, Chunk, Result, Target


class DynamoBatches:
    def __init__(self, table: Table) -> None:
        self._table = table
        self._item = table.item

    def save(self, namespace: str, batch: Batch, seen: int | None) -> None:
        k, s = keys.batch(namespace, batch.id)
        item = self._item(
            k,
            s,
            v=batch.version,
            b=formats.BATCH.encode(batch).decode(),
            u=batch.expires_at,
            x=seconds(batch.expires_at),
        )
        unchanged = self._item.k.does_not_exist() if seen is None else self._item.v == seen
        with translated(refused=batch_conflict(batch.id)):
            item.save(unchanged)

    def load(self, namespace: str, batch_id: str) -> Batch | None:
        found = self._table.get(keys.batch(namespace, batch_id))
        return formats.BATCH.decode(found.b, Batch) if found else None

    def list(self, namespace: str, now: Instant, limit: int, before: str = "") -> Sequence[Batch]:
        found = self._item.query(
            keys.batches(namespace),
            self._item.s < before if before else None,
            filter_condition=self._item.u > now,
            scan_index_forward=False,
            page_size=limit,
        )
        with translated():
            return [formats.BATCH.decode(item.b, Batch) for item in islice(found, limit)]

    def put_chunk(self, namespace: str, batch: Batch, number: int, chunk: Chunk) -> None:
        k, s = keys.batch_chunk(namespace, batch.id, kind_of_chunk(chunk), number)
        body = formats.CHUNK.encode(chunk).decode()
        self._table.put(self._item(k, s, b=body, u=batch.expires_at, x=seconds(batch.expires_at)))

    def targets(self, namespace: str, batch_id: str, number: int) -> tuple[Target, ...]:
        return self._chunk(namespace, batch_id, "t", number).targets

    def results(self, namespace: str, batch_id: str, number: int) -> tuple[Result, ...]:
        return self._chunk(namespace, batch_id, "r", number).results

    def _chunk(self, namespace: str, batch_id: str, kind: str, number: int) -> Chunk:
        found = self._table.get(keys.batch_chunk(namespace, batch_id, kind, number))
        return formats.CHUNK.decode(found.b, Chunk) if found else Chunk()
