"""Publish events: store them for a while, and give them to runs that wait for them, now or later.

    publisher:   store the event ──────> find the subscriptions ──> send a message to each run
    waiting run: subscribe ──> commit ──> look for stored events (by a message that is sent before the commit)

Whichever happens last sees the other, so no event is lost. A run takes the events of a name in the order in which they
were published, each once.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Final

import msgspec
from msgspec.structs import replace

from chalicelib.engine.errors import CommandRefused
from chalicelib.engine.events import Event, EventArrived
from chalicelib.engine.lifecycle import Command
from chalicelib.engine.received_events import taken_until, took
from chalicelib.engine.values import size_limits
from chalicelib.model import status
from chalicelib.model.flow import EventStep
from chalicelib.model.json_values import Json
from chalicelib.model.run import Run
from chalicelib.model.times import Instant
from chalicelib.model.waits import EventWait
from chalicelib.service import messages
from chalicelib.service.definitions.cache import DefinitionCache
from chalicelib.service.errors import ServiceError
from chalicelib.service.events.event_types import EventTypes
from chalicelib.service.messages import Listen
from chalicelib.service.names import refuse_unsafe
from chalicelib.service.ports.clock import Clock, IdSource
from chalicelib.service.ports.events import Signal, SignalStore, Subscription
from chalicelib.service.ports.queues import Queue, QueueName
from chalicelib.service.ports.runs import RunStore
from chalicelib.service.ports.values import KeyStore
from chalicelib.service.runs.advance import RunAdvancer

DEFAULT_TTL_MS: Final = 24 * 60 * 60 * 1000
"""How long an event is offered to runs that begin to wait after it was published."""

MAX_TTL_MS: Final = 366 * DEFAULT_TTL_MS

EXPIRY_MARGIN_MS: Final = 60 * 60 * 1000
"""How much longer the event is stored, so that runs that were notified in time still find it."""


_STEP_ID_TTL_MS: Final = 30 * 24 * 60 * 60 * 1000
"""How long it is known when an activation published its event: longer than a queue keeps a message."""

MIN_ID_TTL_MS: Final = DEFAULT_TTL_MS
"""How long the id of an event is known at least; else as long as the event is offered."""


class Published(msgspec.Struct, frozen=True):
    """A published event, and the names of the runs that were notified because they wait for it."""

    signal: Signal
    woken: tuple[str, ...]


class IdTaken(ServiceError):
    """The id of an event was used for another event."""

    code = "key-taken"

    def __init__(self, event_id: str) -> None:
        super().__init__(f"id {event_id!r} was used for another event: an event keeps its name, key, data and ttl")


class Signaler:
    """Publishes events, and lets waiting runs take them."""

    def __init__(
        self,
        runs: RunStore,
        signals: SignalStore,
        keys: KeyStore,
        queue: Queue,
        definition_cache: DefinitionCache,
        event_types: EventTypes,
        advancer: RunAdvancer,
        clock: Clock,
        ids: IdSource,
    ) -> None:
        self._runs = runs
        self._signals = signals
        self._keys = keys
        self._queue = queue
        self._definition_cache = definition_cache
        self._event_types = event_types
        self._advancer = advancer
        self._clock = clock
        self._ids = ids

    def publish(
        self,
        namespace: str,
        name: str,
        *,
        key: str = "",
        data: Json = None,
        ttl: int = DEFAULT_TTL_MS,
        event_id: str | None = None,
        origin: str = "",
        by: str = "",
    ) -> Published:
        """Store the event, and notify every run that waits for it.

        `event_id` makes the request idempotent: with the same id it is the same event. `origin` is the uuid of the
        activation that publishes it: one activation publishes one event, however often it does so; `by` is its run,
        as `run NAME`. Raises EventRefused, TooLarge, KeyTaken (the id was used for another event).
        """
        refuse_unsafe("the name of an event", name)
        data = self._event_types.admitted(namespace, name, data)
        signal = self._signal(namespace, name, key=key, data=data, ttl=ttl, origin=origin, by=by)
        if event_id is not None:
            signal = self._claim(namespace, signal, event_id, ttl)
        self._signals.put(namespace, signal)
        subscriptions = self._signals.subscriptions(namespace, name, key)
        waiting = [one for one in subscriptions if one.until > signal.at]  # not now: a deadline may just have passed
        if waiting:
            self._queue.send(QueueName.WAKES, [self._message(namespace, one) for one in waiting])
        return Published(signal, tuple(dict.fromkeys(one.run for one in waiting)))

    def waiting_runs(self, namespace: str, name: str, *, key: str = "", data: Json = None) -> tuple[str, ...]:
        """Return the runs that such an event would wake now. Nothing is published. Raises EventRefused, TooLarge."""
        refuse_unsafe("the name of an event", name)
        size_limits.admit("the event's data", self._event_types.admitted(namespace, name, data))
        now = self._clock.now()
        waiting = (one for one in self._signals.subscriptions(namespace, name, key) if one.until > now)
        return tuple(dict.fromkeys(one.run for one in waiting))

    def _claim(self, namespace: str, signal: Signal, event_id: str, ttl: int) -> Signal:
        """Return the event to which the id belongs: this one, or an equal one that was published before."""
        content = msgspec.json.encode([signal.name, signal.key, signal.data, ttl], order="deterministic")
        digest = hashlib.sha256(content).hexdigest()[:16]
        own = f"{digest}/{signal.at}/{signal.id}"
        claimed = self._keys.claim(namespace, f"event/{event_id}", own, signal.at, max(ttl, MIN_ID_TTL_MS))
        owner, at, signal_id = claimed.split("/")
        if owner != digest:
            raise IdTaken(event_id)
        later = int(at) - signal.at
        until, expires_at = signal.until + later, signal.expires_at + later
        return replace(signal, id=signal_id, at=int(at), until=until, expires_at=expires_at)

    def signal(
        self, namespace: str, run: Run, name: str, *, data: Json = None, origin: str = "", by: str = ""
    ) -> Signal:
        """Store the event for this run alone, which takes it when it waits for one.

        `origin` and `by` are as in `publish`. An event that is stored already is not refused if the run has ended
        since. Raises CommandRefused, EventRefused, TooLarge.
        """
        refuse_unsafe("the name of an event", name)
        if run.status in status.ENDED:
            stored = self._signals.stored(namespace, name, "", run.id, self._clock.now()) if origin else ()
            sent = next((known for known in stored if known.id == _id_of(origin)), None)
            if sent is not None:
                return sent
            raise CommandRefused(run.name, run.status, Command.SIGNAL)
        data = self._event_types.admitted(namespace, name, data)
        signal = self._signal(namespace, name, run=run.id, data=data, ttl=MAX_TTL_MS, origin=origin, by=by)
        self._signals.put(namespace, signal)
        after = self._runs.load(namespace, run.name)  # it may have begun to wait while the event was being stored
        if after is not None and after.id == run.id:
            for token in after.tokens:
                if token.activation:
                    self.listen(after, token.activation.uuid)
        return signal

    def listen(self, run: Run, uuid: str) -> None:
        """Let the run take the earliest event that the activation waits for, if there is one."""
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
        after = self._take(run, uuid, found)
        if after.token_of(uuid):  # another wait of the run took the event: look for the next one
            self.listen(after, uuid)
            return
        for name in dict.fromkeys(step.events.values()):
            ended = Subscription(name=name, key=wait.key, run=run.name, uuid=uuid, until=0)
            self._signals.unsubscribe(run.namespace, ended)

    def _take(self, run: Run, uuid: str, signal: Signal) -> Run:
        """Give the event to the activation, and return the head."""

        def make_events(at: Instant, nonce: str) -> Sequence[Event]:
            return [
                EventArrived(
                    at=at,
                    nonce=nonce,
                    by=signal.by or "event",
                    uuid=uuid,
                    name=signal.name,
                    key=signal.key,
                    data=signal.data,
                    place=signal.place,
                )
            ]

        return self._advancer.advance(run.namespace, run.name, make_events, seen=run).run

    def _earliest(self, run: Run, key_waited_for: str, since: Instant, step: EventStep) -> Signal | None:
        """Return the first stored event that the activation waits for and the run has not taken."""
        sources = [
            (name, key, run_id)
            for name in dict.fromkeys(step.events.values())
            for key, run_id in ((key_waited_for, ""), ("", run.id))
        ]
        found = [signal for source in sources if (signal := self._untaken(run, *source, since))]
        return min(found, key=lambda signal: signal.place, default=None)

    def _untaken(self, run: Run, name: str, key: str, run_id: str, since: Instant) -> Signal | None:
        """Return the first event of that name and key, for that run or (empty) any, that the run has not taken."""
        stored = self._signals.stored(run.namespace, name, key, run_id, since, taken_until(run, name, key))
        fitting = (signal for signal in stored if signal.until >= since and not took(run, name, key, signal.place))
        return next(fitting, None)

    def _signal(
        self,
        namespace: str,
        name: str,
        *,
        key: str = "",
        run: str = "",
        data: Json = None,
        ttl: int,
        origin: str,
        by: str,
    ) -> Signal:
        size_limits.admit("the event's data", data)
        now = self._clock.now()
        if origin:  # its place among the events of its name is that of the first time
            now = int(self._keys.claim(namespace, f"emit/{origin}", str(now), now, _STEP_ID_TTL_MS))
        return Signal(
            id=_id_of(origin) if origin else self._ids.nonce(),
            name=name,
            key=key,
            run=run,
            data=data,
            by=by,
            at=now,
            until=now + ttl,
            expires_at=now + ttl + EXPIRY_MARGIN_MS,
        )

    def _message(self, namespace: str, to: Subscription) -> str:
        now = self._clock.now()
        return messages.encode(Listen(namespace=namespace, run=to.run, sent_at=now, version=0, uuid=to.uuid))


def _id_of(origin: str) -> str:
    """Return the id of the event that the activation publishes."""
    return origin.replace("-", "")
