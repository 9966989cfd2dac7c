"""The paused actions and flows of namespaces: one versioned value each, kept in memory for a moment."""

from __future__ import annotations

from collections.abc import Mapping
from threading import Lock
from typing import Final

import msgspec

from chalicelib.model.holds import HeldKind
from chalicelib.model.json_values import ready
from chalicelib.model.times import Instant
from chalicelib.service.ports.clock import Clock
from chalicelib.service.ports.values import VersionedValueStore

MAX_AGE_MS: Final = 10_000
"""How long a container may not know of a pause that was made through another one."""

MAX_NAMESPACES: Final = 1_000
"""Namespaces of which a container remembers the pauses."""

KEY: Final = "holds"


class Pause(msgspec.Struct, frozen=True, omit_defaults=True):
    """The pause of an action or a flow."""

    at: Instant
    by: str = ""
    number: int = 0
    """Distinguishes it from earlier pauses of the same name: the version of the value with which it began."""


class Holds(msgspec.Struct, frozen=True, omit_defaults=True):
    """The pauses of a namespace by name."""

    actions: dict[str, Pause] = {}
    flows: dict[str, Pause] = {}

    def of(self, kind: HeldKind) -> Mapping[str, Pause]:
        """Return the pauses of that kind."""
        return self.actions if kind is HeldKind.ACTION else self.flows

    def changed(self, kind: HeldKind, name: str, pause: Pause | None) -> Holds:
        """Return the holds with that pause, or without one (None)."""
        pauses = {known: one for known, one in self.of(kind).items() if known != name}
        if pause is not None:
            pauses[name] = pause
        return Holds(pauses, self.flows) if kind is HeldKind.ACTION else Holds(self.actions, pauses)


NOTHING_HELD: Final = Holds()


class HoldBook:
    """Reads the pauses of a namespace at most once per `MAX_AGE_MS`. Safe for use by several threads."""

    def __init__(self, values: VersionedValueStore, clock: Clock) -> None:
        self._values = values
        self._clock = clock
        self._lock = Lock()
        self._known: dict[str, tuple[Instant, Holds]] = {}
        self._forgotten_at: Instant = 0

    def of(self, namespace: str) -> Holds:
        """Return the pauses as this container knows them."""
        with self._lock:
            read_at, holds = self._known.get(namespace, (None, NOTHING_HELD))
        if read_at is not None and read_at > self._clock.now() - MAX_AGE_MS:
            return holds
        return self.read(namespace)[0]

    def read(self, namespace: str) -> tuple[Holds, int]:
        """Return the pauses as they are stored, with their version. Consistent."""
        asked_at = self._clock.now()
        value, version = self._values.read(namespace, KEY)
        holds = msgspec.json.decode(value, type=Holds) if value else NOTHING_HELD
        self._learn(namespace, holds, asked_at)
        return holds, version

    def write(self, namespace: str, holds: Holds, seen: int) -> None:
        """Replace the pauses of version `seen`. Raises Conflict."""
        asked_at = self._clock.now()
        self._values.write(namespace, KEY, msgspec.json.encode(holds), seen)
        self._learn(namespace, holds, asked_at)

    def forget(self) -> None:
        """Read the pauses of all namespaces again when they are next asked for."""
        with self._lock:
            self._known.clear()
            self._forgotten_at = self._clock.now()

    def _learn(self, namespace: str, holds: Holds, asked_at: Instant) -> None:
        """Remember the pauses. A slow answer does not replace what was asked for later."""
        with self._lock:
            known = self._known.get(namespace)
            if asked_at < self._forgotten_at or (known is not None and known[0] > asked_at):
                return
            if len(self._known) >= MAX_NAMESPACES:
                self._known.clear()
            self._known[namespace] = asked_at, holds


ready(Holds)
