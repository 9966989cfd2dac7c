"""The ports of the queues: send and receive messages."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import Protocol

import msgspec

from chalicelib.model.times import Instant


class QueueName(StrEnum):
    """The queues."""

    DELIVERIES = "deliveries"
    WAKES = "wakes"
    DEAD = "dead"
    """The dead-letter queue: messages that could not be handled."""


MAX_DELAY_MS: int = 15 * 60 * 1000
"""The longest delay of a message (a limit of SQS)."""

MAX_DEFER_MS: int = 12 * 60 * 60 * 1000
"""The longest time for which a received message can be deferred (a limit of SQS)."""


class Queue(Protocol):
    """Sends and defers messages."""

    def send(self, queue: QueueName, bodies: Sequence[str], delay: int = 0, *, early: bool = False) -> None:
        """Send messages. Each is received at least once, after `delay` milliseconds.

        Some queues round the delay up to seconds; if `early`, they round it down. Raises Busy if not all messages were
        accepted; some may have been.
        """
        ...

    def defer(self, queue: QueueName, receipt: str, delay: int) -> None:
        """Receive the message again after `delay` milliseconds (0 to MAX_DEFER_MS) unless it is deleted before.

        A receipt that is no longer valid is ignored: that message is received again anyway.
        """
        ...


class Received(msgspec.Struct, frozen=True):
    """A received message. It is received again after the queue's visibility timeout unless it is deleted."""

    id: str
    receipt: str
    body: str
    count: int
    """How often it was received, including this time."""
    sent_at: Instant


class Source(Protocol):
    """Receives messages, as Lambda's event source does on AWS."""

    def receive(self, queue: QueueName, limit: int, wait: float) -> Sequence[Received]:
        """Return at most `limit` (1 to 10) messages that are due; wait up to `wait` seconds for the first."""
        ...

    def delete(self, queue: QueueName, receipts: Sequence[str]) -> None:
        """Delete messages, so that they are not received again."""
        ...
