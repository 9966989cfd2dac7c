"""Queues: sending and receiving messages."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from chalicelib.model.times import Instant


class QueueName(StrEnum):
    DELIVERIES = "deliveries"
    WAKES = "wakes"
    DEAD = "dead"
    """Where messages go that nobody could handle."""


MAX_DELAY: int = 15 * 60 * 1000
"""The longest that a queue holds a message back, in milliseconds (an SQS limit)."""

MAX_DEFER: int = 12 * 60 * 60 * 1000
"""The longest that a received message can be put off, in milliseconds (an SQS limit)."""


class Queue(Protocol):
    def send(self, queue: QueueName, bodies: Sequence[str], delay: int = 0) -> None:
        """Each body will be received at least once, not before `delay` milliseconds (rounded up to what the queue can).

        Raises Busy if not all of them were taken; some of them may have been.
        """
        ...

    def defer(self, queue: QueueName, receipt: str, delay: int) -> None:
        """The received message comes again in `delay` milliseconds (0 to MAX_DEFER) unless it is deleted before.

        A receipt that is no longer valid is ignored: the message comes again anyway.
        """
        ...


@dataclass(frozen=True, slots=True)
class Received:
    """A message as a consumer gets it. It comes again after the queue's visibility time-out unless it is deleted."""

    id: str
    receipt: str
    body: str
    count: int
    """How often it was received, this time included."""
    sent_at: Instant


class Source(Protocol):
    """The other end of a queue: what Lambda's event source does on AWS, and the local server here."""

    def receive(self, queue: QueueName, limit: int, wait: float) -> Sequence[Received]:
        """At most `limit` (1 to 10) messages that are due; waits up to `wait` seconds for the first."""
        ...

    def delete(self, queue: QueueName, receipts: Sequence[str]) -> None:
        """These messages do not come again."""
        ...
