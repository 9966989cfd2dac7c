"""States of schedules in memory."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from threading import RLock

from chalicelib.adapters.store_rules import schedule_conflict
from chalicelib.model import formats
from chalicelib.model.times import Instant
from chalicelib.service.ports.schedules import DueSchedule, ScheduleState


class MemorySchedules:
    def __init__(self, lock: RLock) -> None:
        self._lock = lock
        self._states: dict[tuple[str, str], bytes] = {}
        self._due: dict[tuple[str, str], Instant] = {}

    def load(self, namespace: str, names: Iterable[str]) -> dict[str, ScheduleState]:
        with self._lock:
            found = {name: self._states.get((namespace, name)) for name in names}
        return {name: formats.SCHEDULE.decode(body, ScheduleState) for name, body in found.items() if body}

    def save(self, namespace: str, state: ScheduleState, seen: int | None) -> None:
        with self._lock:
            self._check(namespace, state.name, seen)
            self._states[namespace, state.name] = formats.SCHEDULE.encode(state)
            if state.wake_at is None:
                self._due.pop((namespace, state.name), None)
            else:
                self._due[namespace, state.name] = state.wake_at

    def delete(self, namespace: str, state: ScheduleState) -> None:
        with self._lock:
            if (namespace, state.name) not in self._states:
                return
            self._check(namespace, state.name, state.version)
            del self._states[namespace, state.name]
            self._due.pop((namespace, state.name), None)

    def due(self, until: Instant, limit: int, since: Instant = 0) -> Sequence[DueSchedule]:
        with self._lock:
            found = [DueSchedule(*place, at) for place, at in self._due.items() if since <= at <= until]
        return sorted(found, key=lambda due: due.at)[:limit]

    def _check(self, namespace: str, name: str, seen: int | None) -> None:
        body = self._states.get((namespace, name))
        if (formats.SCHEDULE.decode(body, ScheduleState).version if body else None) != seen:
            raise schedule_conflict(name)
