from __future__ import annotations

import sqlite3
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from chalicelib.adapters.sqlite.database import MEMORY, Database
from chalicelib.adapters.sqlite.migrations import MIGRATIONS, backup_path
from chalicelib.adapters.sqlite.store import SqliteStore
from chalicelib.model.run import decode_run
from chalicelib.service.errors import ServiceError
from chalicelib.service.ports.runs import RunQuery
from chalicelib.service.runs.matching import error_of, flow_of, parent_of
from tests.adapters import released

CURRENT = len(MIGRATIONS) + 1


def _schema(path: Path) -> dict[str, Any]:
    """Return the tables with their columns, and the indexes with their columns and conditions."""
    connection = sqlite3.connect(path)
    found = connection.execute("SELECT type, name, tbl_name, sql FROM sqlite_master ORDER BY name").fetchall()
    schema: dict[str, Any] = {}
    for kind, name, table, sql in found:
        pragma = "table_xinfo" if kind == "table" else "index_xinfo"
        condition = (sql or "").partition(" WHERE ")[2]
        schema[f"{kind} {name}"] = (table, condition, connection.execute(f"PRAGMA {pragma}({name})").fetchall())
    connection.close()
    return schema


def _version(path: Path) -> int:
    connection = sqlite3.connect(path)
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    connection.close()
    return int(version)


def _run_names(path: Path) -> set[str]:
    connection = sqlite3.connect(path)
    names = {name for (name,) in connection.execute("SELECT name FROM runs")}
    connection.close()
    return names


def test_a_migrated_file_has_the_schema_of_a_new_one(tmp_path: Path) -> None:
    old, new = released.sqlite_file(tmp_path), tmp_path / "new.db"
    Database.open(old).close()
    Database.open(new).close()
    assert _schema(old) == _schema(new)
    assert (_version(old), _version(new)) == (CURRENT, CURRENT)


def test_a_file_is_copied_before_it_is_migrated(tmp_path: Path) -> None:
    path = released.sqlite_file(tmp_path)
    path.chmod(0o600)
    schema, runs = _schema(path), _run_names(path)
    Database.open(path).close()
    backup = backup_path(path, 1)
    assert backup.name == "echoer.db.v1.backup"
    assert (_version(backup), _schema(backup), _run_names(backup)) == (1, schema, runs)
    assert stat.S_IMODE(backup.stat().st_mode) == 0o600


def test_neither_new_nor_current_files_are_copied(tmp_path: Path) -> None:
    path = tmp_path / "echoer.db"
    for _ in range(2):
        Database.open(path).close()
    assert not list(tmp_path.glob("*backup*"))
    Database.open(MEMORY).close()


def test_a_file_of_a_newer_version_is_refused_and_unchanged(tmp_path: Path) -> None:
    path = released.sqlite_file(tmp_path)
    Database.open(path, migrations=[*MIGRATIONS, lambda _: None]).close()
    before = path.read_bytes()
    message = f"cannot open {path}: it has schema version {CURRENT + 1}, .* versions up to {CURRENT}; install"
    with pytest.raises(ServiceError, match=message):
        Database.open(path)
    assert path.read_bytes() == before


def test_a_migration_that_fails_changes_nothing(tmp_path: Path) -> None:
    path = released.sqlite_file(tmp_path)
    schema, runs = _schema(path), _run_names(path)

    def fail(connection: sqlite3.Connection) -> None:
        connection.execute("DELETE FROM runs")
        connection.execute("SELECT 1 FROM nowhere")

    with pytest.raises(ServiceError, match="no such table: nowhere"):
        Database.open(path, migrations=[*MIGRATIONS, fail])
    assert (_version(path), _schema(path), _run_names(path)) == (1, schema, runs)
    Database.open(path).close()
    assert (_version(path), _run_names(path)) == (CURRENT, runs)


KILLED = """
import os, signal, sys
from pathlib import Path
from chalicelib.adapters.sqlite import migrations
from chalicelib.adapters.sqlite.database import Database

def die(connection):
    connection.execute("DELETE FROM runs")
    connection.execute("PRAGMA cache_spill = 1")
    os.kill(os.getpid(), signal.SIGKILL)

Database.open(Path(sys.argv[1]), migrations=[*migrations.MIGRATIONS, die])
"""


def test_a_process_that_is_killed_while_it_migrates_leaves_the_file_usable(tmp_path: Path) -> None:
    path = released.sqlite_file(tmp_path)
    runs = _run_names(path)
    incomplete = path.with_name("echoer.db.v1.backup.incomplete")
    incomplete.write_text("left by a process that was killed while it copied the file")
    ended = subprocess.run([sys.executable, "-c", KILLED, str(path)], check=False)  # noqa: S603 - our own text
    assert ended.returncode == -9
    Database.open(path).close()
    assert (_version(path), _run_names(path)) == (CURRENT, runs)
    assert _run_names(backup_path(path, 1)) == runs
    assert not incomplete.exists()


def test_runs_of_an_older_file_are_found_by_every_filter(tmp_path: Path) -> None:
    path = released.sqlite_file(tmp_path)
    database = Database.open(path)
    store = SqliteStore(database)
    found = 0
    for namespace in ("default", "other"):
        for run in store.runs.list(namespace, RunQuery(limit=1_000)).runs:
            queries = [RunQuery(flow=flow_of(run), version=run.definition.version or None)]
            if run.parent:
                queries.append(RunQuery(parent=run.parent.run))
            if error := error_of(run):
                queries.append(RunQuery(error=error))
            for query in queries:
                assert run.name in [one.name for one in store.runs.list(namespace, replace(query, limit=1_000)).runs]
            found += len(queries)
    assert found > 5
    stored: dict[str, str | None] = dict(database.rows("SELECT name, parent FROM runs"))
    assert stored == {name: parent_of(decode_run(body)) for name, body in database.rows("SELECT name, body FROM runs")}
    database.close()
