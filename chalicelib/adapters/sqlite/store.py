"""The embedded store: definitions, runs, keys, cells, signals and tasks in one SQLite file.

What has expired is deleted when something of its kind is written.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

import msgspec

from chalicelib.adapters.sqlite.database import Database
from chalicelib.adapters.sqlite.definitions import SqliteDefinitions
from chalicelib.adapters.sqlite.runs import SqliteRuns
from chalicelib.adapters.store_rules import versioned_value_conflict
from chalicelib.model.times import Instant
from chalicelib.service.ports.events import Signal, Subscription
from chalicelib.service.ports.tasks import Task

_AT_ONCE: Final = 20
"""How many signals are read at a time for a wait, which takes one."""


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


class SqliteVersionedValues:
    def __init__(self, database: Database) -> None:
        self._database = database

    def read(self, namespace: str, key: str) -> tuple[bytes, int]:
        query = "SELECT value, version FROM cells WHERE namespace = ? AND key = ?"
        found = self._database.rows(query, (namespace, key))
        return found[0] if found else (b"", 0)

    def write(self, namespace: str, key: str, value: bytes, seen: int) -> None:
        if seen:
            sql = "UPDATE cells SET value = ?, version = version + 1 WHERE namespace = ? AND key = ? AND version = ?"
        else:
            sql = "INSERT INTO cells (value, namespace, key, version) VALUES (?, ?, ?, 1 + ?) ON CONFLICT DO NOTHING"
        if not self._database.change(sql, (value, namespace, key, seen)):
            raise versioned_value_conflict(key)


class SqliteSignals:
    def __init__(self, database: Database) -> None:
        self._database = database

    def put(self, namespace: str, signal: Signal) -> None:
        key = (namespace, signal.at, signal.id, signal.name, signal.key, signal.run)
        with self._database.transaction() as connection:
            connection.execute("DELETE FROM signals WHERE expires_at <= ?", (signal.at,))
            connection.execute("DELETE FROM subscriptions WHERE until <= ?", (signal.at,))
            connection.execute(
                "INSERT OR REPLACE INTO signals VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                (*key, signal.expires_at, msgspec.json.encode(signal)),
            )

    def stored(
        self, namespace: str, name: str, key: str, run: str, now: Instant, since: Instant = 0
    ) -> Iterator[Signal]:
        last = (since, "")
        while True:
            found = self._database.rows(
                "SELECT body FROM signals WHERE namespace = ? AND name = ? AND key = ? AND run = ? AND expires_at > ?"
                " AND (at, id) > (?, ?) ORDER BY at, id LIMIT ?",
                (namespace, name, key, run, now, *last, _AT_ONCE),
            )
            for (body,) in found:
                signal = msgspec.json.decode(body, type=Signal)
                last = (signal.at, signal.id)
                yield signal
            if len(found) < _AT_ONCE:
                return

    def subscribe(self, namespace: str, subscription: Subscription) -> None:
        values = (*_waiting(namespace, subscription), subscription.until)
        self._database.change("INSERT OR REPLACE INTO subscriptions VALUES (?, ?, ?, ?, ?, ?)", values)

    def unsubscribe(self, namespace: str, subscription: Subscription) -> None:
        self._database.change(
            "DELETE FROM subscriptions WHERE namespace = ? AND name = ? AND key = ? AND run = ? AND uuid = ?",
            _waiting(namespace, subscription),
        )

    def subscriptions(self, namespace: str, name: str, key: str) -> Sequence[Subscription]:
        found = self._database.rows(
            "SELECT run, uuid, until FROM subscriptions WHERE namespace = ? AND name = ? AND key = ?",
            (namespace, name, key),
        )
        return [Subscription(name=name, key=key, run=run, uuid=uuid, until=until) for run, uuid, until in found]

    def list(self, namespace: str, now: Instant, limit: int) -> Sequence[Signal]:
        found = self._database.rows(
            "SELECT body FROM signals WHERE namespace = ? AND expires_at > ? ORDER BY at DESC, id DESC LIMIT ?",
            (namespace, now, limit),
        )
        return [msgspec.json.decode(body, type=Signal) for (body,) in found]


def _waiting(namespace: str, subscription: Subscription) -> tuple[str, str, str, str, str]:
    """What tells one subscription from another."""
    return namespace, subscription.name, subscription.key, subscription.run, subscription.uuid


class SqliteTasks:
    def __init__(self, database: Database) -> None:
        self._database = database

    def put(self, namespace: str, task: Task) -> None:
        values = (namespace, task.since, task.uuid, task.run, task.until)
        with self._database.transaction() as connection:
            connection.execute("DELETE FROM tasks WHERE until <= ?", (task.since,))
            connection.execute("INSERT OR REPLACE INTO tasks VALUES (?, ?, ?, ?, ?)", values)

    def remove(self, namespace: str, task: Task) -> None:
        sql = "DELETE FROM tasks WHERE namespace = ? AND since = ? AND uuid = ?"
        self._database.change(sql, (namespace, task.since, task.uuid))

    def list(self, namespace: str, limit: int, after: Task | None = None) -> Sequence[Task]:
        found = self._database.rows(
            "SELECT run, uuid, since, until FROM tasks WHERE namespace = ? AND (since, uuid) > (?, ?)"
            " ORDER BY since, uuid LIMIT ?",
            (namespace, *((after.since, after.uuid) if after else (-1, "")), limit),
        )
        return [Task(run=run, uuid=uuid, since=since, until=until) for run, uuid, since, until in found]


class SqliteStore:
    """All stores in one database."""

    def __init__(self, database: Database) -> None:
        self.definitions = SqliteDefinitions(database)
        self.runs = SqliteRuns(database)
        self.keys = SqliteKeys(database)
        self.signals = SqliteSignals(database)
        self.tasks = SqliteTasks(database)
        self.versioned_values = SqliteVersionedValues(database)
