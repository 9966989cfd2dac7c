"""Deliveries in memory."""

from __future__ import annotations

from collections.abc import Sequence
from threading import RLock

from chalicelib.model import formats
from chalicelib.model.run import Run
from chalicelib.service.ports.deliveries import DeliveryRecord


class MemoryDeliveries:
    def __init__(self, lock: RLock) -> None:
        self._lock = lock
        self._held: dict[tuple[str, str], dict[str, list[bytes]]] = {}

    def put(self, run: Run, record: DeliveryRecord) -> None:
        with self._lock:
            held = self._held.setdefault((run.namespace, run.id), {})
            held.setdefault(record.uuid, []).append(formats.DELIVERY.encode(record))

    def of(self, run: Run, uuid: str, limit: int) -> Sequence[DeliveryRecord]:
        with self._lock:
            held = list(self._held.get((run.namespace, run.id), {}).get(uuid, ()))
        return sorted((formats.DELIVERY.decode(body, DeliveryRecord) for body in held), key=lambda one: one.at)[:limit]

    def forget(self, run: Run) -> None:
        """Remove all deliveries of the run."""
        with self._lock:
            self._held.pop((run.namespace, run.id), None)
