"""Events from outside: kept for a while, given to the runs that wait for them, and to those that wait soon after.

    publisher:   keep the signal ──────> who waits for its name and key? ──> a hint to each
    waiting run: subscribe ──> commit ──> is there a kept signal? (a hint, sent before the commit)

Whichever of the two comes last sees the other, so no event is lost between them. A run takes the events of a name in
the order in which they came, each once.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from chalicelib.engine import size_limits
from chalicelib.engine.errors import CommandRefused
from chalicelib.engine.events import Event, EventArrived
from chalicelib.engine.lifecycle import Command
from chalicelib.engine.received_events import taken_until, took
from chalicelib.model import status
from chalicelib.model.flow import EventStep
from chalicelib.model.json_values import Json
from chalicelib.model.run import Run
from chalicelib.model.times import Instant
from chalicelib.model.waits import EventWait
from chalicelib.service import messages
from chalicelib.service.definitions.cache import DefinitionCache
from chalicelib.service.messages import Listen
from chalicelib.service.ports.clock import Clock, IdSource
from chalicelib.service.ports.events import Signal, SignalStore, Subscription
from chalicelib.service.ports.queues import Queue, QueueName
from chalicelib.service.ports.runs import RunStore
from chalicelib.service.runs.advance import RunAdvancer

TTL: Final = 24 * 60 * 60 * 1000
"""For how long an event is kept for runs that begin to wait later, where nobody says, in milliseconds."""

LONGEST_TTL: Final = 366 * TTL
MARGIN: Final = 60 * 60 * 1000
"""How much longer it is kept, so that whoever was told of it in time still finds it."""


class Signaler:
    def __init__(
        self,
        runs: RunStore,
        signals: SignalStore,
        queue: Queue,
        definition_cache: DefinitionCache,
        advancer: RunAdvancer,
        clock: Clock,
        ids: IdSource,
    ) -> None:
        self._runs = runs
        self._signals = signals
        self._queue = queue
        self._definition_cache = definition_cache
        self._advancer = advancer
        self._clock = clock
        self._ids = ids

    def publish(self, namespace: str, name: str, *, key: str = "", data: Json = None, ttl: int = TTL) -> Signal:
        """The event is kept, and every run that waits for it will take it. Raises TooLarge."""
        signal = self._keep(namespace, name, key=key, data=data, ttl=ttl)
        waiting = self._signals.subscriptions(namespace, name, key)
        messages_ = [
            self._message(namespace, subscription) for subscription in waiting if subscription.until > signal.at
        ]
        if messages_:
            self._queue.send(QueueName.WAKES, messages_)
        return signal

    def signal(self, namespace: str, run: Run, name: str, *, data: Json = None) -> Signal:
        """The event is kept for this run alone, to be taken when it waits for one. Raises OrderRefused, TooLarge."""
        if run.status in status.ENDED:
            raise CommandRefused(run.name, run.status, Command.SIGNAL)
        signal = self._keep(namespace, name, run=run.id, data=data, ttl=LONGEST_TTL)
        after = self._runs.load(namespace, run.name)  # it may have begun to wait while the event was being kept
        if after is not None and after.id == run.id:
            for token in after.tokens:
                if token.activation:
                    self.listen(after, token.activation.uuid)
        return signal

    def listen(self, run: Run, uuid: str) -> None:
        """If an event came for which the activation waits, the run takes the earliest."""
        token = run.token_of(uuid)
        step = self._definition_cache.of(run).step(token.step) if token else None
        activation = token.activation if token else None
        wait = activation.wait if activation else None
        if activation is None or not isinstance(step, EventStep) or not isinstance(wait, EventWait):
            return
        if run.status in status.ENDED:
            return
        found = self._earliest(run, wait.key, activation.since, step)
        if found is None:
            return

        def make_events(at: Instant, nonce: str) -> Sequence[Event]:
            return [
                EventArrived(
                    at=at,
                    nonce=nonce,
                    by="event",
                    uuid=uuid,
                    name=found.name,
                    key=found.key,
                    data=found.data,
                    place=found.place,
                )
            ]

        after = self._advancer.advance(run.namespace, run.name, make_events, seen=run).run
        if after.token_of(uuid):  # another wait of the run was quicker: the next event is for this one
            self.listen(after, uuid)
            return
        for name in dict.fromkeys(step.events.values()):
            gone = Subscription(name=name, key=wait.key, run=run.name, uuid=uuid, until=0)
            self._signals.unsubscribe(run.namespace, gone)

    def _earliest(self, run: Run, waited_for: str, since: Instant, step: EventStep) -> Signal | None:
        """The first kept event that the wait asks for and the run has not taken."""
        sources = [
            (name, key, run_id)
            for name in dict.fromkeys(step.events.values())
            for key, run_id in ((waited_for, ""), ("", run.id))
        ]
        found = [signal for source in sources if (signal := self._untaken(run, *source, since))]
        return min(found, key=lambda signal: signal.place, default=None)

    def _untaken(self, run: Run, name: str, key: str, run_id: str, since: Instant) -> Signal | None:
        """The first kept event of that name and key, for that run or (empty) for any, that the run has not taken."""
        kept = self._signals.kept(run.namespace, name, key, run_id, since, taken_until(run, name, key))
        fitting = (signal for signal in kept if signal.until >= since and not took(run, name, key, signal.place))
        return next(fitting, None)

    def _keep(self, namespace: str, name: str, *, key: str = "", run: str = "", data: Json = None, ttl: int) -> Signal:
        size_limits.admit("the event's data", data)
        now = self._clock.now()
        signal = Signal(
            id=self._ids.nonce(),
            name=name,
            key=key,
            run=run,
            data=data,
            at=now,
            until=now + ttl,
            expires_at=now + ttl + MARGIN,
        )
        self._signals.put(namespace, signal)
        return signal

    def _message(self, namespace: str, to: Subscription) -> str:
        now = self._clock.now()
        return messages.encode(Listen(namespace=namespace, run=to.run, sent_at=now, version=0, uuid=to.uuid))
