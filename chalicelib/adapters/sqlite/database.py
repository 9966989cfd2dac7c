"""One SQLite file, used by the threads of one process, or of several that one server starts.

**Durability.** The file is in WAL mode. A commit is handed to the operating system before it is acknowledged, so
killing the process (`kill -9`) loses nothing. With `full_sync=False` (SQLite's synchronous=NORMAL) the disk is flushed
at checkpoints only: a power failure can lose the last commits, in order, but never corrupts the file. With
`full_sync=True` every commit waits for the disk.

**Concurrency.** There is one writer at a time: a lock in the process, one between processes, and BEGIN IMMEDIATE. A
single statement is a transaction of its own. Each concurrent reader borrows a connection of its own and sees the last
commit.
A lock file keeps a second server from opening the file, because it would take the messages that the first one has
received for abandoned ones (`files.py`). The processes of one server share the lock that the server has taken.

A `:memory:` database is one connection that all threads share under the same lock.
"""

from __future__ import annotations

import logging
import os
import sqlite3
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from threading import RLock
from time import monotonic
from typing import Any, Final, TypeAlias

from chalicelib.adapters.sqlite import files
from chalicelib.adapters.sqlite.errors import ErrorTranslator, reason_of
from chalicelib.adapters.sqlite.migrations import MIGRATIONS, Migration, migrate
from chalicelib.adapters.sqlite.turns import Turns
from chalicelib.service.errors import Busy, ServiceError

LOG = logging.getLogger("echoer.sqlite")

Row: TypeAlias = tuple[Any, ...]

_AtEnd: TypeAlias = tuple[Callable[[], None], Callable[[], None]]
"""What to call when a transaction was committed, and when it was rolled back."""

MEMORY: Final = ":memory:"
_BUSY_TIMEOUT_MS: Final = 5_000
_CLOSE_TIMEOUT_S: Final = 2.0
"""How long `close` waits for readers."""
_CLOSE_INTERVAL_S: Final = 0.01
_CHECK_INTERVAL_S: Final = 1.0
"""How long a successful check counts, so that checks do not wear out the disk."""
_PAGES_PER_CHECKPOINT: Final = 4_000
"""How many pages of 4 KiB the log has before they are moved into the file, for which a commit waits for the disk."""
_MAX_POSTPONED: Final = 200
"""How many postponed statements are kept in memory."""


class Database:
    """An open database. Use `open` to get one; `close` ends it for all threads."""

    def __init__(
        self,
        path: str,
        lock_file: int | None,
        *,
        full_sync: bool = False,
        migrations: Sequence[Migration] = MIGRATIONS,
        turns: int | None = None,
    ) -> None:
        self._path = path
        self._turns = Turns(turns)
        self._full_sync = full_sync
        self._lock_file = lock_file
        self._lock = RLock()
        self._errors = ErrorTranslator()
        self._checked_at = float("-inf")
        self._closed = False
        self._connections: list[sqlite3.Connection] = []
        self._postponed: list[tuple[str, Sequence[object]]] = []
        self._is_in_transaction = False
        self._executed = 0
        """How many postponed statements belong to the transaction."""
        self._at_end: list[_AtEnd] = []
        self._idle: list[sqlite3.Connection] = []
        """Connections for readers that are free."""
        try:
            self._writer = self._connect()
            self._opened = None if path == MEMORY else Path(path).stat()
            migrate(self._writer, None if path == MEMORY else Path(path), migrations)
        except BaseException as error:
            for connection in self._connections:
                connection.close()
            if isinstance(error, sqlite3.Error):
                raise ServiceError(f"cannot open {path}: {error}") from error
            raise

    @classmethod
    def open(
        cls,
        path: str | Path,
        *,
        full_sync: bool = False,
        migrations: Sequence[Migration] = MIGRATIONS,
        turns: int | None = None,
    ) -> Database:
        """Open the file `path`, creating or migrating it as needed, or an unnamed database for `:memory:`.

        `turns`: the server that started this process has the file open and holds its lock. Its processes take turns by
        a lock on the file with this descriptor.

        Raises Busy if another server has it open, and ServiceError if it is damaged or not a database that this version
        can use.
        """
        if str(path) == MEMORY:
            return cls(MEMORY, None, full_sync=full_sync, migrations=migrations)
        real = files.resolved(path)
        if turns is not None:
            return cls(str(real), None, full_sync=full_sync, migrations=migrations, turns=turns)
        lock_file = files.prepare(real)
        try:
            return cls(str(real), lock_file, full_sync=full_sync, migrations=migrations)
        except BaseException:
            os.close(lock_file)
            raise

    def close(self) -> None:
        """Close all connections, and let another server open the file.

        A connection that a reader still uses then stays open until the process ends: closing it under the reader would
        crash the process.
        """
        if self._closed:
            return
        with suppress(ServiceError):  # what cannot be stored any more is lost
            self.flush()
        self._closed = True
        give_up_at = time.monotonic() + _CLOSE_TIMEOUT_S
        while len(self._idle) + 1 < len(self._connections) and time.monotonic() < give_up_at:
            time.sleep(_CLOSE_INTERVAL_S)
        with self._lock, self._errors:
            for connection in (self._writer, *self._idle):
                connection.close()
            self._connections.clear()
            self._idle.clear()
            if self._lock_file is not None:
                os.close(self._lock_file)
                self._lock_file = None

    def rows(self, sql: str, values: Sequence[object] = ()) -> list[Row]:
        """Return the rows that a query finds in the last committed state."""
        with self._errors:
            if self._path == MEMORY:
                with self._lock:
                    return self._writer.execute(sql, values).fetchall()
            connection = self._borrow()
            try:
                return connection.execute(sql, values).fetchall()
            finally:
                self._idle.append(connection)

    def change(self, sql: str, values: Sequence[object] = ()) -> int:
        """Execute a statement, and commit it unless it is part of a transaction. Return the number of rows that it
        changed."""
        if self._postponed:
            with self.transaction() as connection:
                return connection.execute(sql, values).rowcount
        with self._errors, self._lock, self._turns:
            return self._writer.execute(sql, values).rowcount

    def change_rows(self, sql: str, values: Sequence[object] = ()) -> list[Row]:
        """Do the same. Return the rows of the statement's RETURNING clause."""
        if self._postponed:
            with self.transaction() as connection:
                return connection.execute(sql, values).fetchall()
        with self._errors, self._lock, self._turns:
            return self._writer.execute(sql, values).fetchall()

    def change_later(self, sql: str, values: Sequence[object] = ()) -> None:
        """Execute a statement in the next transaction. It is lost if the process ends before."""
        self._postponed.append((sql, values))  # without the lock, which the thread of a transaction holds
        if len(self._postponed) >= _MAX_POSTPONED:
            self.flush()

    def flush(self) -> None:
        """Execute and commit the postponed statements."""
        if self._postponed:
            with self.transaction():
                pass

    def at_end(self, committed: Callable[[], None], rolled_back: Callable[[], None] = lambda: None) -> None:
        """Call one of these when the transaction of this thread ends; `committed` at once if there is none."""
        with self._lock:  # other threads wait here until their transaction is over
            if self._is_in_transaction:
                self._at_end.append((committed, rolled_back))
                return
        committed()

    def transaction(self) -> Transaction:
        """Commit everything done in the `with` block at its end, or nothing if it ends with an exception.

        Within another transaction of this thread it is a part of that one. Postponed statements are executed first.
        They are dropped if one of them fails.
        """
        return Transaction(self)

    def begin(self) -> bool:
        """Begin a transaction, and keep other threads from the database. Return whether it is a part of another one."""
        self._lock.acquire()
        if self._is_in_transaction:
            return True
        self._turns.take()
        try:
            self._writer.execute("BEGIN IMMEDIATE")
            self._is_in_transaction, self._executed = True, len(self._postponed)
            self._execute_postponed(self._postponed[: self._executed])
        except BaseException as error:
            self._is_in_transaction = False
            self._roll_back()
            self._turns.give_back()
            self._lock.release()
            if isinstance(error, sqlite3.Error):
                raise self._errors.translation(error) from error
            raise
        return False

    def end(self, error: BaseException | None, *, is_part: bool) -> None:
        """End what `begin` began: commit it, or roll it back if there is an error."""
        is_committed = False
        ended: Sequence[_AtEnd] = ()
        try:
            if error is None and not is_part:
                self._writer.execute("COMMIT")
                del self._postponed[: self._executed]
                is_committed = True
        except sqlite3.Error as failure:
            error = failure
        finally:
            if not is_part:
                if not is_committed:
                    self._roll_back()
                self._is_in_transaction = False
                ended, self._at_end = self._at_end, []
                self._turns.give_back()
            self._lock.release()
        for committed, rolled_back in ended:
            (committed if is_committed else rolled_back)()
        if isinstance(error, sqlite3.Error):
            raise self._errors.translation(error) from error

    @property
    def lock_file(self) -> int | None:
        """The descriptor that holds the lock of the file, for processes that share the file to inherit."""
        return self._lock_file

    @property
    def writer(self) -> sqlite3.Connection:
        """The connection that writes, for transactions."""
        return self._writer

    def _roll_back(self) -> None:
        if self._writer.in_transaction:
            self._writer.execute("ROLLBACK")

    def _execute_postponed(self, postponed: Sequence[tuple[str, Sequence[object]]]) -> None:
        """Execute the statements in the transaction that has begun, or none of them."""
        try:
            for sql, values in postponed:
                self._writer.execute(sql, values)
        except sqlite3.Error:
            LOG.warning("%d postponed statements failed and are dropped", len(postponed), exc_info=True)
            self._roll_back()
            self._writer.execute("BEGIN IMMEDIATE")

    def check(self) -> None:
        """Write to the file. Raises Busy, which says what fails, if nothing can be stored."""
        if self._path == MEMORY:
            return
        if not self._lock.acquire(timeout=_BUSY_TIMEOUT_MS / 1000):
            raise Busy("nothing can be stored: another write takes long")
        try:
            if monotonic() - self._checked_at < _CHECK_INTERVAL_S:
                return
            if not self._is_in_place():
                raise Busy("nothing can be stored: the file was moved, replaced or deleted while the server runs")
            with self._turns:
                version = self._writer.execute("PRAGMA user_version").fetchone()[0]
                self._writer.execute(f"PRAGMA user_version = {version}")
            self._checked_at = monotonic()
        except sqlite3.Error as exc:
            LOG.error("SQLite cannot write: %s", exc)
            raise Busy(f"nothing can be stored: {reason_of(exc)}") from exc
        finally:
            self._lock.release()

    def _is_in_place(self) -> bool:
        try:
            return self._opened is None or os.path.samestat(Path(self._path).stat(), self._opened)
        except FileNotFoundError:
            return False

    def _borrow(self) -> sqlite3.Connection:
        if self._closed:
            raise ServiceError("the store is closed")
        try:
            return self._idle.pop()
        except IndexError:
            with self._lock:
                return self._connect()

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self._path, isolation_level=None, check_same_thread=False)
        self._connections.append(connection)
        connection.execute(f"PRAGMA busy_timeout = {_BUSY_TIMEOUT_MS}")
        connection.execute(f"PRAGMA wal_autocheckpoint = {_PAGES_PER_CHECKPOINT}")
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute(f"PRAGMA synchronous = {'FULL' if self._full_sync else 'NORMAL'}")
        return connection


class Transaction:
    """A `with` block whose writes are committed at its end."""

    __slots__ = ("_database", "_is_part")

    def __init__(self, database: Database) -> None:
        self._database = database
        self._is_part = False

    def __enter__(self) -> sqlite3.Connection:
        self._is_part = self._database.begin()
        return self._database.writer

    def __exit__(self, _type: object, error: BaseException | None, _traceback: object) -> None:
        self._database.end(error, is_part=self._is_part)
