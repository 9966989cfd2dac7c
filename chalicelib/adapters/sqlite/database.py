"""One SQLite file, used by the threads of one process.

**What survives.** The file is in WAL mode. A commit is handed to the operating system before it is acknowledged, so
killing the process (`kill -9`) loses nothing. With `full_sync=False` (SQLite's synchronous=NORMAL) the disk is told to
write only at checkpoints, so a power failure can lose the last commits, in order, never the file's consistency. With
`full_sync=True` every commit waits for the disk.

**Who writes.** One writer at a time: a lock in the process, and BEGIN IMMEDIATE for transactions. A single statement
is a transaction of its own. Readers borrow a connection each, as many as read at once, and see the last commit. Two
processes on one file are refused by a lock file, since a message received by one would look abandoned to the other.

A database `:memory:` is one connection that all threads share under the same lock.
"""

from __future__ import annotations

import fcntl
import os
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import RLock
from typing import Any, Final, TypeAlias

from chalicelib.service.errors import Busy, ServiceError, TooLarge

Row: TypeAlias = tuple[Any, ...]

MEMORY: Final = ":memory:"
_VERSION: Final = 1
_BUSY_TIMEOUT: Final = 5_000

_SCHEMA: Final = """
CREATE TABLE definitions (namespace TEXT, kind TEXT, name TEXT, version INTEGER, body BLOB NOT NULL,
    PRIMARY KEY (namespace, kind, name, version)) WITHOUT ROWID;
CREATE TABLE names (namespace TEXT, kind TEXT, name TEXT, version INTEGER NOT NULL, deleted INTEGER NOT NULL,
    PRIMARY KEY (namespace, kind, name)) WITHOUT ROWID;

CREATE TABLE runs (namespace TEXT, name TEXT, id TEXT NOT NULL, version INTEGER NOT NULL, status TEXT NOT NULL,
    status_at INTEGER NOT NULL, flow TEXT NOT NULL, created_at INTEGER NOT NULL, alarm_at INTEGER, body BLOB NOT NULL,
    PRIMARY KEY (namespace, name));
CREATE INDEX runs_listed ON runs (namespace, created_at, name);
CREATE INDEX runs_by_status ON runs (namespace, status, created_at, name);
CREATE INDEX runs_by_flow ON runs (namespace, flow, created_at, name);
CREATE INDEX runs_changed ON runs (namespace, status_at, name);
CREATE INDEX runs_alarms ON runs (alarm_at) WHERE alarm_at IS NOT NULL;
CREATE TABLE labels (namespace TEXT, label TEXT, value TEXT, created_at INTEGER, name TEXT,
    PRIMARY KEY (namespace, label, value, created_at, name)) WITHOUT ROWID;
CREATE TABLE own_flows (namespace TEXT, run TEXT, body BLOB NOT NULL, PRIMARY KEY (namespace, run)) WITHOUT ROWID;
CREATE TABLE pages (namespace TEXT, run TEXT, last INTEGER, body BLOB NOT NULL,
    PRIMARY KEY (namespace, run, last)) WITHOUT ROWID;
CREATE TABLE beside (namespace TEXT, run TEXT, key TEXT, value BLOB NOT NULL, PRIMARY KEY (namespace, run, key));

CREATE TABLE keys (namespace TEXT, key TEXT, value TEXT NOT NULL, expires_at INTEGER NOT NULL,
    PRIMARY KEY (namespace, key)) WITHOUT ROWID;
CREATE INDEX keys_expiry ON keys (expires_at);
CREATE TABLE cells (namespace TEXT, key TEXT, value BLOB NOT NULL, version INTEGER NOT NULL,
    PRIMARY KEY (namespace, key)) WITHOUT ROWID;
CREATE TABLE signals (namespace TEXT, at INTEGER, id TEXT, name TEXT NOT NULL, key TEXT NOT NULL, run TEXT NOT NULL,
    expires_at INTEGER NOT NULL, body BLOB NOT NULL, PRIMARY KEY (namespace, at, id));
CREATE INDEX signals_kept ON signals (namespace, name, key, run, at, id);
CREATE INDEX signals_expiry ON signals (expires_at);
CREATE TABLE subscriptions (namespace TEXT, name TEXT, key TEXT, run TEXT, uuid TEXT, until INTEGER NOT NULL,
    PRIMARY KEY (namespace, name, key, run, uuid)) WITHOUT ROWID;
CREATE INDEX subscriptions_expiry ON subscriptions (until);
CREATE TABLE tasks (namespace TEXT, since INTEGER, uuid TEXT, run TEXT NOT NULL, until INTEGER NOT NULL,
    PRIMARY KEY (namespace, since, uuid)) WITHOUT ROWID;
CREATE INDEX tasks_expiry ON tasks (until);

CREATE TABLE messages (id INTEGER PRIMARY KEY AUTOINCREMENT, queue TEXT NOT NULL, visible_at INTEGER NOT NULL,
    count INTEGER NOT NULL, sent_at INTEGER NOT NULL, body TEXT NOT NULL);
CREATE INDEX messages_due ON messages (queue, visible_at);
"""


class Database:
    """An open database. `open` makes one; `close` ends it for all threads."""

    def __init__(self, path: str, full_sync: bool, lock_file: int | None) -> None:  # noqa: FBT001 - `open` is the door
        self._path = path
        self._full_sync = full_sync
        self._lock_file = lock_file
        self._lock = RLock()
        self._connections: list[sqlite3.Connection] = []
        self._idle: list[sqlite3.Connection] = []
        """Connections on which nobody reads."""
        with _translated():
            self._writer = self._connect()
        with self.transaction() as connection:
            _create(connection)

    @classmethod
    def open(cls, path: str | Path, *, full_sync: bool = False) -> Database:
        """The database in the file `path` (made if there is none), or an unnamed one for `:memory:`.

        Raises Busy if another server has it open.
        """
        if str(path) == MEMORY:
            return cls(MEMORY, full_sync, None)
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        lock_file = _take_lock(Path(path))
        try:
            return cls(str(path), full_sync, lock_file)
        except BaseException:
            os.close(lock_file)
            raise

    def close(self) -> None:
        """No thread can use it any more, and another server may open it."""
        with self._lock, _translated():
            for connection in self._connections:
                connection.close()
            self._connections.clear()
            if self._lock_file is not None:
                os.close(self._lock_file)
                self._lock_file = None

    def rows(self, sql: str, values: Sequence[object] = ()) -> list[Row]:
        """What the query finds in the last committed state."""
        with _translated():
            if self._path == MEMORY:
                with self._lock:
                    return self._writer.execute(sql, values).fetchall()
            connection = self._borrow()
            try:
                return connection.execute(sql, values).fetchall()
            finally:
                self._idle.append(connection)

    def change(self, sql: str, values: Sequence[object] = ()) -> int:
        """The statement is carried out and committed; how many rows it changed."""
        with _translated(), self._lock:
            return self._writer.execute(sql, values).rowcount

    def change_rows(self, sql: str, values: Sequence[object] = ()) -> list[Row]:
        """The statement is carried out and committed; the rows of its RETURNING clause."""
        with _translated(), self._lock:
            return self._writer.execute(sql, values).fetchall()

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """All that is done within it is committed at its end, or nothing of it if that is an exception."""
        with _translated(), self._lock:
            self._writer.execute("BEGIN IMMEDIATE")
            try:
                yield self._writer
                self._writer.execute("COMMIT")
            except BaseException:
                if self._writer.in_transaction:
                    self._writer.execute("ROLLBACK")
                raise

    def _borrow(self) -> sqlite3.Connection:
        try:
            return self._idle.pop()
        except IndexError:
            return self._connect()

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self._path, isolation_level=None, check_same_thread=False)
        connection.execute(f"PRAGMA busy_timeout = {_BUSY_TIMEOUT}")
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute(f"PRAGMA synchronous = {'FULL' if self._full_sync else 'NORMAL'}")
        with self._lock:
            self._connections.append(connection)
        return connection


def _create(connection: sqlite3.Connection) -> None:
    """The schema is there, whoever came first. Raises ServiceError for a file that a later version has written."""
    found = connection.execute("PRAGMA user_version").fetchone()[0]
    if found > _VERSION:
        raise ServiceError(f"the database has schema version {found}; this program knows versions up to {_VERSION}")
    if found < 1:
        for statement in _SCHEMA.split(";"):
            connection.execute(statement)
        connection.execute(f"PRAGMA user_version = {_VERSION}")


def _take_lock(path: Path) -> int:
    """A file descriptor that holds `<path>.lock` until it is closed, at the latest when the process ends."""
    lock_file = os.open(f"{path}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock_file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as exc:
        os.close(lock_file)
        raise Busy(f"another server uses {path}") from exc
    return lock_file


@contextmanager
def _translated() -> Iterator[None]:
    """sqlite3's errors in the service's words."""
    try:
        yield
    except sqlite3.DataError as exc:
        raise TooLarge(f"SQLite takes no such value: {exc}") from exc
    except sqlite3.Error as exc:
        raise Busy(f"SQLite: {exc}") from exc
