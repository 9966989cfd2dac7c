"""Timers of runs and schedules: meet deadlines that have passed, and send timers that are due soon to the queue."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from itertools import groupby
from typing import TYPE_CHECKING, Final

import msgspec

from chalicelib.engine.errors import CommandRefused
from chalicelib.engine.events import ActionResumed, Event, TimerFired
from chalicelib.model import status
from chalicelib.model.run import Run
from chalicelib.model.times import Instant
from chalicelib.service import messages
from chalicelib.service.errors import Conflict, NotFound
from chalicelib.service.holds.book import Pause
from chalicelib.service.holds.gate import HoldGate
from chalicelib.service.messages import Tick, Wake
from chalicelib.service.ports.clock import Clock
from chalicelib.service.ports.queues import Queue, QueueName
from chalicelib.service.ports.runs import DueTimer, RunStore
from chalicelib.service.ports.schedules import DueSchedule, ScheduleStore
from chalicelib.service.redelivery import MIN_REDELIVERY_MS, Redelivery
from chalicelib.service.runs.advance import RunAdvancer

if TYPE_CHECKING:
    from chalicelib.service.runs.commands import Operator

LOG = logging.getLogger("echoer.wake")

SWEEP_LOOKAHEAD_MS: Final = 2 * 60 * 1000
"""How far ahead a sweep looks: twice the time between two sweeps."""

OVERDUE_AFTER_MS: Final = 60 * 1000
"""How late a timer must be to count as overdue."""

MAX_SWEPT_TIMERS: Final = 20_000
"""How many timers of runs one sweep sends; the next sweep sends the rest."""

NOTICE_PAUSE_MS: Final = 60_000
"""How long a run is kept on while a notice that it sends has not arrived."""

MAX_SWEPT_SCHEDULES: Final = 20_000
"""How many schedules one sweep sends: many have their slots at the same full hour."""


class Swept(msgspec.Struct, frozen=True):
    """How many timers a sweep sent, and how many of them were overdue."""

    sent: int
    overdue: int


class RunTimers:
    """Fires the timers of runs, and sends those of runs and schedules to the queue.

    `operator` returns what deletes runs: few timers need it, so it is loaded by those.
    """

    def __init__(
        self,
        runs: RunStore,
        schedules: ScheduleStore,
        queue: Queue,
        advancer: RunAdvancer,
        operator: Callable[[], Operator],
        hold_gate: HoldGate,
        clock: Clock,
    ) -> None:
        self._operator = operator
        self._hold_gate = hold_gate
        self._runs = runs
        self._schedules = schedules
        self._queue = queue
        self._advancer = advancer
        self._clock = clock

    def fire(self, run: Run) -> Redelivery:
        """Meet the run's deadlines that have passed, or delete it if it has ended and need not be kept longer.

        A message that is moments early is received again in time. Raises Busy.
        """
        run = self._resumed(run)
        if run.timer_at is None:
            return None
        early = run.timer_at - self._clock.now()
        if early > 0:
            return early if early <= MIN_REDELIVERY_MS else None
        if run.status in status.ENDED:
            return self._delete(run)

        parked = self._hold_gate.park_paused(run)
        paused = {name: pause.at for name, pause in parked.items()}

        def make_events(at: Instant, nonce: str) -> Sequence[Event]:
            return [TimerFired(at=at, nonce=nonce, by="timer", paused=paused)]

        after = self._advancer.advance(run.namespace, run.name, make_events, seen=run).run
        self._resumed(after, parked)  # an action may have been continued before its suspension was written
        return None

    def _resumed(self, run: Run, parked: Mapping[str, Pause] | None = None) -> Run:
        """Let suspended activations go on whose actions are not paused any more. Return the run as it is then."""
        uuids = self._hold_gate.resumable(run, parked)
        if not uuids:
            return run

        def make_events(at: Instant, nonce: str) -> Sequence[Event]:
            return [
                ActionResumed(at=at, nonce=f"{nonce[:-4]}{n:04x}", by="timer", uuid=uuid)
                for n, uuid in enumerate(uuids)
            ]

        return self._advancer.advance(run.namespace, run.name, make_events, seen=run).run

    def _delete(self, run: Run) -> Redelivery:
        """Delete a run that has been kept as long as its flow says, once nothing of it is on its way any more."""
        if run.notices:
            return NOTICE_PAUSE_MS
        try:
            self._operator().delete_run(run.namespace, run.name, run.id)
        except (NotFound, CommandRefused, Conflict):
            LOG.debug("the run was deleted or retried meanwhile", extra={"run": run.name})
        return None

    def sweep(self) -> Swept:
        """Send a message for every timer that is due soon or overdue."""
        now = self._clock.now()
        timers = self._send_timers(now)
        schedules = self._send_schedules(now)
        due = [*(timer.at for timer in timers), *(one.at for one in schedules)]
        late = [now - at for at in due if at < now - OVERDUE_AFTER_MS]
        swept = Swept(len(timers) + len(schedules), len(late))
        self._advancer.observer.swept(swept.sent, late)
        if swept.overdue:
            LOG.warning("%d timers were overdue", swept.overdue)
        return swept

    def _send_timers(self, now: Instant) -> Sequence[DueTimer]:
        """Send a message for every timer that is due soon. Those of one second are sent together."""
        due = self._runs.due(now + SWEEP_LOOKAHEAD_MS, MAX_SWEPT_TIMERS)
        for _, group in groupby(due, key=lambda timer: max(0, -((now - timer.at) // 1_000))):
            together = list(group)
            bodies = [
                messages.encode(Wake(namespace=timer.namespace, run=timer.run, sent_at=now, version=0))
                for timer in together
            ]
            self._queue.send(QueueName.WAKES, bodies, max(0, together[-1].at - now))
        return due

    def _send_schedules(self, now: Instant) -> Sequence[DueSchedule]:
        """Send a message for every schedule that must be looked at soon. Those of one moment are sent together."""
        due = self._schedules.due(now + SWEEP_LOOKAHEAD_MS, MAX_SWEPT_SCHEDULES)
        for at, together in groupby(due, key=lambda one: one.at):
            bodies = [
                messages.encode(Tick(namespace=one.namespace, schedule=one.name, sent_at=now, version=0))
                for one in together
            ]
            self._queue.send(QueueName.WAKES, bodies, max(0, at - now))
        return due
