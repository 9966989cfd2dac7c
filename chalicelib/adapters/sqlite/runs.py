"""Runs in SQLite: a head is one row, and every save is one statement, conditional on the version that was read."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from itertools import islice
from typing import Final

from chalicelib.adapters.sqlite.database import Database
from chalicelib.adapters.sqlite.listing import count, listing
from chalicelib.adapters.store_rules import conflict_error
from chalicelib.model.flow import Flow
from chalicelib.model.history import Page, decode_page, encode_page
from chalicelib.model.json_values import decode as decode_value
from chalicelib.model.json_values import encode as encode_value
from chalicelib.model.run import Run, decode_run, encode
from chalicelib.model.times import Instant
from chalicelib.service.errors import NotFound, RunExists
from chalicelib.service.ports.runs import Counts, DueTimer, Listing, NewRun, RunQuery
from chalicelib.service.runs.matching import error_of, flow_of, labels_of, parent_of, timer_of, undo_failed

_PAGES_AT_ONCE: Final = 32
_VALUES_AT_ONCE: Final = 500
_INSERT_LABEL: Final = "INSERT OR IGNORE INTO labels VALUES (?, ?, ?, ?, ?)"
_DELETE_LABEL: Final = (
    "DELETE FROM labels WHERE namespace = ? AND label = ? AND value = ? AND created_at = ? AND name = ?"
)


class SqliteRuns:
    def __init__(self, database: Database) -> None:
        self._database = database

    def together(self) -> AbstractContextManager[object]:
        return self._database.transaction()

    def create(self, new: NewRun) -> None:
        if new.own is None and not new.run.labels:
            if not self._database.change(*_insert(new)):
                raise RunExists(new.run.name)
            return
        with self._database.transaction() as connection:
            create_within(connection, new)

    def load(self, namespace: str, name: str) -> Run | None:
        found = self._database.rows("SELECT body FROM runs WHERE namespace = ? AND name = ?", (namespace, name))
        return decode_run(found[0][0]) if found else None

    def own_flow(self, run: Run) -> Flow:
        query = "SELECT body FROM own_flows WHERE namespace = ? AND run = ?"
        found = self._database.rows(query, (run.namespace, run.id))
        if not found:
            raise NotFound("flow of flow_run", run.name)
        return decode_value(found[0][0], Flow)

    def put_page(self, run: Run, page: Page) -> None:
        values = (run.namespace, run.id, page.last, encode_page(page))
        self._database.change("INSERT OR IGNORE INTO pages VALUES (?, ?, ?, ?)", values)

    def pages(self, run: Run, after: int) -> Iterator[Page]:
        query = "SELECT last, body FROM pages WHERE namespace = ? AND run = ? AND last > ? ORDER BY last LIMIT ?"
        while found := self._database.rows(query, (run.namespace, run.id, after, _PAGES_AT_ONCE)):
            for last, body in found:
                yield decode_page(body)
                after = last

    def page_numbers(self, run: Run, limit: int) -> Sequence[int]:
        query = "SELECT last FROM pages WHERE namespace = ? AND run = ? ORDER BY last LIMIT ?"
        return [last for (last,) in self._database.rows(query, (run.namespace, run.id, limit))]

    def put_blobs(self, run: Run, values: Mapping[str, bytes]) -> None:
        rows = [(run.namespace, run.id, key, value) for key, value in values.items()]
        with self._database.transaction() as connection:
            connection.executemany("INSERT OR IGNORE INTO blobs VALUES (?, ?, ?, ?)", rows)

    def blobs(self, run: Run, keys: Iterable[str]) -> dict[str, bytes]:
        found: dict[str, bytes] = {}
        wanted = iter(keys)
        while some := list(islice(wanted, _VALUES_AT_ONCE)):
            marks = ", ".join("?" * len(some))
            query = f"SELECT key, value FROM blobs WHERE namespace = ? AND run = ? AND key IN ({marks})"  # noqa: S608
            found.update(self._database.rows(query, (run.namespace, run.id, *some)))
        return found

    def save(self, run: Run, seen: int, body: bytes = b"") -> None:
        body = body or encode(run)
        if not self._database.change(*_advance(run, seen, body)) and not self._database.change(
            *_update(run, seen, body)
        ):
            raise conflict_error(run)

    def save_relabeled(self, run: Run, before: Run, body: bytes = b"") -> None:
        with self._database.transaction() as connection:
            if not connection.execute(*_update(run, before.version, body)).rowcount:
                raise conflict_error(run)
            connection.executemany(_DELETE_LABEL, _label_rows(before))
            connection.executemany(_INSERT_LABEL, _label_rows(run))

    def delete(self, run: Run) -> None:
        key = (run.namespace, run.name)
        with self._database.transaction() as connection:
            found = connection.execute("SELECT id, version FROM runs WHERE namespace = ? AND name = ?", key).fetchone()
            if found is None:
                return
            if found != (run.id, run.version):
                raise conflict_error(run)
            for table in ("pages", "own_flows", "blobs", "deliveries"):
                sql = f"DELETE FROM {table} WHERE namespace = ? AND run = ?"  # noqa: S608 - no text of a caller
                connection.execute(sql, (run.namespace, run.id))
            connection.executemany(_DELETE_LABEL, _label_rows(run))
            connection.execute("DELETE FROM runs WHERE namespace = ? AND name = ?", key)

    def list(self, namespace: str, query: RunQuery) -> Listing:
        return listing(self._database, namespace, query)

    def count(self, namespace: str, query: RunQuery, most: int) -> Counts:
        return count(self._database, namespace, query, most)

    def changed(self, namespace: str, since: Instant, limit: int) -> Sequence[Run]:
        query = "SELECT body FROM runs WHERE namespace = ? AND status_at >= ? ORDER BY status_at, name LIMIT ?"
        return [decode_run(body) for (body,) in self._database.rows(query, (namespace, since, limit))]

    def due(self, until: Instant, limit: int, since: Instant = 0) -> Sequence[DueTimer]:
        query = (
            "SELECT namespace, name, timer_at FROM runs WHERE timer_at <= ? AND timer_at >= ? ORDER BY timer_at LIMIT ?"
        )
        return [DueTimer(*found) for found in self._database.rows(query, (until, since, limit))]


def create_within(connection: sqlite3.Connection, new: NewRun) -> None:
    """Insert the run, its own flow and its labels within a transaction. Raises RunExists."""
    run = new.run
    if not connection.execute(*_insert(new)).rowcount:
        raise RunExists(run.name)
    if new.own is not None:
        values = (run.namespace, run.id, encode_value(new.own))
        connection.execute("INSERT OR REPLACE INTO own_flows VALUES (?, ?, ?)", values)
    connection.executemany(_INSERT_LABEL, _label_rows(run))


def _insert(new: NewRun) -> tuple[str, tuple[object, ...]]:
    run = new.run
    sql = "INSERT INTO runs VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING"
    key = (run.namespace, run.name, run.id, run.version, run.status, run.status_at)
    values = (flow_of(run), run.created_at, timer_of(run), new.body or encode(run), undo_failed(run))
    return sql, (*key, *values, error_of(run), parent_of(run), run.definition.version)


def _advance(run: Run, seen: int, body: bytes) -> tuple[str, tuple[object, ...]]:
    """Return the update of a head of which no index changes. SQLite writes each index of a column that is set."""
    sql = (
        "UPDATE runs SET version = ?, body = ? WHERE namespace = ? AND name = ? AND version = ? AND id = ?"
        " AND status = ? AND status_at = ? AND timer_at IS ? AND undo_failed IS ? AND error IS ? AND flow_version IS ?"
    )
    same = (run.status, run.status_at, timer_of(run), undo_failed(run), error_of(run), run.definition.version)
    return sql, (run.version, body, run.namespace, run.name, seen, run.id, *same)


def _update(run: Run, seen: int, body: bytes) -> tuple[str, tuple[object, ...]]:
    sql = (
        "UPDATE runs SET version = ?, status = ?, status_at = ?, timer_at = ?, body = ?, undo_failed = ?, error = ?,"
        " flow_version = ?"
        " WHERE namespace = ? AND name = ? AND version = ? AND id = ?"
    )
    changed = (run.version, run.status, run.status_at, timer_of(run), body or encode(run), undo_failed(run))
    return sql, (*changed, error_of(run), run.definition.version, run.namespace, run.name, seen, run.id)


def _label_rows(run: Run) -> list[tuple[object, ...]]:
    return [(run.namespace, label, value, run.created_at, run.name) for label, value in labels_of(run).items()]
