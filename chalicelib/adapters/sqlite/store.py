"""The embedded store: definitions, runs and everything else in one SQLite file.

Expired rows are deleted when a row of the same kind is written.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Final

from chalicelib.adapters.sqlite.batches import SqliteBatches
from chalicelib.adapters.sqlite.database import Database
from chalicelib.adapters.sqlite.definitions import SqliteDefinitions
from chalicelib.adapters.sqlite.deliveries import SqliteDeliveries
from chalicelib.adapters.sqlite.runs import SqliteRuns
from chalicelib.adapters.sqlite.schedules import SqliteSchedules
from chalicelib.adapters.store_rules import versioned_value_conflict
from chalicelib.model import formats
from chalicelib.model.times import Instant
from chalicelib.service.cached_values import is_cached
from chalicelib.service.ports.events import Signal, Subscription
from chalicelib.service.ports.tasks import Task
from chalicelib.service.ports.waiters import Waiter

_SIGNALS_AT_ONCE: Final = 20
"""The number of signals read at a time. A wait takes one."""


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
    """Calls `changed` after a value is written that processes keep in memory."""

    def __init__(self, database: Database, changed: Callable[[], None]) -> None:
        self._database = database
        self._changed = changed

    def read(self, namespace: str, key: str) -> tuple[bytes, int]:
        query = "SELECT value, version FROM versioned_values WHERE namespace = ? AND key = ?"
        found = self._database.rows(query, (namespace, key))
        return found[0] if found else (b"", 0)

    def write(self, namespace: str, key: str, value: bytes, seen: int) -> None:
        if seen:
            change = "UPDATE versioned_values SET value = ?, version = version + 1"
            sql = f"{change} WHERE namespace = ? AND key = ? AND version = ?"
        else:
            change = "INSERT INTO versioned_values (value, namespace, key, version) VALUES (?, ?, ?, 1 + ?)"
            sql = f"{change} ON CONFLICT DO NOTHING"
        if not self._database.change(sql, (value, namespace, key, seen)):
            raise versioned_value_conflict(key)
        if is_cached(namespace, key):
            self._database.at_end(self._changed)


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
                (*key, signal.expires_at, formats.SIGNAL.encode(signal)),
            )

    def stored(
        self, namespace: str, name: str, key: str, run: str, now: Instant, since: Instant = 0
    ) -> Iterator[Signal]:
        last = (since, "")
        while True:
            found = self._database.rows(
                "SELECT body FROM signals WHERE namespace = ? AND name = ? AND key = ? AND run = ? AND expires_at > ?"
                " AND (at, id) > (?, ?) ORDER BY at, id LIMIT ?",
                (namespace, name, key, run, now, *last, _SIGNALS_AT_ONCE),
            )
            for (body,) in found:
                signal = formats.SIGNAL.decode(body, Signal)
                last = (signal.at, signal.id)
                yield signal
            if len(found) < _SIGNALS_AT_ONCE:
                return

    def subscribe(self, namespace: str, subscription: Subscription) -> None:
        values = (*_identity(namespace, subscription), subscription.until)
        self._database.change("INSERT OR REPLACE INTO subscriptions VALUES (?, ?, ?, ?, ?, ?)", values)

    def unsubscribe(self, namespace: str, subscription: Subscription) -> None:
        self._database.change(
            "DELETE FROM subscriptions WHERE namespace = ? AND name = ? AND key = ? AND run = ? AND uuid = ?",
            _identity(namespace, subscription),
        )

    def subscriptions(self, namespace: str, name: str, key: str) -> Sequence[Subscription]:
        found = self._database.rows(
            "SELECT run, uuid, until FROM subscriptions WHERE namespace = ? AND name = ? AND key = ?",
            (namespace, name, key),
        )
        return [Subscription(name=name, key=key, run=run, uuid=uuid, until=until) for run, uuid, until in found]

    def list(
        self, namespace: str, now: Instant, limit: int, before: tuple[Instant, str] | None = None
    ) -> Sequence[Signal]:
        below, values = ("AND (at, id) < (?, ?)", before) if before else ("", ())
        found = self._database.rows(
            f"SELECT body FROM signals WHERE namespace = ? AND expires_at > ? {below}"  # noqa: S608 - no text of a caller
            " ORDER BY at DESC, id DESC LIMIT ?",
            (namespace, now, *values, limit),
        )
        return [formats.SIGNAL.decode(body, Signal) for (body,) in found]


def _identity(namespace: str, subscription: Subscription) -> tuple[str, str, str, str, str]:
    """Return what identifies the subscription."""
    return namespace, subscription.name, subscription.key, subscription.run, subscription.uuid


_TASKS_BY_AGE: Final = (
    "SELECT run, uuid, since, until FROM tasks WHERE namespace = ? AND (since, uuid) > (?, ?)"
    " ORDER BY since, uuid LIMIT ?"
)
_TASKS_BY_DEADLINE: Final = (
    "SELECT run, uuid, since, until FROM tasks WHERE namespace = ? AND (until, uuid) > (?, ?)"
    " ORDER BY until, uuid LIMIT ?"
)


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

    def list(
        self, namespace: str, limit: int, after: Task | None = None, *, by_deadline: bool = False
    ) -> Sequence[Task]:
        place = after.place(by_deadline=by_deadline) if after else (-1, "")
        sql = _TASKS_BY_DEADLINE if by_deadline else _TASKS_BY_AGE
        found = self._database.rows(sql, (namespace, *place, limit))
        return [Task(run=run, uuid=uuid, since=since, until=until) for run, uuid, since, until in found]


class SqliteWaiters:
    def __init__(self, database: Database) -> None:
        self._database = database

    def put(self, namespace: str, queue: str, waiter: Waiter) -> None:
        values = (namespace, queue, waiter.at, waiter.place, waiter.uuid, formats.WAITER.encode(waiter))
        self._database.change("INSERT OR REPLACE INTO waiters VALUES (?, ?, ?, ?, ?, ?)", values)

    def remove(self, namespace: str, queue: str, waiters: Sequence[Waiter]) -> None:
        with self._database.transaction() as connection:
            connection.executemany(
                "DELETE FROM waiters WHERE namespace = ? AND queue = ? AND at = ? AND place = ? AND uuid = ?",
                [(namespace, queue, waiter.at, waiter.place, waiter.uuid) for waiter in waiters],
            )

    def first(self, namespace: str, queue: str, limit: int) -> Sequence[Waiter]:
        found = self._database.rows(
            "SELECT body FROM waiters WHERE namespace = ? AND queue = ? ORDER BY at, place, uuid LIMIT ?",
            (namespace, queue, limit),
        )
        return [formats.WAITER.decode(body, Waiter) for (body,) in found]


class SqliteStore:
    """All stores in one database.

    `changed` is called after something is written that other processes keep in memory.
    """

    def __init__(self, database: Database, changed: Callable[[], None] = lambda: None) -> None:
        self.definitions = SqliteDefinitions(database, changed)
        self.runs = SqliteRuns(database)
        self.keys = SqliteKeys(database)
        self.signals = SqliteSignals(database)
        self.tasks = SqliteTasks(database)
        self.schedules = SqliteSchedules(database)
        self.versioned_values = SqliteVersionedValues(database, changed)
        self.waiters = SqliteWaiters(database)
        self.deliveries = SqliteDeliveries(database)
        self.batches = SqliteBatches(database)
