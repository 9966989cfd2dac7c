"""Limits of actions: how many activations are out at once, and how many deliveries go out in a second.

Theory. Whoever delivers a limited action asks for a permit first. One cell per namespace and action says who holds one
and when the next delivery may go; it is changed by comparing and setting, so two that ask at once cannot both have the
last permit.

    ask ──> holds one already, or fewer than N do ──> within the rate ──> go (and hold)
                 └─> all are held ──> verify ──> some have ended ──┘  └─> come again at your slot
                                         └─> none ──> come again soon

**A permit is held until its activation has ended**, whatever becomes of its deliveries. Nobody gives one back: that
would cost every answer a write, and a crash before it would leak the permit for ever. Instead, when all permits are
held, the holders' runs are asked whether the activations are still out, a few times a second at most. An activation is
given a permit only after it was seen in its run's head, and never comes back once it has ended; so who is not found
there has ended, and those who hold permits are never fewer than those who are out.

**The rate** is a leaky bucket (the generic cell rate algorithm): `per_second` deliveries may go at once after a pause,
then one in each of its intervals. One that comes too early is told the slot that no other was told, so that a crowd
comes back one by one; if somebody was quicker, it is told another.

A step's own limit takes the place of its action's, and is held against the same cell: its activations go while fewer
than that hold permits.
"""

from __future__ import annotations

from typing import Final

import msgspec
from msgspec.structs import replace

from chalicelib.model import status
from chalicelib.model.actions import Limit
from chalicelib.model.compiled_step import Invocation
from chalicelib.model.json_values import ready
from chalicelib.model.run import Activation, Run
from chalicelib.model.times import Instant
from chalicelib.service.errors import Conflict, TooLarge
from chalicelib.service.ports.clock import Clock, IdSource
from chalicelib.service.ports.store import Store
from chalicelib.service.runs.offloading import OffloadingRunStore

TRIES: Final = 5
"""How often a cell that others write is read again before the delivery is put off."""

PAUSE: Final = (250, 1_000)
"""In how many milliseconds, at least and at most, somebody who found no permit asks again."""

VERIFIED_EVERY: Final = 250
"""How often holders are verified at most, in milliseconds."""

VERIFIED: Final = 25
"""How many of them at once; the next time it is the others' turn."""

HORIZON: Final = 30_000
"""How far ahead slots are told, in milliseconds."""

_LONGEST_INTERVAL: Final = 366 * 86_400_000_000


class _VersionedValue(msgspec.Struct, frozen=True, omit_defaults=True):
    """What is known of one action. Moments of the rate are microseconds since 1970, so that no rounding adds up."""

    holders: dict[str, str] = msgspec.field(name="h", default_factory=dict)
    """The run of each activation that holds a permit; who was verified longest ago comes first."""
    verified_at: Instant = msgspec.field(name="v", default=0)
    next: int = msgspec.field(name="n", default=0)
    """When the next delivery would go if none ever went early."""
    told: int = msgspec.field(name="t", default=0)
    """The same, if all went who were told a slot."""


class Limiter:
    """Gives permits. It looks at heads' statuses and tokens only: what lies beside a head is not read."""

    def __init__(self, store: Store, clock: Clock, ids: IdSource) -> None:
        self._store = store
        self._heads = OffloadingRunStore(store.runs)
        self._clock = clock
        self._ids = ids

    def admit(self, run: Run, activation: Activation, invocation: Invocation) -> int:
        """0: the activation of `run`, which was just read, may be delivered. Else: when to ask again, in milliseconds.

        An action without limits costs nothing.
        """
        limit = invocation.options.limit
        if limit is None or limit == Limit():
            return 0
        key = f"limit/{invocation.action.name}"
        for attempt in range(TRIES):
            value, version = self._store.versioned_values.read(run.namespace, key)
            before = msgspec.json.decode(value, type=_VersionedValue) if value else _VersionedValue()
            after, wait = self._decide(before, limit, run, activation.uuid)
            if after == before:
                return wait
            try:
                self._store.versioned_values.write(run.namespace, key, msgspec.json.encode(after), version)
            except Conflict:
                self._clock.sleep(self._drawn(0, 4 << attempt))
            except TooLarge:
                break  # no store takes so many holders: as many as it takes are the limit
            else:
                return wait
        return self._drawn(*PAUSE)

    def _decide(
        self, versioned_value: _VersionedValue, limit: Limit, run: Run, uuid: str
    ) -> tuple[_VersionedValue, int]:
        """The cell after the request, and the answer to it."""
        now = self._clock.now()
        if limit.concurrent is not None and uuid not in versioned_value.holders:
            if len(versioned_value.holders) >= limit.concurrent and now - versioned_value.verified_at >= VERIFIED_EVERY:
                versioned_value = replace(
                    versioned_value, holders=self._still_out(run.namespace, versioned_value.holders), verified_at=now
                )
            if len(versioned_value.holders) >= limit.concurrent:
                return versioned_value, self._drawn(*PAUSE)
        if limit.per_second is not None:
            versioned_value, wait = self._slot(versioned_value, limit.per_second, now * 1000)
            if wait:
                return versioned_value, wait
        if limit.concurrent is not None:
            versioned_value = replace(versioned_value, holders={**versioned_value.holders, uuid: run.name})
        return versioned_value, 0

    def _still_out(self, namespace: str, holders: dict[str, str]) -> dict[str, str]:
        """The holders without those that have ended."""
        asked = dict(list(holders.items())[:VERIFIED])
        heads = {name: self._heads.head(namespace, name) for name in sorted(set(asked.values()))}
        others = {uuid: name for uuid, name in holders.items() if uuid not in asked}
        return {**others, **{uuid: name for uuid, name in asked.items() if _is_out(heads[name], uuid)}}

    def _slot(self, versioned_value: _VersionedValue, per_second: float, now: int) -> tuple[_VersionedValue, int]:
        """The cell with a slot taken, or told, and the milliseconds until then."""
        interval = max(1, int(min(1_000_000 / per_second, _LONGEST_INTERVAL)))
        early = int((max(1.0, per_second) - 1) * interval)
        following = max(versioned_value.next, now)
        if following - early <= now:
            return replace(versioned_value, next=following + interval), 0
        told = max(versioned_value.told, following)
        if told - following > HORIZON * 1000:
            return versioned_value, _milliseconds(following - early - now) + self._drawn(0, HORIZON)
        return replace(versioned_value, told=told + interval), _milliseconds(told - early - now)

    def _drawn(self, least: int, most: int) -> int:
        return least + int(self._ids.nonce()[:8], 16) % (most - least + 1)


def _is_out(run: Run | None, uuid: str) -> bool:
    return run is not None and run.status not in status.ENDED and run.token_of(uuid) is not None


def _milliseconds(microseconds: int) -> int:
    return -(-microseconds // 1000)


ready(_VersionedValue)
