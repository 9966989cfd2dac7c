"""Count the deliveries of each action: how many in the last hour, how many failed, how long they took.

A process counts in memory, and adds the counts of each minute to a stored value of the action once the minute has
passed: one write for each action and minute, not one for each delivery. Counts of the last minute are lost if the
process ends. Durations are counted in classes of which each is 5 % wider than the one before, so a percentile is at
most that much too high.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from threading import Lock
from typing import Final

import msgspec

from chalicelib.model.json_values import ready
from chalicelib.model.times import Milliseconds
from chalicelib.service.errors import Conflict, ServiceError
from chalicelib.service.ports.clock import Clock
from chalicelib.service.ports.values import VersionedValueStore

MINUTE_MS: Final[Milliseconds] = 60_000
MINUTES: Final = 60
"""How many minutes are kept."""

_GROWTH: Final = math.log(1.05)
_ATTEMPTS: Final = 4
_MAX_ACTIONS: Final = 1_000
"""Of how many actions one process counts at a time."""


class Minute(msgspec.Struct, kw_only=True, omit_defaults=True):
    """The deliveries of one minute."""

    at: int = msgspec.field(name="t")
    """Minutes since 1970."""
    deliveries: int = msgspec.field(name="n", default=0)
    failures: int = msgspec.field(name="f", default=0)
    durations: dict[int, int] = msgspec.field(name="d", default_factory=dict)
    """How many deliveries took as long as each class of durations."""

    def add(self, other: Minute) -> None:
        """Add the counts of another process."""
        self.deliveries += other.deliveries
        self.failures += other.failures
        for one, count in other.durations.items():
            self.durations[one] = self.durations.get(one, 0) + count


class LastHour(msgspec.Struct, frozen=True, kw_only=True):
    """The deliveries of an action in the last hour. The percentiles are in milliseconds; None without deliveries."""

    deliveries: int
    failures: int
    p50: Milliseconds | None
    p95: Milliseconds | None


class DeliveryStatistics:
    """Counts deliveries, if that is switched on.

    `collect` has other processes store what they have counted, where that is possible.
    """

    def __init__(
        self, values: VersionedValueStore, clock: Clock, *, is_on: bool, collect: Callable[[], None] = lambda: None
    ) -> None:
        self._values = values
        self._collect = collect
        self._clock = clock
        self._is_on = is_on
        self._lock = Lock()
        self._pending: dict[tuple[str, str], Minute] = {}

    def record(self, namespace: str, action: str, took: Milliseconds, *, failed: bool) -> None:
        """Count a delivery that took so long."""
        if not self._is_on:
            return
        now, key = self._clock.now() // MINUTE_MS, (namespace, action)
        with self._lock:
            minute = self._pending.get(key)
            due = None
            if minute is not None and minute.at != now:
                due, minute = minute, None
            if minute is None and (key in self._pending or len(self._pending) < _MAX_ACTIONS):
                minute = self._pending[key] = Minute(at=now)
            if minute is not None:
                one = _class_of(took)
                minute.add(Minute(at=now, deliveries=1, failures=int(failed), durations={one: 1}))
        if due is not None:
            self._store(namespace, action, due)

    def of(self, namespace: str, action: str) -> LastHour | None:
        """Return the deliveries of the action in the last hour; None if they are not counted."""
        if not self._is_on:
            return None
        self._collect()
        first = self._clock.now() // MINUTE_MS - MINUTES + 1
        stored = _decoded(self._values.read(namespace, _key(action))[0])
        whole = Minute(at=first)
        with self._lock:
            pending = self._pending.get((namespace, action))
            for minute in (*stored, *([pending] if pending else [])):
                if minute.at >= first:
                    whole.add(minute)
        return LastHour(
            deliveries=whole.deliveries,
            failures=whole.failures,
            p50=_percentile(whole.durations, 0.50),
            p95=_percentile(whole.durations, 0.95),
        )

    def flush(self) -> None:
        """Store what was counted of minutes that are not over yet."""
        with self._lock:
            pending, self._pending = self._pending, {}
        for (namespace, action), minute in pending.items():
            self._store(namespace, action, minute)

    def _store(self, namespace: str, action: str, minute: Minute) -> None:
        """Add the counts of a minute to those that are stored. They are lost if too many others do the same."""
        for _ in range(_ATTEMPTS):
            try:
                text, version = self._values.read(namespace, _key(action))
                minutes = {one.at: one for one in _decoded(text) if one.at > minute.at - MINUTES}
                minutes.setdefault(minute.at, Minute(at=minute.at)).add(minute)
                body = msgspec.json.encode([minutes[at] for at in sorted(minutes)][-MINUTES:])
                self._values.write(namespace, _key(action), body, version)
            except Conflict:
                continue
            except ServiceError:
                return
            return


def _key(action: str) -> str:
    return f"deliveries/{action}"


def _decoded(text: bytes) -> Iterable[Minute]:
    return msgspec.json.decode(text, type=list[Minute]) if text else ()


def _class_of(took: Milliseconds) -> int:
    """Return the class of a duration: class n holds those up to 1.05 ** n, rounded up."""
    return 0 if took <= 0 else max(1, math.ceil(math.log(took) / _GROWTH - 1e-9))


def _percentile(durations: Mapping[int, int], share: float) -> Milliseconds | None:
    """Return a duration that this share of the deliveries did not exceed; None if there are none."""
    wanted = math.ceil(sum(durations.values()) * share)
    for one in sorted(durations):
        wanted -= durations[one]
        if wanted <= 0:
            return 0 if one == 0 else round(math.exp(one * _GROWTH))
    return None


ready(Minute)
