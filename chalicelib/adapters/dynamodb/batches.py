"""Batches in DynamoDB: an item each, in one partition per namespace, and one per chunk in a partition of the batch."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice

from chalicelib.adapters.dynamodb import keys
from chalicelib.adapters.dynamodb.conditions import K, S, U, V
from chalicelib.adapters.dynamodb.items import Item, Table, seconds
from chalicelib.adapters.store_rules import batch_conflict, kind_of_chunk
from chalicelib.model import formats
from chalicelib.model.times import Instant
from chalicelib.service.ports.batches import Batch, Chunk, Result, Target


class DynamoBatches:
    def __init__(self, table: Table) -> None:
        self._table = table

    def save(self, namespace: str, batch: Batch, seen: int | None) -> None:
        k, s = keys.batch(namespace, batch.id)
        item = Item(
            k,
            s,
            v=batch.version,
            b=formats.BATCH.encode(batch).decode(),
            u=batch.expires_at,
            x=seconds(batch.expires_at),
        )
        unchanged = K.is_absent() if seen is None else V.equals(seen)
        self._table.put(item, unchanged, batch_conflict(batch.id))

    def load(self, namespace: str, batch_id: str) -> Batch | None:
        found = self._table.get(keys.batch(namespace, batch_id))
        return formats.BATCH.decode(found.text, Batch) if found else None

    def list(self, namespace: str, now: Instant, limit: int, before: str = "") -> Sequence[Batch]:
        found = self._table.query(
            keys.batches(namespace),
            S.below(before) if before else None,
            only=U.above(now),
            downwards=True,
            at_once=limit,
        )
        return [formats.BATCH.decode(item.text, Batch) for item in islice(found, limit)]

    def put_chunk(self, namespace: str, batch: Batch, number: int, chunk: Chunk) -> None:
        k, s = keys.batch_chunk(namespace, batch.id, kind_of_chunk(chunk), number)
        body = formats.CHUNK.encode(chunk).decode()
        self._table.put(Item(k, s, b=body, u=batch.expires_at, x=seconds(batch.expires_at)))

    def targets(self, namespace: str, batch_id: str, number: int) -> tuple[Target, ...]:
        return self._chunk(namespace, batch_id, "t", number).targets

    def results(self, namespace: str, batch_id: str, number: int) -> tuple[Result, ...]:
        return self._chunk(namespace, batch_id, "r", number).results

    def _chunk(self, namespace: str, batch_id: str, kind: str, number: int) -> Chunk:
        found = self._table.get(keys.batch_chunk(namespace, batch_id, kind, number))
        return formats.CHUNK.decode(found.text, Chunk) if found else Chunk()
