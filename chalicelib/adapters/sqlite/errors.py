"""Errors of sqlite3 become the service's. Their texts go to the log, because they can quote what is stored."""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Callable
from time import monotonic
from typing import Final

from chalicelib.service.errors import Busy, TooLarge

LOG = logging.getLogger("echoer.sqlite")

LOG_INTERVAL_S: Final = 10.0
"""How often the details of a failure are logged: on a full disk every message of every run fails again and again."""

_PASSING: Final = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED})
"""Another thread or process holds the file for longer than the busy timeout."""

_REASONS: Final = {
    sqlite3.SQLITE_FULL: "the disk is full",
    sqlite3.SQLITE_READONLY: "the file or its disk is read-only",
    sqlite3.SQLITE_IOERR: "the disk reports an error, or a limit on the size of files is reached",
    sqlite3.SQLITE_CANTOPEN: "the file cannot be opened",
    sqlite3.SQLITE_CORRUPT: "the file is damaged; a restart says how to repair it",
    sqlite3.SQLITE_NOTADB: "the file is damaged; a restart says how to repair it",
    sqlite3.SQLITE_BUSY: "another process holds the file",
    sqlite3.SQLITE_LOCKED: "another process holds the file",
}


def reason_of(error: sqlite3.Error) -> str:
    """Return what is wrong, without the text of SQLite."""
    return _REASONS.get(_code_of(error), "the store fails")


def _code_of(error: sqlite3.Error) -> int:
    """Return the error's code without the details of its second byte; 0 for an error of the Python module."""
    code: int = getattr(error, "sqlite_errorcode", 0)
    return code & 0xFF


class ErrorTranslator:
    """Translates the errors of one database: a context manager, which threads share."""

    def __init__(self, now_s: Callable[[], float] = monotonic) -> None:
        self._now_s = now_s
        self._logged_at = float("-inf")
        self._unlogged = 0

    def __enter__(self) -> None:
        """Turn sqlite3's errors in the `with` block into the service's."""

    def __exit__(self, _type: object, error: BaseException | None, _traceback: object) -> None:
        if isinstance(error, sqlite3.Error):
            raise self.translation(error) from error

    def translation(self, error: sqlite3.Error) -> Busy | TooLarge:
        """Log the error, and return the one of the service."""
        if isinstance(error, sqlite3.DataError):
            LOG.warning("SQLite refused a value: %s", error)
            return TooLarge("the value is larger than the store takes")
        self._log(error)
        return Busy("the store is unavailable; try again later")

    def _log(self, error: sqlite3.Error) -> None:
        if "closed database" in str(error):
            LOG.debug("the database is closed: the server is stopping")
        elif _code_of(error) in _PASSING:
            LOG.warning("SQLite is busy: %s", error)
        elif self._now_s() - self._logged_at < LOG_INTERVAL_S:
            self._unlogged += 1
        else:
            more = f"; {self._unlogged} more failures since the last one that was logged" if self._unlogged else ""
            LOG.error("SQLite failed: %s%s", reason_of(error), more, exc_info=error)
            self._logged_at, self._unlogged = self._now_s(), 0
