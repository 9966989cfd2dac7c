"""Limits of actions: how many activations run at once, and how many deliveries are sent per second.

A limited action is delivered only with a permit. One versioned value per namespace and action records the holders of
permits and when the next delivery may be sent. It is changed by compare-and-set, so two deliveries cannot both take
the last permit.

    request ──> holds a permit, or fewer than N are held ──> within the rate ──> send, and hold the permit
                 └─> all are held ──> check holders ──> some have ended ──┘  └─> retry at the reserved slot
                                         └─> none ──> retry soon

**A permit is held until its activation has ended**, however its deliveries end. Permits are not returned: that
would cost a write per answer, and a crash before that write would leak the permit. Instead, when all permits are held,
the runs of the holders are read, a few times per second at most, to see which activations have ended. A permit is
given only after the activation was seen in the head of its run, and an ended activation never becomes current again.
So an activation that is not in the head has ended, and the holders always include all activations that are running.

**The rate** is a generic cell rate (`service.cell_rate`). A delivery that comes too early reserves the next free slot,
so that many waiting deliveries come back one by one. If another delivery takes the slot first, it reserves another.

A step's own limit replaces the limit of its action, and uses the same permits: the step's activations are sent while
fewer permits than the step's limit are held.
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
from chalicelib.service.cell_rate import US_PER_MS, CellRate, milliseconds
from chalicelib.service.errors import Conflict, TooLarge
from chalicelib.service.ports.clock import Clock, IdSource
from chalicelib.service.ports.store import Store
from chalicelib.service.runs.offloading import OffloadingRunStore

MAX_ATTEMPTS: Final = 5
"""How often a permit is requested while other writers change the versioned value, before the delivery is deferred."""

RETRY_PAUSE_MS: Final = (250, 1_000)
"""The shortest and the longest pause before a delivery without a permit asks again."""

CHECK_INTERVAL_MS: Final = 250
"""The shortest pause between two checks of the holders."""

MAX_CHECKED_HOLDERS: Final = 25
"""How many holders one check reads; the next check reads the others."""

SLOT_HORIZON_MS: Final = 30_000
"""How far ahead slots are reserved."""


class _Permits(msgspec.Struct, frozen=True, omit_defaults=True):
    """The permits of one action. Moments of the rate are microseconds since 1970."""

    holders: dict[str, str] = msgspec.field(name="h", default_factory=dict)
    """The run of each activation that holds a permit, by the activation's uuid; the one checked longest ago first."""
    checked_at: Instant = msgspec.field(name="v", default=0)
    next: int = msgspec.field(name="n", default=0)
    """When the next delivery would be sent if deliveries kept exactly to their intervals."""
    reserved: int = msgspec.field(name="t", default=0)
    """The same, as if every reserved slot were used."""


class Limiter:
    """Gives permits. It reads statuses and tokens of heads only, not the values that were offloaded from them."""

    def __init__(self, store: Store, clock: Clock, ids: IdSource) -> None:
        self._store = store
        self._heads = OffloadingRunStore(store.runs)
        self._clock = clock
        self._ids = ids

    def admit(self, run: Run, activation: Activation, invocation: Invocation) -> int:
        """Return 0 if the activation may be delivered now, else the milliseconds until it may ask again.

        `run` must have just been read. An action without limits costs no read.
        """
        limit = invocation.options.limit
        if limit is None or limit == Limit():
            return 0
        key = f"limit/{invocation.action.name}"
        for attempt in range(MAX_ATTEMPTS):
            value, version = self._store.versioned_values.read(run.namespace, key)
            before = msgspec.json.decode(value, type=_Permits) if value else _Permits()
            after, wait = self._decide(before, limit, run, activation.uuid)
            if after == before:
                return wait
            try:
                self._store.versioned_values.write(run.namespace, key, msgspec.json.encode(after), version)
            except Conflict:
                self._clock.sleep(self._random(0, 4 << attempt))
            except TooLarge:
                break  # the store cannot hold more holders, so their number is the limit
            else:
                return wait
        return self._random(*RETRY_PAUSE_MS)

    def _decide(self, permits: _Permits, limit: Limit, run: Run, uuid: str) -> tuple[_Permits, int]:
        """Return the permits after the request, and the milliseconds to wait (0: admitted)."""
        now = self._clock.now()
        if limit.concurrent is not None and uuid not in permits.holders:
            if len(permits.holders) >= limit.concurrent and now - permits.checked_at >= CHECK_INTERVAL_MS:
                permits = replace(permits, holders=self._current(run.namespace, permits.holders), checked_at=now)
            if len(permits.holders) >= limit.concurrent:
                return permits, self._random(*RETRY_PAUSE_MS)
        if limit.per_second is not None:
            permits, wait = self._take_slot(permits, CellRate.of(limit.per_second), now * US_PER_MS)
            if wait:
                return permits, wait
        if limit.concurrent is not None:
            permits = replace(permits, holders={**permits.holders, uuid: run.name})
        return permits, 0

    def _current(self, namespace: str, holders: dict[str, str]) -> dict[str, str]:
        """Return the holders without those that have ended."""
        checked = dict(list(holders.items())[:MAX_CHECKED_HOLDERS])
        heads = {name: self._heads.head(namespace, name) for name in sorted(set(checked.values()))}
        others = {uuid: name for uuid, name in holders.items() if uuid not in checked}
        return {**others, **{uuid: name for uuid, name in checked.items() if _is_current(heads[name], uuid)}}

    def _take_slot(self, permits: _Permits, rate: CellRate, now: int) -> tuple[_Permits, int]:
        """Return the permits with a slot taken or reserved, and the milliseconds until that slot."""
        if not rate.wait_us(permits.next, now):
            return replace(permits, next=rate.after(permits.next, now)), 0
        slot = max(permits.reserved, permits.next)
        if slot - permits.next > SLOT_HORIZON_MS * US_PER_MS:
            return permits, milliseconds(rate.wait_us(permits.next, now)) + self._random(0, SLOT_HORIZON_MS)
        return replace(permits, reserved=slot + rate.interval_us), milliseconds(rate.wait_us(slot, now))

    def _random(self, least: int, most: int) -> int:
        return least + int(self._ids.nonce()[:8], 16) % (most - least + 1)


def _is_current(run: Run | None, uuid: str) -> bool:
    return run is not None and run.status not in status.ENDED and run.token_of(uuid) is not None


ready(_Permits)
