"""Hints that concern a run itself: its timer may have rung, what it waits for may have come. And the sweep.

A hint may be early (its head is not written yet: look again), late or void (the head says otherwise: drop it).
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, assert_never

import msgspec

from chalicelib.engine.events import Event, TimerFired
from chalicelib.model.run import Run
from chalicelib.model.times import Instant
from chalicelib.service import messages
from chalicelib.service.errors import NotFound
from chalicelib.service.events.publish import Signaler
from chalicelib.service.messages import Deliver, Listen, Message, StartChild, StopChild, TellParent, Wake
from chalicelib.service.ports.clock import Clock
from chalicelib.service.ports.queues import Queue, QueueName
from chalicelib.service.ports.runs import RunStore
from chalicelib.service.redelivery import AGAIN, Verdict, not_yet, read_with_retries
from chalicelib.service.runs.advance import RunAdvancer
from chalicelib.service.runs.children import ChildRuns

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
        self,
        runs: RunStore,
        queue: Queue,
        advancer: RunAdvancer,
        signaler: Signaler,
        child_runs: ChildRuns,
        clock: Clock,
    ) -> None:
        self._runs = runs
        self._queue = queue
        self._advancer = advancer
        self._signaler = signaler
        self._child_runs = child_runs
        self._clock = clock

    def wake(self, messages_: Sequence[Message]) -> list[Verdict]:
        """Every hint is obeyed, the same ones once; what is to become of each message."""
        verdicts: dict[Message, Verdict] = {}
        for message in messages_:
            same = _same(message)
            if same not in verdicts:
                verdicts[same] = self._obey(message)
        return [verdicts[_same(message)] for message in messages_]

    def sweep(self) -> Swept:
        """Every alarm that is due soon or overdue has a message that will wake its run."""
        now = self._clock.now()
        timers = self._runs.due(now + AHEAD, SWEPT)
        for alarm in timers:
            wake = Wake(namespace=alarm.namespace, run=alarm.run, sent_at=now, version=0)
            self._queue.send(QueueName.WAKES, [messages.encode(wake)], max(0, alarm.at - now))
        late = [now - alarm.at for alarm in timers if alarm.at < now - OVERDUE]
        swept = Swept(len(timers), len(late))
        self._advancer.observer.swept(swept.sent, late)
        if swept.overdue:
            LOG.warning("%d alarms were overdue", swept.overdue)
        return swept

    def _obey(self, message: Message) -> Verdict:
        run = read_with_retries(self._runs, self._clock, [message])
        if run is None or not message.is_written(run):
            return not_yet(message.sent_at, self._clock.now())
        try:
            match message:
                case Wake():
                    return self._ring(run)
                case Listen(uuid=uuid):
                    self._signaler.listen(run, uuid)
                case StartChild(uuid=uuid):
                    self._child_runs.start_child(run, uuid)
                case StopChild(child=child):
                    self._child_runs.stop_child(run, child)
                case TellParent():
                    self._child_runs.tell_parent(run)
                case Deliver():
                    LOG.error("a delivery lay in the queue of wakes", extra={"run": message.run})
                case _:
                    assert_never(message)
        except NotFound:
            LOG.info("the run is gone", extra={"run": message.run})
        return None

    def _ring(self, run: Run) -> Verdict:
        """Deadlines of the run that have passed are met. A message that comes early by moments waits for its time."""
        if run.timer_at is None:
            return None
        early = run.timer_at - self._clock.now()
        if early > 0:
            return early if early <= AGAIN else None

        def make_events(at: Instant, nonce: str) -> Sequence[Event]:
            return [TimerFired(at=at, nonce=nonce, by="timer")]

        self._advancer.advance(run.namespace, run.name, make_events, seen=run)
        return None


def _same(message: Message) -> Message:
    """The hint as it is, whenever it was sent: alike hints ask for the same."""
    return msgspec.structs.replace(message, sent_at=0)
