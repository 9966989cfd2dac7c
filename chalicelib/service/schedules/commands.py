"""What people ask of schedules: show, pause, continue, run now, and run past slots."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Final

import msgspec
from msgspec.structs import replace

from chalicelib.model.recurrence.schedule import Schedule, next_slot, run_name, slot_text, slots
from chalicelib.model.status import Status
from chalicelib.model.times import Instant, rfc3339
from chalicelib.service.errors import Busy, Conflict, Invalid, NotFound
from chalicelib.service.ports.clock import Clock
from chalicelib.service.ports.definitions import Definition, Kind
from chalicelib.service.ports.schedules import ScheduleState
from chalicelib.service.ports.store import Store
from chalicelib.service.schedules.decisions import resumed, started
from chalicelib.service.schedules.scheduler import Scheduler, schedule_of
from chalicelib.service.schedules.starting import SlotStarter, StartFailed

MAX_BACKFILL: Final = 100
"""How many slots one call runs again."""

MAX_ATTEMPTS: Final = 20
"""How often a command is tried again after other writers committed first, before the caller receives Busy."""


class ScheduleView(msgspec.Struct, frozen=True):
    """A schedule with how far it has come. `state` is None before anything has looked at it."""

    definition: Definition
    schedule: Schedule
    state: ScheduleState | None
    next: Instant | None
    """The next slot; None if there is none, or while it is paused."""
    statuses: dict[str, Status] = msgspec.field(default_factory=dict)
    """The statuses of the runs of its last slots, by their names. A list of schedules has none."""


class StartedSlot(msgspec.Struct, frozen=True):
    """The run of a slot, and whether this call created it."""

    slot: str
    run: str
    created: bool


@dataclass(slots=True)
class Backfilled:
    """What became of the slots of a range: runs that were started, that existed already, and slots that failed."""

    started: list[StartedSlot] = field(default_factory=list)
    existed: list[StartedSlot] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)
    """Slots that failed, and why."""


class ScheduleOperator:
    """Executes commands on schedules. Each raises NotFound if there is no such schedule."""

    def __init__(self, store: Store, scheduler: Scheduler, starter: SlotStarter, clock: Clock) -> None:
        self._definitions = store.definitions
        self._runs = store.runs
        self._states = store.schedules
        self._scheduler = scheduler
        self._starter = starter
        self._clock = clock

    def view(self, namespace: str, name: str) -> ScheduleView:
        """Return the schedule, with the statuses of its last runs."""
        definition = self._definition(namespace, name)
        found = self._viewed(definition, self._scheduler.load(namespace, definition))
        names = [one.run for one in found.state.recent if one.run] if found.state else []
        runs = [run for name in names if (run := self._runs.load(namespace, name))]
        return replace(found, statuses={run.name: run.status for run in runs})

    def views(self, namespace: str, definitions: Sequence[Definition]) -> list[ScheduleView]:
        """Return these schedules with their states."""
        states = self._states.load(namespace, [definition.name for definition in definitions])
        return [self._viewed(definition, states.get(definition.name)) for definition in definitions]

    def next_slots(self, namespace: str, name: str, count: int, since: Instant | None = None) -> list[str]:
        """Return the next `count` slots at `since` (now) or later, whether or not the schedule is paused."""
        schedule = schedule_of(self._definition(namespace, name))
        after = self._clock.now() if since is None else since - 1
        found: list[str] = []
        slot = next_slot(schedule, after)
        while slot is not None and len(found) < count:
            found.append(slot_text(schedule, slot))
            slot = next_slot(schedule, slot)
        return found

    def pause(self, namespace: str, name: str) -> ScheduleView:
        """Start no runs until the schedule is continued. Slots that are due already are started."""

        def change(state: ScheduleState, _: Schedule, now: Instant) -> ScheduleState:
            return state if state.paused_at is not None else replace(state, paused_at=now)

        return self._change(namespace, name, change)

    def resume(self, namespace: str, name: str) -> ScheduleView:
        """Continue the schedule with its next slot: slots that passed during the pause are skipped."""

        def change(state: ScheduleState, schedule: Schedule, now: Instant) -> ScheduleState:
            return state if state.paused_at is None else resumed(schedule, state, now)

        return self._change(namespace, name, change)

    def run(self, namespace: str, name: str, *, by: str = "") -> StartedSlot:
        """Start a run now, whatever else runs, also while the schedule is paused. Raises StartFailed.

        Its slot is this second, so a call that is repeated within the second starts one run.
        """
        slot = self._clock.now() // 1000 * 1000
        found = self._start(namespace, schedule_of(self._definition(namespace, name)), slot, by)

        def change(state: ScheduleState, _: Schedule, now: Instant) -> ScheduleState:
            noted = started(state, slot, found.run, now)
            return replace(noted, running=state.running) if self._scheduler.is_running(namespace, state) else noted

        self._change(namespace, name, change)
        return found

    def backfill(self, namespace: str, name: str, since: Instant, until: Instant, *, by: str = "") -> Backfilled:
        """Start the runs of the slots from `since` to `until`, both inclusive, that do not exist.

        They run at once, whatever the overlap rule is. Raises Invalid if the range ends in the future, or holds more
        than MAX_BACKFILL slots.
        """
        schedule, now = schedule_of(self._definition(namespace, name)), self._clock.now()
        if until > now:
            raise Invalid(f"the range ends in the future, at {rfc3339(until)}; a backfill runs past slots only")
        if since > until:
            raise Invalid(f"the range begins at {rfc3339(since)}, after its end at {rfc3339(until)}")
        found = list(islice(slots(schedule, since - 1, until), MAX_BACKFILL + 1))
        if len(found) > MAX_BACKFILL:
            last = slot_text(schedule, found[-2])
            raise Invalid(
                f"the range has more than {MAX_BACKFILL} slots; divide it: the first {MAX_BACKFILL} end at {last}"
            )
        result = Backfilled()
        for slot in found:
            try:
                one = self._start(namespace, schedule, slot, by)
            except StartFailed as failure:
                result.failed[slot_text(schedule, slot)] = str(failure)
            else:
                (result.started if one.created else result.existed).append(one)
        return result

    def _start(self, namespace: str, schedule: Schedule, slot: Instant, by: str) -> StartedSlot:
        decision = self._starter.prepare(namespace, schedule, slot, by)
        created = self._starter.create(decision)
        return StartedSlot(slot_text(schedule, slot), run_name(schedule, slot), created)

    def _change(
        self, namespace: str, name: str, change: Callable[[ScheduleState, Schedule, Instant], ScheduleState]
    ) -> ScheduleView:
        """Write the changed state, after everything that is due has been decided."""
        definition = self._definition(namespace, name)
        schedule = schedule_of(definition)
        for _ in range(MAX_ATTEMPTS):
            self._scheduler.look(namespace, definition)
            state = self._scheduler.load(namespace, definition)
            if state is None:  # it was deleted meanwhile
                raise NotFound("schedule", name)
            after = change(state, schedule, self._clock.now())
            try:
                if after is not state:
                    self._scheduler.save(namespace, schedule, after, state)
            except Conflict:
                continue
            self._scheduler.look(namespace, definition)
            return self.view(namespace, name)
        raise Busy(f"schedule {name!r} is being changed by too many requests at once; try again")

    def _definition(self, namespace: str, name: str) -> Definition:
        found = self._definitions.latest(namespace, Kind.SCHEDULE, [name]).get(name)
        if found is None:
            raise NotFound("schedule", name)
        return found

    def _viewed(self, definition: Definition, state: ScheduleState | None) -> ScheduleView:
        schedule = schedule_of(definition)
        if state is not None and state.uuid != definition.uuid:
            state = None
        done = definition.created_at if state is None else state.done
        if state is not None and state.definition != definition.version:
            done = max(done, definition.created_at)
        paused = state is not None and state.paused_at is not None
        return ScheduleView(definition, schedule, state, None if paused else next_slot(schedule, done))
