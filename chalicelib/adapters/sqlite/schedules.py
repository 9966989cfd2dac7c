"""States of schedules in SQLite: one row each, written on the condition of its version."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import islice
from typing import Final

from chalicelib.adapters.sqlite.database import Database
from chalicelib.adapters.store_rules import schedule_conflict
from chalicelib.model import formats
from chalicelib.model.times import Instant
from chalicelib.service.ports.schedules import DueSchedule, ScheduleState

_STATES_AT_ONCE: Final = 500


class SqliteSchedules:
    def __init__(self, database: Database) -> None:
        self._database = database

    def load(self, namespace: str, names: Iterable[str]) -> dict[str, ScheduleState]:
        found: dict[str, ScheduleState] = {}
        wanted = iter(names)
        while some := list(islice(wanted, _STATES_AT_ONCE)):
            marks = ", ".join("?" * len(some))
            query = f"SELECT name, body FROM schedules WHERE namespace = ? AND name IN ({marks})"  # noqa: S608
            for name, body in self._database.rows(query, (namespace, *some)):
                found[name] = formats.SCHEDULE.decode(body, ScheduleState)
        return found

    def save(self, namespace: str, state: ScheduleState, seen: int | None) -> None:
        values = (state.version, state.wake_at, formats.SCHEDULE.encode(state), namespace, state.name)
        if seen is None:
            columns = "INSERT INTO schedules (version, wake_at, body, namespace, name)"
            saved = self._database.change(f"{columns} VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING", values)
        else:
            change = "UPDATE schedules SET version = ?, wake_at = ?, body = ?"
            saved = self._database.change(f"{change} WHERE namespace = ? AND name = ? AND version = ?", (*values, seen))
        if not saved:
            raise schedule_conflict(state.name)

    def delete(self, namespace: str, state: ScheduleState) -> None:
        key = (namespace, state.name)
        sql = "DELETE FROM schedules WHERE namespace = ? AND name = ?"
        if self._database.change(f"{sql} AND version = ?", (*key, state.version)):
            return
        if self._database.rows("SELECT 1 FROM schedules WHERE namespace = ? AND name = ?", key):
            raise schedule_conflict(state.name)

    def due(self, until: Instant, limit: int, since: Instant = 0) -> Sequence[DueSchedule]:
        query = (
            "SELECT namespace, name, wake_at FROM schedules WHERE wake_at <= ? AND wake_at >= ?"
            " ORDER BY wake_at LIMIT ?"
        )
        return [DueSchedule(*found) for found in self._database.rows(query, (until, since, limit))]
