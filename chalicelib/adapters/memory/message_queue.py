"""Queues in memory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from threading import RLock

from chalicelib.adapters.wakeup import MAX_RECEIVES, VISIBILITY_MS, PollResult, Wakeup, await_messages
from chalicelib.model.times import Instant
from chalicelib.service.ports.clock import Clock
from chalicelib.service.ports.queues import QueueName, Received


@dataclass(slots=True)
class _Message:
    id: str
    body: str
    sent_at: Instant
    visible_at: Instant
    count: int = 0

    @property
    def receipt(self) -> str:
        return f"{self.id}.{self.count}"


class MemoryQueue:
    """Implements `ports.Queue` and `ports.Source` in this process's memory.

    `visibility`: milliseconds after which a received message that was not deleted is received again. After
    `max_receives` receptions it goes to `QueueName.DEAD`.
    """

    def __init__(self, clock: Clock, visibility: int = VISIBILITY_MS, max_receives: int = MAX_RECEIVES) -> None:
        self._clock = clock
        self._visibility = visibility
        self._max_receives = max_receives
        self._lock = RLock()
        self._sent = 0
        self._queues: dict[QueueName, dict[str, _Message]] = {name: {} for name in QueueName}
        self._wakeups = {name: Wakeup() for name in QueueName}

    def send(self, queue: QueueName, bodies: Sequence[str], delay: int = 0, *, early: bool = False) -> None:  # noqa: ARG002
        now = self._clock.now()
        with self._lock:
            for body in bodies:
                self._sent += 1
                self._put(queue, _Message(str(self._sent), body, now, now + delay))
        self._wakeups[queue].notify(None if delay else len(bodies))

    def defer(self, queue: QueueName, receipt: str, delay: int) -> None:
        with self._lock:
            message = self._held(queue, receipt)
            if message:
                message.visible_at = self._clock.now() + delay
        self._wakeups[queue].notify()

    def receive(self, queue: QueueName, limit: int, wait: float) -> Sequence[Received]:
        return await_messages(self._wakeups[queue], lambda: self._poll(queue, limit), wait)

    def delete(self, queue: QueueName, receipts: Sequence[str]) -> None:
        with self._lock:
            for receipt in receipts:
                if message := self._held(queue, receipt):
                    del self._queues[queue][message.id]

    @property
    def sent(self) -> int:
        """How many messages have been sent so far. The number of a message is its place among them."""
        return self._sent

    def next_due(self) -> tuple[Instant, int, QueueName] | None:
        """Return when the next message of any queue can be received, its number and its queue; None if there is none.

        Messages come due in this order.
        """
        with self._lock:
            return min(
                (
                    (message.visible_at, int(message.id), name)
                    for name in QueueName
                    for message in self._queues[name].values()
                ),
                default=None,
            )

    def _poll(self, queue: QueueName, limit: int) -> PollResult:
        with self._lock:
            now = self._clock.now()
            waiting = sorted(self._queues[queue].values(), key=lambda message: message.visible_at)
            found: list[Received] = []
            for message in waiting:
                if message.visible_at > now:
                    return found, message.visible_at - now
                if queue is not QueueName.DEAD and message.count >= self._max_receives:
                    del self._queues[queue][message.id]
                    self._put(QueueName.DEAD, _Message(message.id, message.body, message.sent_at, now))
                    self._wakeups[QueueName.DEAD].notify()
                    continue
                if len(found) == limit:
                    break
                message.count += 1
                message.visible_at = now + self._visibility
                found.append(Received(message.id, message.receipt, message.body, message.count, message.sent_at))
        return found, None

    def _put(self, queue: QueueName, message: _Message) -> None:
        self._queues[queue][message.id] = message

    def _held(self, queue: QueueName, receipt: str) -> _Message | None:
        """Return the message if the receipt is of its last reception, else None."""
        message = self._queues[queue].get(receipt.partition(".")[0])
        return message if message and message.receipt == receipt else None
