"""The embedded store: definitions, runs, idempotency keys and signals in one SQLite file."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from chalicelib.adapters.sqlite.database import Database
from chalicelib.adapters.sqlite.definitions import SqliteDefinitions
from chalicelib.adapters.sqlite.runs import SqliteRuns
from chalicelib.engine.run import Instant
from chalicelib.service.ports import Signal


class SqliteKeys:
    def __init__(self, database: Database) -> None:
        self._database = database

    def claim(self, namespace: str, key: str, value: str, now: Instant, ttl: int) -> str:
        with self._database.transaction() as connection:
            connection.execute("DELETE FROM keys WHERE expires_at <= ?", (now,))
            connection.execute(
                "INSERT INTO keys VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING", (namespace, key, value, now + ttl)
            )
            query = "SELECT value FROM keys WHERE namespace = ? AND key = ?"
            return str(connection.execute(query, (namespace, key)).fetchone()[0])


class SqliteSignals:
    def __init__(self, database: Database) -> None:
        self._database = database

    def put(self, namespace: str, signal: Signal) -> None:
        values = (namespace, signal.at, signal.id, signal.expires_at, msgspec.json.encode(signal))
        with self._database.transaction() as connection:
            connection.execute("DELETE FROM signals WHERE expires_at <= ?", (signal.at,))
            connection.execute("INSERT OR REPLACE INTO signals VALUES (?, ?, ?, ?, ?)", values)

    def list(self, namespace: str, now: Instant, limit: int) -> Sequence[Signal]:
        found = self._database.rows(
            "SELECT body FROM signals WHERE namespace = ? AND expires_at > ? ORDER BY at DESC, id DESC LIMIT ?",
            (namespace, now, limit),
        )
        return [msgspec.json.decode(body, type=Signal) for (body,) in found]


class SqliteStore:
    """All stores in one database."""

    def __init__(self, database: Database) -> None:
        self.definitions = SqliteDefinitions(database)
        self.runs = SqliteRuns(database)
        self.keys = SqliteKeys(database)
        self.signals = SqliteSignals(database)
