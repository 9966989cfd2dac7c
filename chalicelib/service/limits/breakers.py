"""Breakers of actions: after so many deliveries in a row that failed, nothing is delivered for a while.

                     failures                      the pause is over
    closed ──────────────────────────> open ──────────────────────────> one delivery is tried
      ^                                 ^                                │  accepted    │ failed
      └─────────────────────────────────┼────────────────────────────────┘              │
                                        └───────────────────────────────────────────────┘

The state of an action's breaker is a versioned value like that of a limiter (`permits.Permits`), shared by all
processes. Deliveries that come while it is open wait in the limiter's queue, use up no attempt, and go on in order. The
one that is tried holds the only permit. A delivery costs one read; it costs a write only if it fails, or is the first
one that is accepted after failures.
"""

from __future__ import annotations

from typing import Final

import msgspec

from chalicelib.model import json_values
from chalicelib.model.actions import Action, Breaker
from chalicelib.model.times import Instant
from chalicelib.service.definitions.cache import DefinitionCache
from chalicelib.service.errors import Busy, Conflict
from chalicelib.service.hooks.announce import HookAnnouncer
from chalicelib.service.limits import permits
from chalicelib.service.limits.limiter import Limiter
from chalicelib.service.ports.clock import Clock
from chalicelib.service.ports.definitions import Kind
from chalicelib.service.ports.values import VersionedValueStore

MAX_ATTEMPTS: Final = 12
"""How often a result is recorded again while other processes record theirs, before the message comes again."""


class Circuit(msgspec.Struct, frozen=True):
    """The state of a breaker: how many deliveries in a row have failed, and until when it is open (None: it is not)."""

    failures: int
    open_until: Instant | None


def breaker_name(action: str) -> str:
    """Return the name of the limiter that is the action's breaker."""
    return f"breaker/{action}"


class Breakers:
    """Records how deliveries end."""

    def __init__(
        self,
        values: VersionedValueStore,
        definition_cache: DefinitionCache,
        limiter: Limiter,
        announcer: HookAnnouncer,
        clock: Clock,
    ) -> None:
        self._announcer = announcer
        self._definition_cache = definition_cache
        self._values = values
        self._limiter = limiter
        self._clock = clock

    def of_action(self, namespace: str, name: str) -> Circuit | None:
        """Return the state of the breaker of the action's newest version; None if it has none."""
        found = self._definition_cache.newest(namespace, Kind.ACTION, [name]).get(name)
        has_breaker = found is not None and json_values.decode(found.value, Action).breaker is not None
        return self.circuit(namespace, name) if has_breaker else None

    def circuit(self, namespace: str, action: str) -> Circuit:
        """Return the state of the action's breaker."""
        found = permits.decode(self._values.read(namespace, breaker_name(action))[0])
        return Circuit(found.failures, found.open_until or None)

    def failed(self, namespace: str, action: str, breaker: Breaker, uuid: str) -> None:
        """Record that a delivery of the activation failed. Raises Busy."""
        self._record(namespace, action, uuid, breaker)

    def accepted(self, namespace: str, action: str, uuid: str) -> None:
        """Record that a delivery of the activation was accepted. Raises Busy."""
        self._record(namespace, action, uuid, None)

    def _record(self, namespace: str, action: str, uuid: str, failed: Breaker | None) -> None:
        name = breaker_name(action)
        for attempt in range(MAX_ATTEMPTS):
            value, version = self._values.read(namespace, name)
            before, now = permits.decode(value), self._clock.now()
            after = before.after_failure(uuid, failed, now) if failed else before.after_success(uuid, now)
            if after == before:
                return
            if after.open_until and not before.open_until:
                self._announcer.announce_pause(namespace, action, version + 1, after.failures, after.open_until)
            try:
                self._values.write(namespace, name, permits.encode(after), version)
            except Conflict:
                self._clock.sleep(1 << min(attempt, 6))
                continue
            if after.waiting:
                self._limiter.serve(namespace, name)
            return
        raise Busy(f"the breaker of action {action!r} is being changed by too many deliveries at once")
