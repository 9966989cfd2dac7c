"""Timers of runs: meet deadlines that have passed, and send timers that are due soon to the queue."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from chalicelib.engine.events import Event, TimerFired
from chalicelib.model.run import Run
from chalicelib.model.times import Instant
from chalicelib.service import messages
from chalicelib.service.messages import Wake
from chalicelib.service.ports.clock import Clock
from chalicelib.service.ports.queues import Queue, QueueName
from chalicelib.service.ports.runs import RunStore
from chalicelib.service.redelivery import MIN_REDELIVERY_MS, Redelivery
from chalicelib.service.runs.advance import RunAdvancer

LOG = logging.getLogger("echoer.wake")

SWEEP_LOOKAHEAD_MS: Final = 2 * 60 * 1000
"""How far ahead a sweep looks: twice the time between two sweeps."""

OVERDUE_AFTER_MS: Final = 60 * 1000
"""How late a timer must be to count as overdue."""

MAX_SWEPT_TIMERS: Final = 5_000
"""How many timers one sweep sends; the next sweep sends the rest."""


@dataclass(frozen=True, slots=True)
class Swept:
    """How many timers a sweep sent, and how many of them were overdue."""

    sent: int
    overdue: int


class RunTimers:
    """Fires the timers of runs."""

    def __init__(self, runs: RunStore, queue: Queue, advancer: RunAdvancer, clock: Clock) -> None:
        self._runs = runs
        self._queue = queue
        self._advancer = advancer
        self._clock = clock

    def fire(self, run: Run) -> Redelivery:
        """Meet the run's deadlines that have passed. A message that is moments early is received again in time."""
        if run.timer_at is None:
            return None
        early = run.timer_at - self._clock.now()
        if early > 0:
            return early if early <= MIN_REDELIVERY_MS else None

        def make_events(at: Instant, nonce: str) -> Sequence[Event]:
            return [TimerFired(at=at, nonce=nonce, by="timer")]

        self._advancer.advance(run.namespace, run.name, make_events, seen=run)
        return None

    def sweep(self) -> Swept:
        """Send a message for every timer that is due soon or overdue."""
        now = self._clock.now()
        timers = self._runs.due(now + SWEEP_LOOKAHEAD_MS, MAX_SWEPT_TIMERS)
        for timer in timers:
            wake = Wake(namespace=timer.namespace, run=timer.run, sent_at=now, version=0)
            self._queue.send(QueueName.WAKES, [messages.encode(wake)], max(0, timer.at - now))
        late = [now - timer.at for timer in timers if timer.at < now - OVERDUE_AFTER_MS]
        swept = Swept(len(timers), len(late))
        self._advancer.observer.swept(swept.sent, late)
        if swept.overdue:
            LOG.warning("%d timers were overdue", swept.overdue)
        return swept
