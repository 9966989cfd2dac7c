"""Batches in memory."""

from __future__ import annotations

from collections.abc import Sequence
from threading import RLock

from chalicelib.adapters.store_rules import batch_conflict, kind_of_chunk
from chalicelib.model import formats
from chalicelib.model.times import Instant
from chalicelib.service.ports.batches import Batch, Chunk, Result, Target


class MemoryBatches:
    def __init__(self, lock: RLock) -> None:
        self._lock = lock
        self._batches: dict[tuple[str, str], bytes] = {}
        self._chunks: dict[tuple[str, str, str, int], bytes] = {}

    def save(self, namespace: str, batch: Batch, seen: int | None) -> None:
        with self._lock:
            found = self.load(namespace, batch.id)
            if (found.version if found else None) != seen:
                raise batch_conflict(batch.id)
            if seen is None:
                self._forget(batch.created_at)
            self._batches[namespace, batch.id] = formats.BATCH.encode(batch)

    def load(self, namespace: str, batch_id: str) -> Batch | None:
        with self._lock:
            body = self._batches.get((namespace, batch_id))
        return formats.BATCH.decode(body, Batch) if body else None

    def list(self, namespace: str, now: Instant, limit: int, before: str = "") -> Sequence[Batch]:
        with self._lock:
            bodies = [
                body
                for (owner, batch_id), body in sorted(self._batches.items(), reverse=True)
                if owner == namespace and (not before or batch_id < before)
            ]
        batches = (formats.BATCH.decode(body, Batch) for body in bodies)
        return [batch for batch in batches if batch.expires_at > now][:limit]

    def put_chunk(self, namespace: str, batch: Batch, number: int, chunk: Chunk) -> None:
        with self._lock:
            self._chunks[namespace, batch.id, kind_of_chunk(chunk), number] = formats.CHUNK.encode(chunk)

    def targets(self, namespace: str, batch_id: str, number: int) -> tuple[Target, ...]:
        return self._chunk(namespace, batch_id, "t", number).targets

    def results(self, namespace: str, batch_id: str, number: int) -> tuple[Result, ...]:
        return self._chunk(namespace, batch_id, "r", number).results

    def _chunk(self, namespace: str, batch_id: str, kind: str, number: int) -> Chunk:
        with self._lock:
            body = self._chunks.get((namespace, batch_id, kind, number))
        return formats.CHUNK.decode(body, Chunk) if body else Chunk()

    def _forget(self, now: Instant) -> None:
        """Forget what has expired."""
        expired = [
            place for place, body in self._batches.items() if formats.BATCH.decode(body, Batch).expires_at <= now
        ]
        for place in expired:
            del self._batches[place]
            for chunk in [known for known in self._chunks if known[:2] == place]:
                del self._chunks[chunk]
