"""Find schedules that do not start their runs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from chalicelib.model.recurrence.schedule import Schedule, run_name
from chalicelib.model.times import Instant
from chalicelib.service.doctor.findings import Finding, FindingKind
from chalicelib.service.messages import Tick
from chalicelib.service.ports.clock import Clock
from chalicelib.service.ports.definitions import Definition, Kind
from chalicelib.service.ports.schedules import ScheduleState, SlotOutcome
from chalicelib.service.ports.store import Store
from chalicelib.service.schedules.scheduler import schedule_of
from chalicelib.service.timers.run_timers import OVERDUE_AFTER_MS

MAX_EXAMINED_SCHEDULES: Final = 10_000

_PAGE_ITEMS: Final = 100


class ScheduleChecks:
    """Checks schedules whose last start failed, and schedules that nothing looks at."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._definitions = store.definitions
        self._states = store.schedules
        self._clock = clock

    def problems(self, namespace: str) -> Iterator[Finding]:
        """Yield the problems of the first MAX_EXAMINED_SCHEDULES schedules by name."""
        after = ""
        for _ in range(MAX_EXAMINED_SCHEDULES // _PAGE_ITEMS):
            page = self._definitions.list(namespace, Kind.SCHEDULE, _PAGE_ITEMS, after)
            if not page:
                return
            states = self._states.load(namespace, [definition.name for definition in page])
            for definition in page:
                yield from self._problems_of(namespace, definition, states.get(definition.name))
            after = page[-1].name

    def _problems_of(self, namespace: str, definition: Definition, state: ScheduleState | None) -> Iterator[Finding]:
        schedule, overdue = schedule_of(definition), self._clock.now() - OVERDUE_AFTER_MS
        if state is None or state.uuid != definition.uuid:
            if definition.created_at < overdue:
                yield self._forgotten(namespace, schedule, definition.created_at)
            return
        if state.wake_at is not None and state.wake_at < overdue:
            yield self._forgotten(namespace, schedule, state.wake_at)
        last = next((one for one in state.recent if one.outcome in (SlotOutcome.STARTED, SlotOutcome.FAILED)), None)
        if last is not None and last.outcome is SlotOutcome.FAILED:
            yield Finding(
                kind=FindingKind.FAILED_SLOT,
                run=run_name(schedule, last.slot),
                since=last.decided_at,
                detail=f"schedule {schedule.name!r} could not start it: {last.reason}",
            )

    def _forgotten(self, namespace: str, schedule: Schedule, since: Instant) -> Finding:
        message = Tick(namespace=namespace, schedule=schedule.name, sent_at=self._clock.now(), version=0)
        return Finding(
            kind=FindingKind.OVERDUE_SCHEDULE,
            run="",
            since=since,
            detail=f"schedule {schedule.name!r} is due, but nothing has looked at it",
            message=message,
        )
