"""The permits of one limiter, as a value: who holds one, and when the next may be used.

Moments of the rate are microseconds since 1970, all others milliseconds.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import msgspec
from msgspec.structs import replace

from chalicelib.model.actions import Breaker
from chalicelib.model.json_values import ready
from chalicelib.model.times import Instant
from chalicelib.service.cell_rate import US_PER_MS, CellRate, milliseconds
from chalicelib.service.ports.waiters import Waiter

RATE_MARGIN_MS: Final = 10_000
"""How long ago the last slot must be before the queue counts as unused: more than clocks differ."""

RECENT_MS: Final = 10_000
MAX_RECENT: Final = 64
"""How long, and how many, grants without a permit are remembered."""


GRANT_MS: Final = 10 * 60_000
"""How long only the delivery that was sent with a permit counts."""


class Permits(msgspec.Struct, frozen=True, omit_defaults=True):
    """The state of a limiter."""

    holders: dict[str, str] = msgspec.field(name="h", default_factory=dict)
    """The run of each activation that holds a permit, by the activation's uuid; the one checked longest ago first."""
    attempts: dict[str, int] = msgspec.field(name="g", default_factory=dict)
    """For which attempt a holder has its permit, where that is not the first, number 0."""
    grants: dict[str, str] = msgspec.field(name="q", default_factory=dict)
    """The ids of the last grants of permits to waiters: only the delivery that was sent with this id counts."""
    checked_at: Instant = msgspec.field(name="v", default=0)
    """When holders were last compared with the heads of their runs."""
    next: int = msgspec.field(name="n", default=0)
    """When the next delivery would be sent if deliveries kept exactly to their intervals."""
    waiting: bool = msgspec.field(name="w", default=False)
    """Whether the queue may hold waiters. It holds none if this is false."""
    look_at: Instant = msgspec.field(name="k", default=0)
    """When the last `Serve` message that was sent arrives."""
    changed_at: Instant = msgspec.field(name="c", default=0)
    """When a permit was last given or returned."""
    failures: int = msgspec.field(name="x", default=0)
    """Of a breaker: how many deliveries in a row have failed."""
    open_until: Instant = msgspec.field(name="o", default=0)
    """Of a breaker: until when nothing is delivered. Then one holder is tried. 0: the circuit is closed."""
    recent: dict[str, Instant] = msgspec.field(name="r", default_factory=dict)
    """Waits without a permit (their limit is a rate only) that were granted a slot a moment ago, and when."""

    def admits(self, waiter: Waiter) -> bool:
        """Return whether the waiter holds a permit for its attempt."""
        return waiter.uuid in self.holders and self.attempts.get(waiter.uuid, 0) == waiter.attempt

    def was_sent_by_another(self, uuid: str, grant: str, now: Instant) -> bool:
        """Return whether the delivery that counts was sent with another grant than this one (empty: with none).

        After a while any counts: a person may have lost messages, and repair what they left.
        """
        return now - self.changed_at < GRANT_MS and self.grants.get(uuid, grant) != grant

    def with_delivery_held(self, uuid: str, grant: str) -> Permits:
        """Return the permits after the delivery of a permit was held back: any delivery counts from now on."""
        if self.grants.get(uuid) != grant:
            return self
        return replace(self, grants={other: known for other, known in self.grants.items() if other != uuid})

    def was_granted(self, waiter: Waiter, now: Instant) -> bool:
        """Return whether the waiter needs no other grant: its message is on the way."""
        return self.admits(waiter) or now - self.recent.get(_wait_of(waiter), 0) < RECENT_MS

    def slot(self, waiter: Waiter, now: Instant) -> Instant | None:
        """Return when the waiter may be delivered, `now` or later; None if all permits are held."""
        if self.open_until:
            return None if self.holders else max(now, self.open_until)
        is_full = waiter.concurrent is not None and len(self.holders) >= waiter.concurrent
        if is_full and waiter.uuid not in self.holders:
            return None
        if waiter.per_second is None:
            return now
        return now + milliseconds(_rate_of(waiter).wait_us(self.next, now * US_PER_MS))

    def granted(self, waiter: Waiter, now: Instant, grant: str = "") -> Permits:
        """Return the permits after the waiter was granted its slot, and a permit if its limit has permits.

        `grant` is the id with which the delivery of a waiter from the queue is sent.
        """
        grants = {uuid: known for uuid, known in self.grants.items() if uuid != waiter.uuid}
        if grant:
            grants = dict([*grants.items(), (waiter.uuid, grant)][-MAX_RECENT:])
        if self.open_until:
            attempts = {waiter.uuid: waiter.attempt} if waiter.attempt else {}
            holders = {waiter.uuid: waiter.run}
            return replace(self, holders=holders, attempts=attempts, grants=grants, changed_at=now)
        changed = replace(self, changed_at=now)
        if waiter.per_second is not None:
            changed = replace(changed, next=_rate_of(waiter).after(self.next, now * US_PER_MS))
        if waiter.concurrent is None:
            return replace(changed, recent=_recent({**self.recent, _wait_of(waiter): now}, now))
        attempts = {**self.attempts, waiter.uuid: waiter.attempt}
        if not waiter.attempt:
            del attempts[waiter.uuid]
        holders = {**self.holders, waiter.uuid: waiter.run}
        return replace(changed, holders=holders, attempts=attempts, grants=grants)

    def without(self, uuids: Mapping[str, int | None], now: Instant) -> Permits:
        """Return the permits without those of these activations.

        A number is the first attempt for which the activation keeps its permit; None: it returns its permit anyway.
        """
        gone = {
            uuid
            for uuid, attempt in uuids.items()
            if uuid in self.holders and (attempt is None or self.attempts.get(uuid, 0) < attempt)
        }
        if not gone:
            return self
        holders = {uuid: run for uuid, run in self.holders.items() if uuid not in gone}
        attempts = {uuid: attempt for uuid, attempt in self.attempts.items() if uuid not in gone}
        grants = {uuid: grant for uuid, grant in self.grants.items() if uuid not in gone}
        return replace(self, holders=holders, attempts=attempts, grants=grants, changed_at=now)

    def after_failure(self, uuid: str, breaker: Breaker, now: Instant) -> Permits:
        """Return the state of a breaker after a delivery failed. Those sent before it opened do not count."""
        if self.open_until and uuid not in self.holders:
            return self
        failures = self.failures + (not self.open_until)
        if failures < breaker.failures:
            return replace(self, failures=failures)
        opened = replace(self, failures=failures, open_until=now + breaker.pause)
        return replace(opened, holders={}, attempts={}, changed_at=now)

    def after_success(self, uuid: str, now: Instant) -> Permits:
        """Return the state of a breaker after a delivery was accepted. If it is open, only the one tried counts."""
        if not self.failures or (self.open_until and uuid not in self.holders):
            return self
        return replace(self, failures=0, open_until=0, holders={}, attempts={}, changed_at=now)

    def is_unused(self, now: Instant) -> bool:
        """Return whether no process can have found the limit reached with this value."""
        return not self.holders and not self.open_until and self.next < (now - RATE_MARGIN_MS) * US_PER_MS

    def wakes_by(self, at: Instant, now: Instant) -> bool:
        """Return whether a `Serve` message is on its way that arrives by then."""
        return now < self.look_at <= at


def _wait_of(waiter: Waiter) -> str:
    """Return what tells this wait of the activation from others, which wait since other moments."""
    return f"{waiter.uuid}@{waiter.at}"


def _rate_of(waiter: Waiter) -> CellRate:
    return CellRate.of(waiter.per_second or 1, waiter.burst)


def _recent(grants: dict[str, Instant], now: Instant) -> dict[str, Instant]:
    """Return the grants that a process with an older value may not know of."""
    newest = sorted(grants.items(), key=lambda known: known[1])[-MAX_RECENT:]
    return {uuid: at for uuid, at in newest if now - at < RECENT_MS}


def encode(permits: Permits) -> bytes:
    """Return the permits as they are stored."""
    return msgspec.json.encode(permits)


def decode(value: bytes) -> Permits:
    """Return the permits in a stored value; empty if it was never written."""
    return msgspec.json.decode(value, type=Permits) if value else Permits()


ready(Permits)
