"""The event sources: queues that feed handlers, and the schedules that call one every so often.

As on AWS, a message that its handler did not give back is deleted; one that it gave back, or that made it fail, comes
again when its visibility says so. Idle receivers sleep in the queue, not here.
"""

from __future__ import annotations

import logging
import re
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from chalice.app import Chalice, ScheduledEventConfig, SQSEventConfig

from chalicelib.hosting import QueueAndSource
from chalicelib.model.errors import EchoerError
from chalicelib.service.ports.queues import QueueName, Received
from fsl.local.shapes import Context, Handler, failed_in, queue_event, schedule_event

LOG = logging.getLogger("echoer.local")

EMBEDDED: Final = 32
"""Receivers of deliveries on an embedded queue. Each takes one message at a time: an action that is slow keeps nobody
waiting but itself, and handlers need no threads of their own, each of which would open the database anew."""

REMOTE: Final = 4
"""The same on SQS, where receiving costs a request: each takes as many as the handler asks for."""

WAIT: Final = 5.0
"""How long a receiver sleeps in an empty queue before it looks whether it should go home, in seconds."""

MOST: Final = 10
"""How many messages can be received at once (an SQS limit)."""

_UNITS: Final = {"minute": 60, "hour": 3_600, "day": 86_400}


@dataclass(frozen=True, slots=True)
class Consumer:
    """A handler and the queue that feeds it: so many receivers, each of at most `batch` messages at once."""

    name: str
    queue: QueueName
    handler: Handler
    batch: int
    receivers: int


@dataclass(frozen=True, slots=True)
class Schedule:
    """A handler that is called every so many seconds, for the first time at once."""

    name: str
    handler: Handler
    seconds: float


def consumers_of(app: Chalice, *, embedded: bool) -> list[Consumer]:
    """The queue handlers that `app` declares. A queue is known by the end of its name."""
    receivers = {QueueName.DELIVERIES: EMBEDDED if embedded else REMOTE, QueueName.WAKES: 4, QueueName.DEAD: 1}
    found = []
    for source in app.event_sources:
        if isinstance(source, SQSEventConfig):
            queue, batch = _queue_of(source), 1 if embedded else min(source.batch_size, MOST)
            found.append(Consumer(source.name, queue, app.handler_map[source.name], batch, receivers[queue]))
    return found


def schedules_of(app: Chalice) -> list[Schedule]:
    """The scheduled handlers that `app` declares, all of them by rates."""
    return [
        Schedule(source.name, app.handler_map[source.name], _seconds(source.schedule_expression))
        for source in app.event_sources
        if isinstance(source, ScheduledEventConfig)
    ]


def _queue_of(source: SQSEventConfig) -> QueueName:
    named = str(source.queue or source.queue_arn)
    for queue in QueueName:
        if queue in named:
            return queue
    raise LookupError(f"handler {source.name!r} is fed by {named!r}, which is none of {', '.join(QueueName)}")


def _seconds(expression: object) -> float:
    text = expression if isinstance(expression, str) else getattr(expression, "to_string", lambda: "")()
    rate = re.fullmatch(r"rate\((\d+) (minute|hour|day)s?\)", text)
    if rate is None:
        raise LookupError(f"schedule {text!r} is no rate(N minutes)")
    return float(rate[1]) * _UNITS[rate[2]]


class Workers:
    """Threads that receive, hand over and delete. `stop` lets those that run handlers finish."""

    def __init__(
        self,
        queues: QueueAndSource,
        consumers: Iterable[Consumer],
        schedules: Iterable[Schedule],
        stopping: threading.Event,
    ) -> None:
        self._queues = queues
        self._stopping = stopping
        self._idle = threading.Condition()
        self._running = 0
        works: list[tuple[str, Callable[[], None]]] = []
        for consumer in consumers:
            works += [(consumer.name, _bound(self._consume, consumer))] * consumer.receivers
        works += [(schedule.name, _bound(self._repeat, schedule)) for schedule in schedules]
        self._threads = [threading.Thread(target=work, name=name, daemon=True) for name, work in works]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def finish(self, seconds: float) -> bool:
        """Whether, `stopping` being set, no handler runs any more; waits at most so long for it."""
        with self._idle:
            return self._idle.wait_for(lambda: not self._running, seconds)

    # ── queues ───────────────────────────────────────────────────────────────────────────────────────────────────────

    def _consume(self, consumer: Consumer) -> None:
        while not self._stopping.is_set():
            try:
                messages = self._queues.receive(consumer.queue, consumer.batch, WAIT)
                if messages:
                    self._hand_over(consumer, messages)
            except EchoerError as exc:
                if not self._stopping.is_set():
                    LOG.warning("queue %s: %s", consumer.queue, exc)
                self._stopping.wait(1)
            except Exception:
                LOG.exception("handler %s failed; its messages come again", consumer.name)

    def _hand_over(self, consumer: Consumer, messages: Sequence[Received]) -> None:
        if not self._begin():
            for message in messages:
                self._queues.defer(consumer.queue, message.receipt, 0)
            return
        try:
            answer = consumer.handler(queue_event(consumer.queue, messages), Context(consumer.name))
            failed = failed_in(answer, messages)
            self._queues.delete(consumer.queue, [done.receipt for done in messages if done.id not in failed])
        finally:
            self._end()

    # ── schedules ────────────────────────────────────────────────────────────────────────────────────────────────────

    def _repeat(self, schedule: Schedule) -> None:
        due = time.monotonic()
        while not self._stopping.wait(max(0.0, due - time.monotonic())):
            due += schedule.seconds
            if not self._begin():
                return
            try:
                schedule.handler(schedule_event(schedule.name), Context(schedule.name))
            except Exception:
                LOG.exception("schedule %s failed; it is called again", schedule.name)
            finally:
                self._end()

    # ── counting ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def _begin(self) -> bool:
        """Whether a handler may begin."""
        with self._idle:
            if self._stopping.is_set():
                return False
            self._running += 1
            return True

    def _end(self) -> None:
        with self._idle:
            self._running -= 1
            self._idle.notify_all()


def _bound(work: Callable[..., None], what: Consumer | Schedule) -> Callable[[], None]:
    return lambda: work(what)
