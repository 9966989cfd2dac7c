"""Batches in SQLite: a row each, and a row per chunk. Expired ones are deleted when a batch is created."""

from __future__ import annotations

from collections.abc import Sequence

from chalicelib.adapters.sqlite.database import Database
from chalicelib.adapters.store_rules import batch_conflict, kind_of_chunk
from chalicelib.model import formats
from chalicelib.model.times import Instant
from chalicelib.service.ports.batches import Batch, Chunk, Result, Target


class SqliteBatches:
    def __init__(self, database: Database) -> None:
        self._database = database

    def save(self, namespace: str, batch: Batch, seen: int | None) -> None:
        body = formats.BATCH.encode(batch)
        if seen is not None:
            change = "UPDATE batches SET version = ?, body = ? WHERE namespace = ? AND id = ? AND version = ?"
            if not self._database.change(change, (batch.version, body, namespace, batch.id, seen)):
                raise batch_conflict(batch.id)
            return
        with self._database.transaction() as connection:
            for table in ("batch_chunks", "batches"):
                connection.execute(
                    f"DELETE FROM {table} WHERE expires_at <= ?",  # noqa: S608 - no text of a caller
                    (batch.created_at,),
                )
            row = (namespace, batch.id, batch.version, batch.expires_at, body)
            if not connection.execute(
                "INSERT INTO batches VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING", row
            ).rowcount:
                raise batch_conflict(batch.id)

    def load(self, namespace: str, batch_id: str) -> Batch | None:
        found = self._database.rows("SELECT body FROM batches WHERE namespace = ? AND id = ?", (namespace, batch_id))
        return formats.BATCH.decode(found[0][0], Batch) if found else None

    def list(self, namespace: str, now: Instant, limit: int, before: str = "") -> Sequence[Batch]:
        found = self._database.rows(
            "SELECT body FROM batches WHERE namespace = ? AND expires_at > ? AND (id < ? OR ? = '')"
            " ORDER BY id DESC LIMIT ?",
            (namespace, now, before, before, limit),
        )
        return [formats.BATCH.decode(body, Batch) for (body,) in found]

    def put_chunk(self, namespace: str, batch: Batch, number: int, chunk: Chunk) -> None:
        values = (namespace, batch.id, kind_of_chunk(chunk), number, batch.expires_at, formats.CHUNK.encode(chunk))
        self._database.change("INSERT OR REPLACE INTO batch_chunks VALUES (?, ?, ?, ?, ?, ?)", values)

    def targets(self, namespace: str, batch_id: str, number: int) -> tuple[Target, ...]:
        return self._chunk(namespace, batch_id, "t", number).targets

    def results(self, namespace: str, batch_id: str, number: int) -> tuple[Result, ...]:
        return self._chunk(namespace, batch_id, "r", number).results

    def _chunk(self, namespace: str, batch_id: str, kind: str, number: int) -> Chunk:
        query = "SELECT body FROM batch_chunks WHERE namespace = ? AND batch = ? AND kind = ? AND number = ?"
        found = self._database.rows(query, (namespace, batch_id, kind, number))
        return formats.CHUNK.decode(found[0][0], Chunk) if found else Chunk()
