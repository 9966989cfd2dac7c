"""The files of a database before it is opened: who may read them, who has them open, and whether they are damaged.

`FILE-wal` holds the commits that are not in `FILE` yet. SQLite removes it when the last connection is closed, so it is
there after a crash, and FILE without it lacks commits or is damaged (SQLite, "How To Corrupt An SQLite Database File").
"""

from __future__ import annotations

import errno
import fcntl
import logging
import os
import sqlite3
import time
from contextlib import closing
from pathlib import Path
from typing import Final
from urllib.parse import quote

from chalicelib.adapters import private_files
from chalicelib.service.errors import Busy, ServiceError

LOG = logging.getLogger("echoer.sqlite")

ALWAYS_CHECKED_BYTES: Final = 64 * 1024 * 1024
"""A larger file is checked only if it was not closed properly; a check reads some 500 MB per second."""

LOCK_TIMEOUT_S: Final = 1.0
_LOCK_INTERVAL_S: Final = 0.02
_SHOWN_PROBLEMS: Final = 3
_DAMAGED: Final = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


def resolved(path: str | Path) -> Path:
    """Return the path without symbolic links, so that a file has one name."""
    return Path(os.path.realpath(path))


def log_of(path: Path) -> Path:
    """Return the path of SQLite's write-ahead log of the database."""
    return path.with_name(f"{path.name}-wal")


def prepare(path: Path) -> int:
    """Lock the file, check it, and create it if there is none. `path` must be resolved.

    Return a file descriptor that holds the lock until it is closed or the process ends. Raises Busy if another server
    has the file open, and ServiceError if it cannot be used; then nothing was changed.
    """
    try:
        private_files.make_directory(path.parent)
        lock_file = _take_lock(path)
    except OSError as exc:
        raise ServiceError(f"cannot open {path}: {exc.filename}: {exc.strerror}") from exc
    try:
        if path.exists():
            _refuse_other_names(path)
        if _size(log_of(path)) and not _size(path):
            raise ServiceError(
                f"cannot open {path}: the file is missing or empty, but its write-ahead log {log_of(path).name} is "
                "there; put the file back, or move the log away to begin with an empty database"
            )
        _restrict(path)
        _check(path)
        private_files.create_file(path)
    except BaseException:
        os.close(lock_file)
        raise
    return lock_file


def _take_lock(path: Path) -> int:
    """Wait a moment for the lock: the processes of a server that was killed hold it until they have ended."""
    lock_file = os.open(f"{path}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, private_files.FILE_MODE)
    give_up_at = time.monotonic() + LOCK_TIMEOUT_S
    while True:
        try:
            fcntl.flock(lock_file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as exc:
            is_taken = exc.errno in (errno.EWOULDBLOCK, errno.EACCES)
            if not is_taken or time.monotonic() >= give_up_at:
                os.close(lock_file)
                problem = f"another server uses {path}" if is_taken else f"cannot lock {path}.lock: {exc.strerror}"
                raise (Busy if is_taken else ServiceError)(problem) from exc
            time.sleep(_LOCK_INTERVAL_S)
        else:
            return lock_file


def _refuse_other_names(path: Path) -> None:
    if not path.is_file():
        raise ServiceError(f"cannot open {path}: it is not a file")
    names = path.stat().st_nlink
    if names > 1:
        raise ServiceError(
            f"cannot open {path}: the file has {names} names (hard links), and each name would have a lock and a "
            f"write-ahead log of its own; find the others with `find DIRECTORY -samefile {path}` and remove them, "
            "or use a copy of the file"
        )


def _restrict(path: Path) -> None:
    others = [path, *(path.with_name(path.name + suffix) for suffix in ("-wal", "-shm", "-journal"))]
    changed = [str(one) for one in others if private_files.restrict(one)]
    if changed:
        LOG.info("other users had rights to %s; now only the owner has", ", ".join(changed))


def _check(path: Path) -> None:
    """Raise ServiceError if the file is damaged."""
    logged, size = _size(log_of(path)), _size(path)
    if logged:
        LOG.info("%s was not closed properly; checking it", path)
    elif size > ALWAYS_CHECKED_BYTES or not size or _size(path.with_name(f"{path.name}-journal")):
        return  # SQLite rolls a journal back when it opens the file
    try:
        problems = _problems(path, immutable=not logged)
    except sqlite3.Error as exc:
        if exc.sqlite_errorcode & 0xFF not in _DAMAGED:
            raise ServiceError(f"cannot open {path}: {exc}") from exc
        problems = [str(exc)]
    if problems:
        raise ServiceError(
            f"cannot open {path}: {'; '.join(problems)}. The file is damaged; nothing was changed. Copy {path.name}* "
            f"first. Then put a backup in the place of {path.name}, without {path.name}-wal and {path.name}-shm, or "
            f"recover what can be read: `sqlite3 {path} .recover | sqlite3 recovered.db`, and start with recovered.db"
        )


def _problems(path: Path, *, immutable: bool) -> list[str]:
    """Return what SQLite's quick check finds. An immutable file is read without creating any other file."""
    options = "immutable=1" if immutable else "mode=ro"
    with closing(sqlite3.connect(f"file:{quote(str(path))}?{options}", uri=True)) as connection:
        found = connection.execute(f"PRAGMA quick_check({_SHOWN_PROBLEMS})").fetchall()
    lines = [line for (text,) in found for line in str(text).splitlines() if not line.startswith("***")]
    return [] if lines == ["ok"] else lines[:_SHOWN_PROBLEMS]


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0
