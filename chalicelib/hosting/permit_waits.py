"""Deliveries that wait for a permit of their action, on a virtual host.

A delivery over a limit of activations asks again every second or so, for as long as the others take. On virtual time
that would be millions of events, of which all but the last change nothing. So a delivery that was refused again and
again is set aside until something else has happened.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from chalicelib.adapters.memory import MemoryQueue
from chalicelib.engine.invocation import invocation_of
from chalicelib.hosting.wiring import Services
from chalicelib.model.times import Instant, Milliseconds
from chalicelib.service.messages import Message
from chalicelib.service.ports.queues import MAX_DEFER_MS, QueueName, Received

_MIN_POLLING_MS: Final = 1_000
_POLLING_MS_PER_PERMIT: Final = 10
"""For how long a delivery goes on asking: the limiter looks at 25 holders of permits every 250 ms."""


class SendRecorder(MemoryQueue):
    """A queue in memory that keeps what was sent last."""

    last_sent: Sequence[str] = ()

    def send(self, queue: QueueName, bodies: Sequence[str], delay: int = 0) -> None:
        super().send(queue, bodies, delay)
        self.last_sent = bodies


class PermitWaits:
    """Sets deliveries aside, and brings them back."""

    def __init__(self, queue: SendRecorder, now: Instant) -> None:
        self._queue = queue
        self._changed_at = now
        self._polling: dict[str, Milliseconds] = {}
        """Refused deliveries by their bodies, and how long each goes on asking when nothing happens."""
        self._aside: dict[str, str] = {}
        """The receipts of those that were set aside, by their bodies."""

    def set_aside(self, received: Received, now: Instant) -> bool:
        """Set the delivery aside if it need not ask now. One that the queue brings back by itself asks again."""
        patience = self._polling.get(received.body)
        came_back = self._aside.pop(received.body, None) is not None
        if patience is None or came_back or now - self._changed_at < patience:
            return False
        self._queue.defer(QueueName.DELIVERIES, received.receipt, MAX_DEFER_MS)
        self._aside[received.body] = received.receipt
        return True

    def was_refused(self, received: Received, sent_before: int) -> bool:
        """Whether the delivery, which was handled, asks again by a new message."""
        return self._queue.sent == sent_before + 1 and list(self._queue.last_sent) == [received.body]

    def refused(self, services: Services, received: Received, message: Message, uuid: str) -> None:
        """Note a refused delivery, unless it has a rate: then time alone gives it a permit."""
        run = services.runs.load(message.namespace, message.run)
        token = run.token_of(uuid) if run else None
        invocation = invocation_of(services.definition_cache.of(run), run, token) if run and token else None
        limit = invocation.options.limit if invocation else None
        if limit and limit.concurrent is not None and limit.per_second is None:
            self._polling[received.body] = max(_MIN_POLLING_MS, limit.concurrent * _POLLING_MS_PER_PERMIT)

    def changed(self, now: Instant) -> None:
        """Something else has happened: those that were set aside ask again."""
        self._changed_at = now
        for receipt in self._aside.values():
            self._queue.defer(QueueName.DELIVERIES, receipt, 0)
        self._aside.clear()
