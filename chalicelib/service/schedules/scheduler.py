"""Run schedules: look at each that is due, decide its slots, and start their runs.

            read           decide         send           write (version = seen)     start      write
    ────────●──────────────●──────────────●──────────────●──────────────────────────●──────────●──────> time
    crash:  nothing        nothing        a message      the slot is decided, and   the run    its start is
            happened       happened       without effect is found by the next look  exists     recorded

Messages and sweeps only cause a look, so any number of them may run at the same time. The decision on a slot is one
conditional write. If it says that a run starts, the state keeps the slot as `starting` until that is done; whoever
looks at the schedule next does it. The run is named after the slot, so it is created at most once.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Final

from msgspec.structs import replace

from chalicelib.engine.errors import Refused
from chalicelib.engine.events import Event, RunStopped
from chalicelib.model import json_values, status
from chalicelib.model.recurrence.schedule import Overlap, Schedule, next_slot
from chalicelib.model.run import Run
from chalicelib.model.times import Instant
from chalicelib.service import messages
from chalicelib.service.errors import Conflict, NotFound
from chalicelib.service.messages import Tick
from chalicelib.service.ports.clock import Clock
from chalicelib.service.ports.definitions import Definition, Kind
from chalicelib.service.ports.queues import MAX_DELAY_MS, Queue, QueueName
from chalicelib.service.ports.runs import RunStore
from chalicelib.service.ports.schedules import ScheduleState
from chalicelib.service.ports.store import Store
from chalicelib.service.redelivery import MIN_REDELIVERY_MS, READ_PAUSES_MS, Redelivery, until_committed
from chalicelib.service.runs.advance import RunAdvancer
from chalicelib.service.schedules import decisions
from chalicelib.service.schedules.decisions import decide, first_state, wake_at
from chalicelib.service.schedules.starting import OverLimit, SlotStarter, StartFailed

LOG = logging.getLogger("echoer.schedules")

MAX_DECISIONS: Final = 50
"""How many decisions one message makes before it is received again, so that it does not run out of time."""


class Scheduler:
    """Looks at schedules."""

    def __init__(
        self, store: Store, runs: RunStore, queue: Queue, advancer: RunAdvancer, starter: SlotStarter, clock: Clock
    ) -> None:
        self._definitions = store.definitions
        self._states = store.schedules
        self._runs = runs
        self._queue = queue
        self._advancer = advancer
        self._starter = starter
        self._clock = clock

    def announce(self, namespace: str, definition: Definition) -> None:
        """Have the schedule looked at. The definition must be stored afterwards."""
        self._send(namespace, definition.name, 0, definition.version)

    def tick(self, message: Tick) -> Redelivery:
        """Look at the schedule of a message. Raises Busy."""
        definition = self._newest(message)
        for pause in READ_PAUSES_MS:
            if _is_stored(message, definition):
                break
            self._clock.sleep(pause)
            definition = self._newest(message)
        early = None if _is_stored(message, definition) else until_committed(message.sent_at, self._clock.now())
        if early is not None:
            return early
        if definition is None:
            self.forget(message.namespace, message.schedule)
            return None
        return self.look(message.namespace, definition)

    def run_ended(self, run: Run) -> None:
        """Look at the schedule of which slots wait for the end of this run."""
        if run.status in status.ENDED and run.queued_behind:
            self.tick(Tick(namespace=run.namespace, schedule=run.queued_behind, sent_at=run.updated_at, version=0))

    def forget(self, namespace: str, name: str) -> None:
        """Delete the state of a schedule that is not defined any more."""
        state = self._states.load(namespace, [name]).get(name)
        if state is not None:
            try:
                self._states.delete(namespace, state)
            except Conflict:
                LOG.debug("the state of a deleted schedule has changed", extra={"schedule": name})

    def look(self, namespace: str, definition: Definition) -> Redelivery:
        """Decide all slots of the schedule that are due, and start their runs."""
        state = self.load(namespace, definition)
        for _ in range(MAX_DECISIONS):
            after, schedule = self._advanced(namespace, definition, state)
            now = self._clock.now()
            if after is None:
                if state is None or state.wake_at is None or state.wake_at > now:
                    return _early(state, now)
                after = state  # it was looked at in vain: it is looked at again later
            try:
                state = self.save(namespace, schedule, after, state)
            except Conflict:
                state = self.load(namespace, definition)
        return MIN_REDELIVERY_MS

    def load(self, namespace: str, definition: Definition) -> ScheduleState | None:
        """Return the state of the schedule; None if it has none yet."""
        return self._states.load(namespace, [definition.name]).get(definition.name)

    def save(
        self, namespace: str, schedule: Schedule, after: ScheduleState, before: ScheduleState | None
    ) -> ScheduleState:
        """Write the state that follows `before`, and return it as it is stored. Raises Conflict.

        The message that has the schedule looked at again is sent first.
        """
        now = self._clock.now()
        version = after.version if before is None else max(before.version + 1, after.version)
        after = replace(after, version=version, wake_at=wake_at(schedule, after, now))
        if after.wake_at is not None and now < after.wake_at <= now + MAX_DELAY_MS:
            self._send(namespace, after.name, after.wake_at - now, 0)
        self._states.save(namespace, after, None if before is None else before.version)
        return after

    def is_running(self, namespace: str, state: ScheduleState) -> bool:
        """Return whether the run that was started last has not ended."""
        run = self._runs.load(namespace, state.running) if state.running else None
        return run is not None and run.status not in status.ENDED

    # ── the next decision ────────────────────────────────────────────────────────────────────────────────────────────

    def _advanced(
        self, namespace: str, definition: Definition, state: ScheduleState | None
    ) -> tuple[ScheduleState | None, Schedule]:
        """Return the next state, None if nothing is to be decided; and the schedule as the state follows it."""
        newest, now = schedule_of(definition), self._clock.now()
        if state is None or state.uuid != definition.uuid:
            return first_state(definition.name, definition.uuid, definition.version, definition.created_at, now), newest
        in_force = newest if state.definition == definition.version else self._version(namespace, state)
        if state.starting is not None:
            return self._start(namespace, in_force or newest, state, state.starting), in_force or newest
        if in_force is not newest:
            same = in_force is not None and in_force.timing == newest.timing
            slot = next_slot(in_force, state.done) if in_force and not same and state.paused_at is None else None
            if in_force is None or slot is None or slot > definition.created_at:
                done = state.done if same else max(state.done, definition.created_at)
                return replace(state, definition=definition.version, done=done), newest
            newest = in_force
        return decide(newest, state, now, lambda: self.is_running(namespace, state)), newest

    def _start(self, namespace: str, schedule: Schedule, state: ScheduleState, slot: Instant) -> ScheduleState:
        try:
            decision = self._starter.prepare(namespace, schedule, slot)
            if schedule.overlap is Overlap.CANCEL and state.running not in ("", decision.run.name):
                self._stop(namespace, schedule, state.running)
            self._starter.create(decision)
        except OverLimit as reached:
            return decisions.skipped(state, slot, str(reached), self._clock.now())
        except StartFailed as failure:
            LOG.warning("schedule %r cannot start its run: %s", schedule.name, failure)
            return decisions.failed(state, slot, str(failure), self._clock.now())
        return decisions.started(state, slot, decision.run.name, self._clock.now())

    def _stop(self, namespace: str, schedule: Schedule, run: str) -> None:
        def make_events(at: Instant, nonce: str) -> Sequence[Event]:
            reason = f"the next slot of schedule {schedule.name!r} is due"
            return [RunStopped(at=at, nonce=nonce, by=f"schedule {schedule.name}", reason=reason)]

        try:
            self._advancer.advance(namespace, run, make_events).sole()
        except (NotFound, Refused):
            LOG.debug("the previous run has ended", extra={"run": run})

    def _newest(self, message: Tick) -> Definition | None:
        name = message.schedule
        return self._definitions.latest(message.namespace, Kind.SCHEDULE, [name]).get(name)

    def _version(self, namespace: str, state: ScheduleState) -> Schedule | None:
        found = self._definitions.version(namespace, Kind.SCHEDULE, state.name, state.definition)
        return schedule_of(found) if found else None

    def _send(self, namespace: str, name: str, delay: int, version: int) -> None:
        tick = Tick(namespace=namespace, schedule=name, sent_at=self._clock.now(), version=version)
        self._queue.send(QueueName.WAKES, [messages.encode(tick)], delay)


def schedule_of(definition: Definition) -> Schedule:
    """Return the schedule in a stored definition."""
    return json_values.decode(definition.value, Schedule)


def _is_stored(message: Tick, definition: Definition | None) -> bool:
    """Return whether the definition that the message announces is stored."""
    return not message.version or (definition is not None and definition.version >= message.version)


def _early(state: ScheduleState | None, now: Instant) -> Redelivery:
    """Return when to look again if the message came moments too early; None if another message comes in time."""
    early = state.wake_at - now if state and state.wake_at is not None else 0
    return early if 0 < early <= MIN_REDELIVERY_MS else None
