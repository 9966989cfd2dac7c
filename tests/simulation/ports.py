"""Every port call as a scheduling point, at which the seed may have a fault strike."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import TYPE_CHECKING, Any, Final

from chalicelib.model.run import Run
from chalicelib.model.times import Instant
from chalicelib.service.errors import Busy, Conflict, RunExists
from chalicelib.service.ports.runs import NewRun
from tests.simulation.fates import POST_FAULTS, READ_FAULTS, SAVE_FAULTS, SEND_FAULTS, WRITE_FAULTS
from tests.simulation.loop import Crash

if TYPE_CHECKING:
    from tests.simulation.stage import Stage

FAULTS_OF: Final[dict[str, tuple[str, ...]]] = {
    "definitions.latest": READ_FAULTS,
    "definitions.version": READ_FAULTS,
    "definitions.list": READ_FAULTS,
    "definitions.submit": WRITE_FAULTS,
    "definitions.delete": WRITE_FAULTS,
    "runs.create": SAVE_FAULTS,
    "runs.load": READ_FAULTS,
    "runs.own_flow": READ_FAULTS,
    "runs.put_page": WRITE_FAULTS,
    "runs.pages": READ_FAULTS,
    "runs.put_blobs": WRITE_FAULTS,
    "runs.blobs": READ_FAULTS,
    "runs.save": SAVE_FAULTS,
    "runs.save_relabeled": SAVE_FAULTS,
    "runs.delete": WRITE_FAULTS,
    "runs.list": READ_FAULTS,
    "runs.changed": READ_FAULTS,
    "runs.due": READ_FAULTS,
    "keys.claim": WRITE_FAULTS,
    "versioned_values.read": READ_FAULTS,
    "versioned_values.write": SAVE_FAULTS,
    "signals.put": WRITE_FAULTS,
    "signals.stored": READ_FAULTS,
    "signals.subscribe": WRITE_FAULTS,
    "signals.unsubscribe": WRITE_FAULTS,
    "signals.subscriptions": READ_FAULTS,
    "signals.list": READ_FAULTS,
    "tasks.put": WRITE_FAULTS,
    "tasks.remove": WRITE_FAULTS,
    "tasks.list": READ_FAULTS,
    "schedules.load": READ_FAULTS,
    "schedules.save": SAVE_FAULTS,
    "schedules.delete": SAVE_FAULTS,
    "schedules.due": READ_FAULTS,
    "waiters.put": WRITE_FAULTS,
    "waiters.remove": WRITE_FAULTS,
    "waiters.first": READ_FAULTS,
    "deliveries.put": WRITE_FAULTS,
    "batches.load": READ_FAULTS,
    "batches.save": SAVE_FAULTS,
    "batches.list": READ_FAULTS,
    "batches.put_chunk": WRITE_FAULTS,
    "batches.targets": READ_FAULTS,
    "batches.results": READ_FAULTS,
    "queue.send": SEND_FAULTS,
    "queue.defer": WRITE_FAULTS,
    "caller.post": POST_FAULTS,
}
"""What may go wrong with a call, by port and method."""

TIMELESS: Final = frozenset(
    {"clock.now", "clock.sleep", "ids.nonce", "encryption.check", "encryption.encrypt", "encryption.decrypt"}
)
"""Calls that take no time: others run during others."""

RATE: Final = 0.02
"""How often something does, in a schedule of usual severity."""


class Cut:
    """A port of which every call may be cut short."""

    def __init__(self, stage: Stage, name: str, target: Any) -> None:
        self._stage = stage
        self._name = name
        self._target = target

    def __getattr__(self, method: str) -> Callable[..., Any]:
        inner, stage, name = getattr(self._target, method), self._stage, f"{self._name}.{method}"

        def call(*args: Any, **kwargs: Any) -> Any:
            return cut(stage, name, lambda: stage.execute(name, inner, args, kwargs), args)

        self.__dict__[method] = call
        return call


class CutStore:
    """All stores of one container."""

    def __init__(self, stage: Stage, store: Any) -> None:
        self.definitions: Any = Cut(stage, "definitions", store.definitions)
        self.runs: Any = Cut(stage, "runs", store.runs)
        self.keys: Any = Cut(stage, "keys", store.keys)
        self.versioned_values: Any = Cut(stage, "versioned_values", store.versioned_values)
        self.signals: Any = Cut(stage, "signals", store.signals)
        self.tasks: Any = Cut(stage, "tasks", store.tasks)
        self.schedules: Any = Cut(stage, "schedules", store.schedules)
        self.waiters: Any = Cut(stage, "waiters", store.waiters)
        self.deliveries: Any = Cut(stage, "deliveries", store.deliveries)
        self.batches: Any = Cut(stage, "batches", store.batches)


def cut(stage: Stage, name: str, execute: Callable[[], Any], args: tuple[Any, ...]) -> Any:
    """One call of a port: others may run first, and it may fail, before or after it took effect."""
    fiber = stage.loop.current
    if fiber is None or name == "runs.together":  # a store in memory commits each write by itself: it calls nothing
        return execute()
    if fiber.namespace and name not in ("runs.due", "schedules.due"):
        _stay_within(stage, fiber.namespace, name, args)
    if name not in TIMELESS:
        stage.loop.pause(1 + stage.fates.below("latency", 12))
    fault = stage.fates.strikes_at(name, FAULTS_OF.get(name, READ_FAULTS), RATE)
    stage.note(name, fault)
    if not fault:
        return execute()
    return _struck(stage, name, fault, execute, args)


def _struck(stage: Stage, name: str, fault: str, execute: Callable[[], Any], args: tuple[Any, ...]) -> Any:
    if fault == "stall":
        stage.loop.pause(stage.fates.span("stall", 500, 50_000))
        return execute()
    if fault.startswith("crash-before"):
        raise Crash(fault)
    if fault in ("read-throttled", "write-throttled", "send-failed"):
        raise Busy(fault)
    if fault == "send-partly":
        queue, bodies, *delay = args
        stage.execute(name, stage.messages.send, (queue, bodies[: len(bodies) // 2], *delay), {})
        raise Busy(fault)
    execute()
    if fault.startswith("crash-after"):
        raise Crash(fault)
    if fault == "conflict-though-written":
        raise RunExists("r") if name == "runs.create" else Conflict(fault)
    raise Busy(fault)


def _stay_within(stage: Stage, namespace: str, name: str, args: tuple[Any, ...]) -> None:
    first = args[0] if args else None
    touched = namespace
    if isinstance(first, NewRun):
        touched = first.run.namespace
    elif isinstance(first, Run):
        touched = first.namespace
    elif not name.startswith(("queue", "caller", "clock", "ids", "encryption.check")):
        touched = str(first)
    if touched != namespace:
        stage.laws.breaks("namespace", f"a request for {namespace!r} called {name} on {touched!r}")


class SkewedClock:
    """The clock of one container: it is fast or slow by some constant."""

    def __init__(self, stage: Stage, skew: int) -> None:
        self._stage = stage
        self._skew = skew

    def now(self) -> Instant:
        return self._stage.loop.now + self._skew

    def sleep(self, milliseconds: int) -> None:
        self._stage.loop.pause(milliseconds)


class SimulatedIds:
    def __init__(self, rng: Random) -> None:
        self._rng = rng

    def nonce(self) -> str:
        return f"{self._rng.getrandbits(128):032x}"
