"""Timers: waking runs whose deadline has come, and the sweep that lets no alarm be forgotten."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from chalicelib.engine.events import AlarmRang, Event
from chalicelib.engine.run import Instant
from chalicelib.service import messages
from chalicelib.service.deliver import AGAIN, WRITER_LIFETIME, Verdict
from chalicelib.service.errors import NotFound
from chalicelib.service.messages import Wake
from chalicelib.service.mover import Mover
from chalicelib.service.ports import Clock, Queue, QueueName, RunStore

LOG = logging.getLogger("echoer.wake")

AHEAD: Final = 2 * 60 * 1000
"""How far ahead a sweep looks, in milliseconds: twice the pause between two of them."""

OVERDUE: Final = 60 * 1000
"""From when on an alarm that has not rung counts as overdue, in milliseconds."""

SWEPT: Final = 5_000
"""How many alarms one sweep moves at most; the next sweep moves the rest."""


@dataclass(frozen=True, slots=True)
class Swept:
    """How many alarms a sweep sent on, and how many of them should have rung long ago."""

    sent: int
    overdue: int


class Waker:
    def __init__(self, runs: RunStore, queue: Queue, mover: Mover, clock: Clock) -> None:
        self._runs = runs
        self._queue = queue
        self._mover = mover
        self._clock = clock

    def wake(self, hints: Sequence[Wake]) -> list[Verdict]:
        """Deadlines of these runs that have passed are met; what is to become of each message."""
        verdicts: dict[tuple[str, str], Verdict] = {}
        for hint in hints:
            key = hint.namespace, hint.run
            if key not in verdicts:
                verdicts[key] = self._wake(hint)
        return [verdicts[hint.namespace, hint.run] for hint in hints]

    def sweep(self) -> Swept:
        """Every alarm that is due soon or overdue has a message that will wake its run."""
        now = self._clock.now()
        alarms = self._runs.due(now + AHEAD, SWEPT)
        for alarm in alarms:
            wake = Wake(namespace=alarm.namespace, run=alarm.run, sent_at=now, version=0)
            self._queue.send(QueueName.WAKES, [messages.encode(wake)], max(0, alarm.at - now))
        swept = Swept(len(alarms), sum(alarm.at < now - OVERDUE for alarm in alarms))
        if swept.overdue:
            LOG.warning("%d alarms were overdue", swept.overdue)
        return swept

    def _wake(self, hint: Wake) -> Verdict:
        run = self._runs.load(hint.namespace, hint.run)
        if run is None or run.version < hint.version:
            return None if self._clock.now() - hint.sent_at > WRITER_LIFETIME else AGAIN
        if run.alarm_at is None:
            return None
        early = run.alarm_at - self._clock.now()
        if early > 0:
            return None if early > AGAIN else early

        def draw(at: Instant, nonce: str) -> Sequence[Event]:
            return [AlarmRang(at=at, nonce=nonce, by="timer")]

        try:
            self._mover.move(hint.namespace, hint.run, draw, seen=run)
        except NotFound:
            return None
        return None
