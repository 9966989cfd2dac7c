"""The event sources: queues that feed handlers, and schedules that call handlers periodically.

As on AWS, a message is deleted unless the handler reports it as failed or raises an exception; then the message is
delivered again after its visibility timeout. Idle receivers wait in the queue, not here.
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
from fsl.local.shapes import LambdaContext, LambdaHandler, failed_in, queue_event, schedule_event

LOG = logging.getLogger("echoer.local")

EMBEDDED_RECEIVERS: Final = 32
"""Receivers of deliveries on an embedded queue. Each receives one message at a time: a slow action delays no other
message, and handlers need no threads of their own, each of which would open another database connection."""

SQS_RECEIVERS: Final = 4
"""Receivers of deliveries on SQS, where each receive costs a request: each receives as many as the handler accepts."""

RECEIVE_WAIT_S: Final = 5.0
"""How long a receiver waits in an empty queue before it checks whether the server is stopping."""

MAX_RECEIVED_MESSAGES: Final = 10
"""How many messages can be received at once (an SQS limit)."""

_RATE_UNIT_S: Final = {"minute": 60, "hour": 3_600, "day": 86_400}


@dataclass(frozen=True, slots=True)
class Consumer:
    """A handler and its queue, with a number of receivers that each receive at most `batch` messages at once."""

    name: str
    queue: QueueName
    handler: LambdaHandler
    batch: int
    receivers: int


@dataclass(frozen=True, slots=True)
class Schedule:
    """A handler that is called periodically, for the first time at once."""

    name: str
    handler: LambdaHandler
    seconds: float


def consumers_of(app: Chalice, *, embedded: bool) -> list[Consumer]:
    """Return the queue handlers that `app` declares. The name of a queue contains a `QueueName`."""
    deliveries = EMBEDDED_RECEIVERS if embedded else SQS_RECEIVERS
    receivers = {QueueName.DELIVERIES: deliveries, QueueName.WAKES: 4, QueueName.DEAD: 1}
    found = []
    for source in app.event_sources:
        if isinstance(source, SQSEventConfig):
            queue, batch = _queue_of(source), 1 if embedded else min(source.batch_size, MAX_RECEIVED_MESSAGES)
            found.append(Consumer(source.name, queue, app.handler_map[source.name], batch, receivers[queue]))
    return found


def schedules_of(app: Chalice) -> list[Schedule]:
    """Return the scheduled handlers that `app` declares; their schedules must be rates."""
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
    raise LookupError(f"handler {source.name!r} has the queue {named!r}; expected one of {', '.join(QueueName)}")


def _seconds(expression: object) -> float:
    text = expression if isinstance(expression, str) else getattr(expression, "to_string", lambda: "")()
    rate = re.fullmatch(r"rate\((\d+) (minute|hour|day)s?\)", text)
    if rate is None:
        raise LookupError(f"schedule {text!r} is not supported; use rate(N minutes)")
    return float(rate[1]) * _RATE_UNIT_S[rate[2]]


class Workers:
    """Threads that receive messages, call handlers and delete messages. `refresh` is called before each handler."""

    def __init__(
        self,
        queues: QueueAndSource,
        consumers: Iterable[Consumer],
        schedules: Iterable[Schedule],
        stopping: threading.Event,
        refresh: Callable[[], None] = lambda: None,
    ) -> None:
        self._queues = queues
        self._stopping = stopping
        self._refresh = refresh
        self._idle = threading.Condition()
        self._running = 0
        works: list[tuple[str, Callable[[], None]]] = []
        for consumer in consumers:
            works += [(consumer.name, _bound(self._consume, consumer))] * consumer.receivers
        works += [(schedule.name, _bound(self._repeat, schedule)) for schedule in schedules]
        self._threads = [threading.Thread(target=work, name=name, daemon=True) for name, work in works]

    def start(self) -> None:
        """Start all threads."""
        for thread in self._threads:
            thread.start()

    def finish(self, seconds: float) -> bool:
        """Wait at most `seconds` until no handler is running; return whether that is so. `stopping` must be set."""
        with self._idle:
            return self._idle.wait_for(lambda: not self._running, seconds)

    # ── queues ────────────────────────────────────────────────────────────────────────────────────────────────────────

    def _consume(self, consumer: Consumer) -> None:
        while not self._stopping.is_set():
            try:
                messages = self._queues.receive(consumer.queue, consumer.batch, RECEIVE_WAIT_S)
                if messages:
                    self._handle(consumer, messages)
            except EchoerError as exc:
                if not self._stopping.is_set():
                    LOG.warning("queue %s: %s", consumer.queue, exc)
                self._stopping.wait(1)
            except Exception:
                LOG.exception("handler %s failed; its messages will be delivered again", consumer.name)

    def _handle(self, consumer: Consumer, messages: Sequence[Received]) -> None:
        if not self._begin():
            for message in messages:
                self._queues.defer(consumer.queue, message.receipt, 0)
            return
        try:
            self._refresh()
            answer = consumer.handler(queue_event(consumer.queue, messages), LambdaContext(consumer.name))
            failed = failed_in(answer, messages)
            self._queues.delete(consumer.queue, [done.receipt for done in messages if done.id not in failed])
        finally:
            self._end()

    # ── schedules ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def _repeat(self, schedule: Schedule) -> None:
        due = time.monotonic()
        while not self._stopping.wait(max(0.0, due - time.monotonic())):
            due += schedule.seconds
            if not self._begin():
                return
            try:
                schedule.handler(schedule_event(schedule.name), LambdaContext(schedule.name))
            except Exception:
                LOG.exception("schedule %s failed; it will be called again", schedule.name)
            finally:
                self._end()

    # ── running handlers ──────────────────────────────────────────────────────────────────────────────────────────────

    def _begin(self) -> bool:
        """Count a handler as running and return True, unless the server is stopping."""
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
