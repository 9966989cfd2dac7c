"""Deliveries in SQLite. A row is written with the next transaction, which is usually the deletion of its message."""

from __future__ import annotations

from collections.abc import Sequence

from chalicelib.adapters.sqlite.database import Database
from chalicelib.model import formats
from chalicelib.model.run import Run
from chalicelib.service.ports.deliveries import DeliveryRecord


class SqliteDeliveries:
    def __init__(self, database: Database) -> None:
        self._database = database

    def put(self, run: Run, record: DeliveryRecord) -> None:
        values = (run.namespace, run.id, record.uuid, record.at, formats.DELIVERY.encode(record))
        self._database.change_later("INSERT OR REPLACE INTO deliveries VALUES (?, ?, ?, ?, ?)", values)

    def of(self, run: Run, uuid: str, limit: int) -> Sequence[DeliveryRecord]:
        self._database.flush()
        query = "SELECT body FROM deliveries WHERE namespace = ? AND run = ? AND uuid = ? ORDER BY at LIMIT ?"
        found = self._database.rows(query, (run.namespace, run.id, uuid, limit))
        return [formats.DELIVERY.decode(body, DeliveryRecord) for (body,) in found]
