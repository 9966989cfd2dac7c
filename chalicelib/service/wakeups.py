"""Hints that concern a run itself: its timer may have rung, what it waits for may have come. And the sweep.

A hint may be early (its head is not written yet: look again), late or void (the head says otherwise: drop it).
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, assert_never

import msgspec

from chalicelib.engine.events import AlarmRang, Event
from chalicelib.model.run import Run
from chalicelib.model.times import Instant
from chalicelib.service import messages
from chalicelib.service.errors import NotFound
from chalicelib.service.events.publish import Signaler
from chalicelib.service.messages import Deliver, Hint, Listen, StartChild, StopChild, TellParent, Wake
from chalicelib.service.ports.clock import Clock
from chalicelib.service.ports.queues import Queue, QueueName
from chalicelib.service.ports.runs import RunStore
from chalicelib.service.redelivery import AGAIN, Verdict, not_yet, patient_read
from chalicelib.service.runs.advance import Mover
from chalicelib.service.runs.children import Family

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
    def __init__(
        self, runs: RunStore, queue: Queue, mover: Mover, signaler: Signaler, family: Family, clock: Clock
    ) -> None:
        self._runs = runs
        self._queue = queue
        self._mover = mover
        self._signaler = signaler
        self._family = family
        self._clock = clock

    def wake(self, hints: Sequence[Hint]) -> list[Verdict]:
        """Every hint is obeyed, the same ones once; what is to become of each message."""
        verdicts: dict[Hint, Verdict] = {}
        for hint in hints:
            same = _same(hint)
            if same not in verdicts:
                verdicts[same] = self._obey(hint)
        return [verdicts[_same(hint)] for hint in hints]

    def sweep(self) -> Swept:
        """Every alarm that is due soon or overdue has a message that will wake its run."""
        now = self._clock.now()
        alarms = self._runs.due(now + AHEAD, SWEPT)
        for alarm in alarms:
            wake = Wake(namespace=alarm.namespace, run=alarm.run, sent_at=now, version=0)
            self._queue.send(QueueName.WAKES, [messages.encode(wake)], max(0, alarm.at - now))
        late = [now - alarm.at for alarm in alarms if alarm.at < now - OVERDUE]
        swept = Swept(len(alarms), len(late))
        self._mover.observer.swept(swept.sent, late)
        if swept.overdue:
            LOG.warning("%d alarms were overdue", swept.overdue)
        return swept

    def _obey(self, hint: Hint) -> Verdict:
        run = patient_read(self._runs, self._clock, [hint])
        if run is None or not hint.is_written(run):
            return not_yet(hint.sent_at, self._clock.now())
        try:
            match hint:
                case Wake():
                    return self._ring(run)
                case Listen(uuid=uuid):
                    self._signaler.listen(run, uuid)
                case StartChild(uuid=uuid):
                    self._family.start_child(run, uuid)
                case StopChild(child=child):
                    self._family.stop_child(run, child)
                case TellParent():
                    self._family.tell_parent(run)
                case Deliver():
                    LOG.error("a delivery lay in the queue of wakes", extra={"run": hint.run})
                case _:
                    assert_never(hint)
        except NotFound:
            LOG.info("the run is gone", extra={"run": hint.run})
        return None

    def _ring(self, run: Run) -> Verdict:
        """Deadlines of the run that have passed are met. A message that comes early by moments waits for its time."""
        if run.alarm_at is None:
            return None
        early = run.alarm_at - self._clock.now()
        if early > 0:
            return early if early <= AGAIN else None

        def draw(at: Instant, nonce: str) -> Sequence[Event]:
            return [AlarmRang(at=at, nonce=nonce, by="timer")]

        self._mover.move(run.namespace, run.name, draw, seen=run)
        return None


def _same(hint: Hint) -> Hint:
    """The hint as it is, whenever it was sent: alike hints ask for the same."""
    return msgspec.structs.replace(hint, sent_at=0)
