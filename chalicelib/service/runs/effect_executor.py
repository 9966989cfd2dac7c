"""Carry out the effects of a decision: write blobs, tasks and subscriptions, and send messages."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import TypeAlias, TypedDict, assert_never

import msgspec

from chalicelib.engine import effects
from chalicelib.engine.announcements import mark_of
from chalicelib.engine.effects import Effect
from chalicelib.model.run import Run
from chalicelib.model.times import Instant
from chalicelib.service import messages
from chalicelib.service.messages import Message, Wanted
from chalicelib.service.ports.clock import Clock
from chalicelib.service.ports.events import Subscription
from chalicelib.service.ports.queues import MAX_DELAY_MS, Queue, QueueName
from chalicelib.service.ports.runs import RunStore
from chalicelib.service.ports.store import Store
from chalicelib.service.ports.tasks import Task

_ChildEffect: TypeAlias = effects.StartChild | effects.StopChild | effects.SyncChild | effects.TellParent


class _Common(TypedDict):
    """The fields of every message."""

    namespace: str
    run: str
    version: int
    id: str
    sent_at: Instant


class EffectExecutor:
    """Carries out effects. Everything it does may be repeated."""

    def __init__(self, store: Store, runs: RunStore, queue: Queue, clock: Clock) -> None:
        self._store = store
        self._runs = runs
        self._queue = queue
        self._clock = clock

    def execute(self, emitted: Sequence[Effect], run: Run, announced: tuple[Wanted, ...] = ()) -> None:
        """Carry out the effects that were emitted with the head `run`, which is not committed yet.

        `announced` are events of it of which hooks are notified once it is committed.
        """
        blobs = {one.key: msgspec.json.encode(one.value) for one in emitted if isinstance(one, effects.StoreBlob)}
        if blobs:
            self._runs.put_blobs(run, blobs)
        batches: dict[tuple[QueueName, int], list[str]] = defaultdict(list)
        for effect in emitted:
            self._write(effect, run)
            sent = self._message(effect, run)
            if sent is not None:
                message, delay = sent
                queue = QueueName.DELIVERIES if isinstance(message, messages.Deliver) else QueueName.WAKES
                batches[queue, delay].append(messages.encode(message))
        if announced:
            batches[QueueName.WAKES, 0].append(messages.encode(self._announce(announced, run)))
        for (queue, delay), bodies in batches.items():
            self._queue.send(queue, bodies, delay)

    def _announce(self, wanted: tuple[Wanted, ...], run: Run) -> Message:
        entry = run.tail[-1]
        return messages.Announce(
            namespace=run.namespace,
            run=run.name,
            version=run.version,
            id=run.id,
            sent_at=self._clock.now(),
            written=run.written,
            seq=entry.seq,
            mark=mark_of(entry),
            wanted=wanted,
        )

    def _write(self, effect: Effect, run: Run) -> None:
        match effect:
            case effects.OpenTask(uuid):
                token = run.token_of(uuid)
                if token and token.activation:
                    since, until = token.activation.since, token.activation.deadline
                    self._store.tasks.put(run.namespace, Task(run=run.name, uuid=uuid, since=since, until=until))
            case effects.Listen(uuid, names, key, until):
                for name in names:
                    subscription = Subscription(name=name, key=key, run=run.name, uuid=uuid, until=until)
                    self._store.signals.subscribe(run.namespace, subscription)
            case _:
                pass

    def _message(self, effect: Effect, run: Run) -> tuple[Message, int] | None:
        """Return the message of the effect, and its delay in milliseconds; None if it sends no message."""
        now = self._clock.now()
        common = _Common(namespace=run.namespace, run=run.name, version=run.version, id=run.id, sent_at=now)
        match effect:
            case effects.DeliverAction(uuid):
                return messages.Deliver(uuid=uuid, **common), 0
            case effects.SetTimer(at):
                delay = max(0, at - now)
                return (messages.Wake(**common), delay) if delay <= MAX_DELAY_MS else None
            case effects.Listen(uuid):
                return messages.Listen(uuid=uuid, **common), 0
            case effects.ExecuteStep(uuid):
                return messages.ExecuteStep(uuid=uuid, **common), 0
            case effects.TellSchedule():
                return messages.TellSchedule(**common), 0
            case effects.RequestPermit() | effects.ReleasePermit():
                return _of_permit(effect, common), 0
            case effects.StoreBlob() | effects.OpenTask():
                return None
            case _:
                return _of_child(effect, common), 0


def _of_child(effect: _ChildEffect, common: _Common) -> Message:
    """Return the message of an effect about another run."""
    match effect:
        case effects.StartChild(uuid):
            return messages.StartChild(uuid=uuid, **common)
        case effects.StopChild(child):
            return messages.StopChild(child=child, **common)
        case effects.SyncChild(child):
            return messages.SyncChild(child=child, **common)
        case effects.TellParent():
            return messages.TellParent(**common)
        case _:
            assert_never(effect)


def _of_permit(effect: effects.RequestPermit | effects.ReleasePermit, common: _Common) -> Message:
    if isinstance(effect, effects.RequestPermit):
        return messages.Begin(**common)
    return messages.Release(uuid=effect.uuid, limiter=effect.limiter, attempt=effect.attempt, **common)
