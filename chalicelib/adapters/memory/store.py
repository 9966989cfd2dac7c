"""The store in memory: definitions, runs, keys, versioned values, signals, tasks, waiters, schedules and batches."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from heapq import nsmallest
from threading import RLock

from chalicelib.adapters.memory.batches import MemoryBatches
from chalicelib.adapters.memory.definitions import MemoryDefinitions
from chalicelib.adapters.memory.deliveries import MemoryDeliveries
from chalicelib.adapters.memory.runs import MemoryRuns
from chalicelib.adapters.memory.schedules import MemorySchedules
from chalicelib.adapters.store_rules import versioned_value_conflict
from chalicelib.model import formats
from chalicelib.model.times import Instant
from chalicelib.service.ports.definitions import DefinitionStore
from chalicelib.service.ports.events import Signal, Subscription
from chalicelib.service.ports.tasks import Task, first_tasks
from chalicelib.service.ports.waiters import Waiter


class MemoryKeys:
    def __init__(self, lock: RLock) -> None:
        self._lock = lock
        self._held: dict[tuple[str, str], tuple[str, Instant]] = {}

    def claim(self, namespace: str, key: str, value: str, now: Instant, ttl: int) -> str:
        with self._lock:
            held, expires_at = self._held.get((namespace, key), ("", now))
            if expires_at > now:
                return held
            self._held[namespace, key] = (value, now + ttl)
        return value


class MemoryVersionedValues:
    def __init__(self, lock: RLock) -> None:
        self._lock = lock
        self._versioned_values: dict[tuple[str, str], tuple[bytes, int]] = {}

    def read(self, namespace: str, key: str) -> tuple[bytes, int]:
        with self._lock:
            return self._versioned_values.get((namespace, key), (b"", 0))

    def write(self, namespace: str, key: str, value: bytes, seen: int) -> None:
        with self._lock:
            if self.read(namespace, key)[1] != seen:
                raise versioned_value_conflict(key)
            self._versioned_values[namespace, key] = (value, seen + 1)


class MemorySignals:
    def __init__(self, lock: RLock) -> None:
        self._lock = lock
        self._signals: dict[tuple[str, str, str], bytes] = {}
        self._subscriptions: dict[tuple[str, ...], Subscription] = {}

    def put(self, namespace: str, signal: Signal) -> None:
        with self._lock:
            self._signals[namespace, signal.place, signal.id] = formats.SIGNAL.encode(signal)

    def stored(
        self, namespace: str, name: str, key: str, run: str, now: Instant, since: Instant = 0
    ) -> Sequence[Signal]:
        signals = (signal for signal in reversed(self._unexpired(namespace, now)) if signal.at >= since)
        return [signal for signal in signals if (signal.name, signal.key, signal.run) == (name, key, run)]

    def subscribe(self, namespace: str, subscription: Subscription) -> None:
        with self._lock:
            self._subscriptions[namespace, *_identity(subscription)] = subscription

    def unsubscribe(self, namespace: str, subscription: Subscription) -> None:
        with self._lock:
            self._subscriptions.pop((namespace, *_identity(subscription)), None)

    def subscriptions(self, namespace: str, name: str, key: str) -> Sequence[Subscription]:
        with self._lock:
            return [kept for place, kept in self._subscriptions.items() if place[:3] == (namespace, name, key)]

    def list(
        self, namespace: str, now: Instant, limit: int, before: tuple[Instant, str] | None = None
    ) -> Sequence[Signal]:
        found = self._unexpired(namespace, now)
        return [signal for signal in found if before is None or (signal.at, signal.id) < before][:limit]

    def _unexpired(self, namespace: str, now: Instant) -> Sequence[Signal]:
        """Newest first."""
        with self._lock:
            bodies = [body for (owner, *_), body in sorted(self._signals.items(), reverse=True) if owner == namespace]
        signals = (formats.SIGNAL.decode(body, Signal) for body in bodies)
        return [signal for signal in signals if signal.expires_at > now]


def _identity(subscription: Subscription) -> tuple[str, str, str, str]:
    """Return what identifies the subscription within its namespace."""
    return subscription.name, subscription.key, subscription.run, subscription.uuid


class MemoryTasks:
    def __init__(self, lock: RLock) -> None:
        self._lock = lock
        self._tasks: dict[tuple[str, Instant, str], Task] = {}

    def put(self, namespace: str, task: Task) -> None:
        with self._lock:
            self._tasks[namespace, task.since, task.uuid] = task

    def remove(self, namespace: str, task: Task) -> None:
        with self._lock:
            self._tasks.pop((namespace, task.since, task.uuid), None)

    def list(
        self, namespace: str, limit: int, after: Task | None = None, *, by_deadline: bool = False
    ) -> Sequence[Task]:
        with self._lock:
            tasks = [task for (owner, *_), task in self._tasks.items() if owner == namespace]
        return first_tasks(tasks, limit, after, by_deadline=by_deadline)


class MemoryWaiters:
    def __init__(self, lock: RLock) -> None:
        self._lock = lock
        self._queues: dict[tuple[str, str], dict[tuple[Instant, int, str], bytes]] = defaultdict(dict)

    def put(self, namespace: str, queue: str, waiter: Waiter) -> None:
        with self._lock:
            self._queues[namespace, queue][waiter.at, waiter.place, waiter.uuid] = formats.WAITER.encode(waiter)

    def remove(self, namespace: str, queue: str, waiters: Sequence[Waiter]) -> None:
        with self._lock:
            for waiter in waiters:
                self._queues[namespace, queue].pop((waiter.at, waiter.place, waiter.uuid), None)

    def first(self, namespace: str, queue: str, limit: int) -> Sequence[Waiter]:
        with self._lock:
            found = nsmallest(limit, self._queues[namespace, queue].items())
        return [formats.WAITER.decode(body, Waiter) for _, body in found]


class MemoryStore:
    """All stores in this process's memory."""

    def __init__(self) -> None:
        lock = RLock()
        self.deliveries = MemoryDeliveries(lock)
        self.runs = MemoryRuns(lock, self.deliveries.forget)
        self.definitions: DefinitionStore = MemoryDefinitions(lock, self.runs)
        self.keys = MemoryKeys(lock)
        self.signals = MemorySignals(lock)
        self.tasks = MemoryTasks(lock)
        self.schedules = MemorySchedules(lock)
        self.versioned_values = MemoryVersionedValues(lock)
        self.waiters = MemoryWaiters(lock)
        self.batches = MemoryBatches(lock)
