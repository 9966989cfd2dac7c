"""The queues and their event sources: messages as SQS stores them, handed over as Lambda does."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from chalicelib.model.run import Activation, Run, held_mark
from chalicelib.model.times import Instant
from chalicelib.service import messages
from chalicelib.service.messages import Message
from chalicelib.service.ports.queues import QueueName
from tests.simulation.fates import MESSAGE_FAULTS, RECEIVE_FAULTS, Fates
from tests.simulation.loop import Loop

VISIBILITY: Final = 90_000
MAX_RECEIVES: Final = 100
LIMIT: Final = 10


@dataclass(eq=False, slots=True)
class QueuedMessage:
    id: int
    queue: QueueName
    body: str
    message: Message
    visible_at: Instant
    count: int = 0
    deleted: bool = False

    @property
    def receipt(self) -> str:
        return f"{self.id}.{self.count}"


class Messages:
    """All queues. `consume` starts a handler for a batch; `gone` is called with every message that was deleted.

    A message becomes a dead letter early only if the head that it refers to is `committed`: Lambda ends a writer long
    before a message that waits for it has been received too often.
    """

    def __init__(
        self,
        fates: Fates,
        loop: Loop,
        consume: Callable[[QueueName, Sequence[QueuedMessage]], None],
        gone: Callable[[Message], None],
        committed: Callable[[Message], bool],
    ) -> None:
        self._fates = fates
        self._loop = loop
        self._consume = consume
        self._gone = gone
        self._committed = committed
        self._sent = 0
        self.live: dict[int, QueuedMessage] = {}
        self._in_hand: list[QueuedMessage] = []
        """The messages of running consumers, once for each; another one may have deleted it."""

    # ── the port ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def send(self, queue: QueueName, bodies: Sequence[str], delay: int = 0, *, early: bool = False) -> None:
        for body in bodies:
            message = messages.decode(body)
            fault = self._fates.strikes("message", MESSAGE_FAULTS, 0.03)
            if fault == "timer-lost":
                if delay and isinstance(message, (messages.Wake, messages.Tick)):
                    continue
                self._fates.counts[fault] -= 1
            late = {"message-delayed": (1_000, 120_000), "message-reordered": (20, 400)}.get(fault)
            self._put(queue, body, message, delay + (self._fates.span("lateness", *late) if late else 0))
            if fault == "message-doubled":
                self._put(queue, body, message, delay + self._fates.span("doubled", 1, 30_000))

    def defer(self, queue: QueueName, receipt: str, delay: int) -> None:
        found = self._held(receipt)
        if found is not None:
            self._show(found, delay)

    # ── the other end ────────────────────────────────────────────────────────────────────────────────────────────────

    def delete(self, receipt: str, *, stale: bool) -> None:
        """Delete the message. `stale`: accept the receipt of an earlier reception too, as SQS often does."""
        found = self.live.get(int(receipt.partition(".")[0])) if stale else self._held(receipt)
        if found is not None:
            self._drop(found)

    @property
    def known(self) -> tuple[QueuedMessage, ...]:
        """Every message in a queue, or with a consumer that may give it back."""
        return (*self.live.values(), *self._in_hand)

    def waits(self, kind: type[Message], namespace: str, run: str, **fields: str) -> bool:
        """Whether such a message is in a queue, or with a consumer that may give it back."""
        return any(
            isinstance(queued.message, kind)
            and (queued.message.run, queued.message.namespace) == (run, namespace)
            and all(getattr(queued.message, name) == value for name, value in fields.items())
            for queued in (*self.live.values(), *self._in_hand)
        )

    def delivers(self, run: Run, activation: Activation) -> bool:
        """Whether such a message asks for the delivery of the activation, by that head of its run.

        The worker that delivers what the head holds does not help: it may crash, and its message may be deleted.
        """
        sent = self.waits(messages.Deliver, run.namespace, run.name, uuid=activation.uuid)
        return sent or any(
            isinstance(queued.message, messages.Deliver)
            and (queued.message.run, queued.message.namespace) == (run.name, run.namespace)
            and held_mark(queued.message.uuid) == activation.held_by
            for queued in (self.live.values() if activation.held_by else ())
        )

    def serves(self, namespace: str, limiter: str) -> bool:
        """Whether a message is on its way whose consumer serves the queue of that limiter."""
        kinds = (messages.Begin, messages.Release, messages.Serve, messages.Deliver)
        return any(
            isinstance(queued.message, kinds)
            and (queued.message.namespace, queued.message.limiter) == (namespace, limiter)
            for queued in (*self.live.values(), *self._in_hand)
        )

    def acquire(self, batch: Sequence[QueuedMessage]) -> None:
        """A consumer handles these messages now."""
        self._in_hand += batch

    def release(self, batch: Sequence[QueuedMessage]) -> None:
        """It has ended."""
        for queued in batch:
            self._in_hand.remove(queued)
        for queued in batch:
            if queued.deleted:
                self._gone(queued.message)

    def _put(self, queue: QueueName, body: str, message: Message, delay: int) -> None:
        self._sent += 1
        queued = QueuedMessage(self._sent, queue, body, message, 0)
        self.live[queued.id] = queued
        self._show(queued, delay)

    def _show(self, queued: QueuedMessage, delay: int) -> None:
        queued.visible_at = self._loop.now + delay
        self._loop.at(queued.visible_at, lambda: self._hand_over(queued))

    def _held(self, receipt: str) -> QueuedMessage | None:
        found = self.live.get(int(receipt.partition(".")[0]))
        return found if found and found.receipt == receipt else None

    def _hand_over(self, queued: QueuedMessage) -> None:
        """Hand the message to a consumer, together with others of the same run that are due."""
        now = self._loop.now
        if queued.deleted or queued.visible_at > now:
            return
        if self._dies(queued):
            return
        about = (queued.message.namespace, queued.message.run)
        batch = [queued]
        for other in self.live.values() if self._fates.below("batch", 4) else ():
            fits = other.queue is queued.queue and other.visible_at <= now and other is not queued
            if fits and (other.message.namespace, other.message.run) == about and len(batch) < LIMIT:
                batch.append(other)
        for one in batch:
            one.count += 1
            short = self._fates.strikes("receive", RECEIVE_FAULTS[:1], 0.03)
            self._show(one, self._fates.span("visibility", 5, 3_000) if short else VISIBILITY)
        self._consume(queued.queue, batch)

    def _dies(self, queued: QueuedMessage) -> bool:
        if queued.queue is QueueName.DEAD:
            return False
        early = self._committed(queued.message) and self._fates.strikes("dead", RECEIVE_FAULTS[1:2], 0.01)
        if queued.count < MAX_RECEIVES and not early:
            return False
        queued.queue, queued.count = QueueName.DEAD, 0
        self._show(queued, 0)
        return True

    def _drop(self, queued: QueuedMessage) -> None:
        queued.deleted = True
        del self.live[queued.id]
        self._gone(queued.message)
