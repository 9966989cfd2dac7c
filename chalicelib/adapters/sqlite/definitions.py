"""Definitions in SQLite: every version is a row; the table `names` has the newest version and the deletion mark."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Sequence
from itertools import islice
from typing import Final

from msgspec.structs import replace

from chalicelib.adapters.sqlite.database import Database
from chalicelib.adapters.sqlite.runs import create_within
from chalicelib.adapters.store_rules import check_distinct, not_newest, not_next
from chalicelib.model import formats
from chalicelib.service.ports.definitions import Definition, Kind
from chalicelib.service.ports.runs import NewRun

_NO_VERSION: Final = 2**62
"""Above every version."""

_NEWEST = (
    "SELECT body, deleted FROM names JOIN definitions USING (namespace, kind, name, version)"
    " WHERE namespace = ? AND kind = ?"
)


class SqliteDefinitions:
    """Calls `changed` after definitions are submitted or deleted."""

    def __init__(self, database: Database, changed: Callable[[], None]) -> None:
        self._database = database
        self._changed = changed

    def latest(
        self, namespace: str, kind: Kind, names: Iterable[str], *, deleted: bool = False
    ) -> dict[str, Definition]:
        found: list[Definition] = []
        wanted = iter(names)
        while some := list(islice(wanted, 500)):
            marks = ", ".join("?" * len(some))
            query = f"{_NEWEST} AND name IN ({marks})"
            found += [_definition(row) for row in self._database.rows(query, (namespace, kind, *some))]
        return {definition.name: definition for definition in found if deleted or not definition.deleted}

    def version(self, namespace: str, kind: Kind, name: str, version: int) -> Definition | None:
        query = "SELECT body, 0 FROM definitions WHERE namespace = ? AND kind = ? AND name = ? AND version = ?"
        found = self._database.rows(query, (namespace, kind, name, version))
        return _definition(found[0]) if found else None

    def versions(
        self, namespace: str, kind: Kind, name: str, limit: int, before: int | None = None
    ) -> Sequence[Definition]:
        query = (
            "SELECT body, 0 FROM definitions WHERE namespace = ? AND kind = ? AND name = ? AND version < ?"
            " ORDER BY version DESC LIMIT ?"
        )
        values = (namespace, kind, name, _NO_VERSION if before is None else before, limit)
        return [_definition(row) for row in self._database.rows(query, values)]

    def list(self, namespace: str, kind: Kind, limit: int, after: str = "") -> Sequence[Definition]:
        query = f"{_NEWEST} AND NOT deleted AND name > ? ORDER BY name LIMIT ?"
        return [_definition(row) for row in self._database.rows(query, (namespace, kind, after, limit))]

    def submit(self, namespace: str, definitions: Sequence[Definition], runs: Sequence[NewRun]) -> None:
        check_distinct(definitions, runs)
        with self._database.transaction() as connection:
            for definition in definitions:
                _define(connection, namespace, definition)
            for new in runs:
                create_within(connection, new)
            if definitions:
                self._database.at_end(self._changed)

    def delete(self, namespace: str, definition: Definition) -> None:
        deleted = self._database.change(
            "UPDATE names SET deleted = 1"
            " WHERE namespace = ? AND kind = ? AND name = ? AND version = ? AND NOT deleted",
            (namespace, definition.kind, definition.name, definition.version),
        )
        if not deleted:
            raise not_newest(definition)
        self._database.at_end(self._changed)


def _define(connection: sqlite3.Connection, namespace: str, definition: Definition) -> None:
    """Add the definition as the newest of its name. Raises Conflict if its version is not the next one."""
    key = (namespace, definition.kind, definition.name)
    query = "SELECT version FROM names WHERE namespace = ? AND kind = ? AND name = ?"
    newest = connection.execute(query, key).fetchone() or (0,)
    if newest[0] != definition.version - 1:
        raise not_next(definition)
    connection.execute("INSERT OR REPLACE INTO names VALUES (?, ?, ?, ?, 0)", (*key, definition.version))
    values = (*key, definition.version, formats.DEFINITION.encode(definition))
    connection.execute("INSERT INTO definitions VALUES (?, ?, ?, ?, ?)", values)


def _definition(row: tuple[bytes, int]) -> Definition:
    return replace(formats.DEFINITION.decode(row[0], Definition), deleted=bool(row[1]))
