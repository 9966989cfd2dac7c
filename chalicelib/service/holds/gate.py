"""What waits for a paused action or flow: runs and notices are parked in a queue, and sent on when it is continued.

    delivery, start ──> paused? ──> park, record it in the head, look again ──> its message is done
    continue ──> `ReleaseHeld` ──> the value without the pause ──> a message for each that is parked

**No waiter is forgotten.** A waiter is put in the queue before the pause is read again. If it is still there, whoever
ends it reads the queue later. If it is not, the waiter goes on at once, and what it left in the queue has no effect.
A suspended run also looks by itself from time to time (`engine.suspensions`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import count
from typing import Final

from chalicelib.engine.suspensions import action_of, suspended
from chalicelib.model.holds import HeldKind
from chalicelib.model.run import Run, Token
from chalicelib.model.status import MOVING
from chalicelib.service.definitions.cache import DefinitionCache
from chalicelib.service.holds.book import HoldBook, Pause
from chalicelib.service.messages import Begin, Deliver, Message, ReleaseHeld, Wake, encode
from chalicelib.service.ports.clock import Clock
from chalicelib.service.ports.queues import Queue, QueueName
from chalicelib.service.ports.waiters import Waiter, WaiterStore
from chalicelib.service.redelivery import Redelivery, until_committed

MAX_RELEASED: Final = 1_000
"""How many waiters one message releases; another message releases the rest."""

_AT_ONCE: Final = 100


def queue_of(kind: HeldKind, name: str) -> str:
    """Return the name of the queue of what waits for the action or flow."""
    return f"hold/{kind}/{name}"


class HoldGate:
    """Parks what waits for paused actions and flows, and releases it."""

    def __init__(
        self, book: HoldBook, waiters: WaiterStore, queue: Queue, definition_cache: DefinitionCache, clock: Clock
    ) -> None:
        self._book = book
        self._waiters = waiters
        self._queue = queue
        self._definition_cache = definition_cache
        self._clock = clock
        self._places = count()

    def pause_of(self, namespace: str, kind: HeldKind, name: str) -> Pause | None:
        """Return the pause as this container knows it; None: it is not paused."""
        return self._book.of(namespace).of(kind).get(name)

    def stored_pause_of(self, namespace: str, kind: HeldKind, name: str) -> Pause | None:
        """Return the pause as it is stored; None: it is not paused."""
        return self._book.read(namespace)[0].of(kind).get(name)

    def holds_flow(self, namespace: str, flow: str) -> bool:
        """Return whether new runs of the flow are held. A run with steps of its own (empty: its flow) never is."""
        return bool(flow) and self.pause_of(namespace, HeldKind.FLOW, flow) is not None

    def park(self, kind: HeldKind, name: str, run: Run, uuid: str = "") -> None:
        """Put the run, or its notice with this uuid, in the queue of the action or flow."""
        waiter = Waiter(at=self._clock.now(), place=next(self._places), uuid=uuid or run.id, run=run.name, id=run.id)
        self._waiters.put(run.namespace, queue_of(kind, name), waiter)

    def park_paused(self, run: Run) -> dict[str, Pause]:
        """Park the run in the queue of each paused action that a token of it waits for. Return the pauses by action."""
        holds = self._book.of(run.namespace)
        if not holds.actions:
            return {}
        names = {self._action_of(run, token) for token in run.tokens}
        found = {name: holds.actions[name] for name in sorted(names & holds.actions.keys())}
        for name in found:
            self.park(HeldKind.ACTION, name, run)
        return found

    def resumable(self, run: Run, parked: Mapping[str, Pause] | None = None) -> list[str]:
        """Return the uuids of suspended activations whose actions are not paused any more.

        `parked` are the pauses for which the run is in queues: it is parked again for later ones.
        """
        tokens = suspended(run) if run.status in MOVING else []
        if not tokens:
            return []
        paused = self._book.read(run.namespace)[0].actions
        names = {token.activation.uuid: self._action_of(run, token) for token in tokens if token.activation}
        for name in sorted(set(names.values()) & paused.keys()):
            if parked is not None and parked.get(name) != paused[name]:
                self.park(HeldKind.ACTION, name, run)
        return [uuid for uuid, name in names.items() if name not in paused]

    def _action_of(self, run: Run, token: Token) -> str:
        return action_of(self._definition_cache.of(run), run, token)

    # ── an action or a flow is continued ─────────────────────────────────────────────────────────────────────────────

    def release(self, message: ReleaseHeld) -> Redelivery:
        """Send a message for each that is parked, unless the action or flow is paused again."""
        holds, version = self._book.read(message.namespace)
        if version < message.version:
            return until_committed(message.sent_at, self._clock.now())
        if message.name in holds.of(message.kind):
            return None
        name = queue_of(message.kind, message.name)
        for _ in range(MAX_RELEASED // _AT_ONCE):
            waiters = self._waiters.first(message.namespace, name, _AT_ONCE)
            self._send(message, waiters)
            self._waiters.remove(message.namespace, name, waiters)
            if len(waiters) < _AT_ONCE:
                return None
        self._queue.send(QueueName.WAKES, [encode(message)])
        return None

    def _send(self, message: ReleaseHeld, waiters: Sequence[Waiter]) -> None:
        wanted = {(waiter.run, waiter.uuid): self._message_for(message, waiter) for waiter in waiters}
        for queue, kind in ((QueueName.DELIVERIES, Deliver), (QueueName.WAKES, (Begin, Wake))):
            bodies = [encode(one) for one in wanted.values() if isinstance(one, kind)]
            if bodies:
                self._queue.send(queue, bodies)

    def _message_for(self, message: ReleaseHeld, waiter: Waiter) -> Message:
        now, namespace = self._clock.now(), message.namespace
        if message.kind is HeldKind.FLOW:
            return Begin(namespace=namespace, run=waiter.run, id=waiter.id, version=0, sent_at=now)
        if waiter.is_run:
            return Wake(namespace=namespace, run=waiter.run, id=waiter.id, version=0, sent_at=now)
        return Deliver(namespace=namespace, run=waiter.run, id=waiter.id, version=0, sent_at=now, uuid=waiter.uuid)
