"""Migrations of the SQLite file to the current schema.

The version of a file's schema is its `user_version` (SQLite, "Pragma statements"). A new file gets the current schema
at once. An older file is copied first, to `FILE.vN.backup`, and then migrated in one transaction: after a crash it has
either its old schema or the current one. A file that a newer version of Echoer wrote is refused.

To change the schema, change `schema.SCHEMA` and append a migration that does the same to an existing file. JSON in the
rows has formats of its own (`model/formats.py`) and needs no migration here.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final, TypeAlias

from chalicelib.adapters import private_files
from chalicelib.adapters.sqlite.schema import SCHEMA
from chalicelib.service.errors import ServiceError

Migration: TypeAlias = Callable[[sqlite3.Connection], None]
"""Changes the schema from one version to the next, within a transaction that is open already."""


def _rename_tables(connection: sqlite3.Connection) -> None:
    """Version 1 to 2: use the same names as the code."""
    connection.execute("ALTER TABLE beside RENAME TO blobs")
    connection.execute("ALTER TABLE cells RENAME TO versioned_values")
    connection.execute("ALTER TABLE runs RENAME COLUMN alarm_at TO timer_at")
    connection.execute("DROP INDEX runs_alarms")
    connection.execute("CREATE INDEX runs_timers ON runs (timer_at) WHERE timer_at IS NOT NULL")


def _list_failed_undos(connection: sqlite3.Connection) -> None:
    """Version 2 to 3: find runs with failed undos. No run of version 2 records any."""
    connection.execute("ALTER TABLE runs ADD COLUMN undo_failed INTEGER")
    connection.execute(
        "CREATE INDEX runs_undo_failed ON runs (namespace, created_at, name) WHERE undo_failed IS NOT NULL"
    )


def _add_waiters_and_schedules(connection: sqlite3.Connection) -> None:
    """Version 3 to 4: deliveries that wait for a permit are rows, and so are the states of schedules."""
    connection.execute(
        "CREATE TABLE waiters (namespace TEXT, queue TEXT, at INTEGER, place INTEGER, uuid TEXT, body BLOB NOT NULL,"
        " PRIMARY KEY (namespace, queue, at, place, uuid)) WITHOUT ROWID"
    )
    connection.execute(
        "CREATE TABLE schedules (namespace TEXT, name TEXT, version INTEGER NOT NULL, wake_at INTEGER,"
        " body BLOB NOT NULL, PRIMARY KEY (namespace, name)) WITHOUT ROWID"
    )
    connection.execute("CREATE INDEX schedules_due ON schedules (wake_at) WHERE wake_at IS NOT NULL")


def _find_runs(connection: sqlite3.Connection) -> None:
    """Find runs by error, parent, version of the flow, and deadline."""
    for column in ("error TEXT", "parent TEXT", "flow_version INTEGER"):
        connection.execute(f"ALTER TABLE runs ADD COLUMN {column}")
    connection.execute(
        "UPDATE runs SET parent = json_extract(CAST(body AS TEXT), '$.pr.r'),"
        " flow_version = coalesce(json_extract(CAST(body AS TEXT), '$.df.v'), 0),"
        " error = CASE WHEN status IN ('failed', 'canceled') THEN json_extract(CAST(body AS TEXT), '$.eo.n') END"
    )
    connection.execute("DROP INDEX runs_by_flow")
    connection.execute("CREATE INDEX runs_by_flow ON runs (namespace, flow, status, created_at, name)")
    for column in ("error", "parent"):
        connection.execute(
            f"CREATE INDEX runs_by_{column} ON runs (namespace, {column}, created_at, name) WHERE {column} IS NOT NULL"
        )
    connection.execute("CREATE INDEX runs_due ON runs (namespace, timer_at, name) WHERE timer_at IS NOT NULL")


def _add_deliveries_batches_and_filters(connection: sqlite3.Connection) -> None:
    """Version 4 to 5: deliveries of activations are rows; batches and their chunks; filters of runs are columns."""
    _find_runs(connection)
    connection.execute(
        "CREATE TABLE deliveries (namespace TEXT, run TEXT, uuid TEXT, at INTEGER, body BLOB NOT NULL,"
        " PRIMARY KEY (namespace, run, uuid, at)) WITHOUT ROWID"
    )
    connection.execute(
        "CREATE TABLE batches (namespace TEXT, id TEXT, version INTEGER NOT NULL, expires_at INTEGER NOT NULL,"
        " body BLOB NOT NULL, PRIMARY KEY (namespace, id)) WITHOUT ROWID"
    )
    connection.execute("CREATE INDEX batches_expiry ON batches (expires_at)")
    connection.execute(
        "CREATE TABLE batch_chunks (namespace TEXT, batch TEXT, kind TEXT, number INTEGER, expires_at INTEGER NOT NULL,"
        " body BLOB NOT NULL, PRIMARY KEY (namespace, batch, kind, number))"
    )
    connection.execute("CREATE INDEX batch_chunks_expiry ON batch_chunks (expires_at)")


def _share_queues(_connection: sqlite3.Connection) -> None:
    """Version 5 to 6: names of queues may end with the number of a process. Nothing changes in a file, but earlier
    versions would not receive such messages."""


MIGRATIONS: Final[Sequence[Migration]] = (
    _rename_tables,
    _list_failed_undos,
    _add_waiters_and_schedules,
    _add_deliveries_batches_and_filters,
    _share_queues,
)
"""`MIGRATIONS[0]` leads from version 1 to 2, and so on."""


def migrate(connection: sqlite3.Connection, path: Path | None, migrations: Sequence[Migration] = MIGRATIONS) -> None:
    """Bring the database to the current schema. `path` is its file; None for a database in memory.

    No other connection may be open. Raises ServiceError if the file is of a newer version, and leaves it as it is.
    """
    current = len(migrations) + 1
    found = connection.execute("PRAGMA user_version").fetchone()[0]
    if found > current:
        raise ServiceError(
            f"cannot open {path}: it has schema version {found}, and this version of Echoer knows versions up to "
            f"{current}; install the version of Echoer that wrote the file, or restore a backup of it"
        )
    if found == current:
        return
    if found and path is not None:
        _back_up(connection, path, found)
    connection.execute("BEGIN IMMEDIATE")
    try:
        for migration in migrations[found - 1 :] if found else [_create]:
            migration(connection)
        connection.execute(f"PRAGMA user_version = {current}")
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def backup_path(path: Path, version: int) -> Path:
    """Return the path of the copy that is made of a file of this schema version before it is migrated."""
    return path.with_name(f"{path.name}.v{version}.backup")


def _create(connection: sqlite3.Connection) -> None:
    for statement in SCHEMA.split(";"):
        connection.execute(statement)


def _back_up(connection: sqlite3.Connection, path: Path, version: int) -> None:
    """Copy the whole database. The copy has its name only once it is complete, and only its owner can read it."""
    backup = backup_path(path, version)
    incomplete = backup.with_name(f"{backup.name}.incomplete")
    incomplete.unlink(missing_ok=True)
    private_files.create_file(incomplete)
    connection.execute("VACUUM INTO ?", (str(incomplete),))
    incomplete.replace(backup)
