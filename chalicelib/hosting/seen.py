"""What a scripted host sees of its runs beside requests to actions and people."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from threading import RLock

from chalicelib.adapters.memory.store import MemorySignals, MemoryTasks
from chalicelib.model.json_values import Json
from chalicelib.model.times import Instant
from chalicelib.service.ports.events import Signal
from chalicelib.service.ports.tasks import Task


@dataclass(frozen=True, slots=True)
class Refusal:
    """Something from outside that a run refused."""

    at: Instant
    run: str
    reason: str


@dataclass(frozen=True, slots=True)
class Seen:
    """Something that a run did, or that was done to it: when, by or to which run, and its other fields."""

    at: Instant
    run: str
    fields: dict[str, Json]


class ReportingTasks(MemoryTasks):
    """The store of tasks, which reports each task that is put."""

    def __init__(self, opened: Callable[[Task], None]) -> None:
        super().__init__(RLock())
        self._opened = opened

    def put(self, namespace: str, task: Task) -> None:
        super().put(namespace, task)
        self._opened(task)


class ReportingSignals(MemorySignals):
    """The store of events, which reports each event that is put."""

    def __init__(self, published: Callable[[Signal], None]) -> None:
        super().__init__(RLock())
        self._published = published

    def put(self, namespace: str, signal: Signal) -> None:
        super().put(namespace, signal)
        self._published(signal)
