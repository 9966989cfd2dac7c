"""Limits of actions: how many activations run at once, and how many deliveries are sent per second.

A limited action is delivered only with a permit, and at its slot of the rate. Each limiter (an action, or an action and
the value of its limit's key) has one versioned value, `Permits`, and a queue of waiters. The value is changed by
compare-and-set, so two deliveries cannot both take the last permit.

    delivery ──> free, and none waits ──> take a permit, send
             └─> else ──> put it in the queue; its message is done
    an activation ends ──> `Release` ──> return its permit, give it to the first waiter, send its delivery
    the next slot of the rate is due ──> `Serve` ──> the same

**No waiter is forgotten.** A delivery is put in the queue first, and then reads the value again. If all permits are
held then, whoever returns one changes the value later, and reads the queue after that. If the rate is used up, a
`Serve` message is on its way to the next slot. `Permits.waiting` is cleared only in a value that has room for all.

**No permit leaks.** The engine sends `Release` before it commits the end of an activation, like all effects, and its
consumer looks at the head of the run. Who takes a permit looks at the head again: the activation may have ended since
then, and its `Release` may have come before. The delivery of a waiter is sent before the value that holds its permit is
written, and its consumer looks at the value. A waiter of which the activation has ended is found when its turn comes.
As a second net, `Serve` comes from time to time while there are waiters, every minute at first and every 12 hours at
last, and compares holders with the heads of their runs.

**In order.** A queue is sorted by since when its waiters wait. A delivery that comes while others wait is put behind
them.

**The rate** is a generic cell rate (`service.cell_rate`). Slots of the next second are granted ahead: the consumer
waits for its slot, because SQS delays messages by whole seconds only.

A step's own limit replaces the limit of its action, and uses the same permits: the step's activations are sent while
fewer permits than the step's limit are held.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Final, TypeAlias

import msgspec
from msgspec.structs import replace

from chalicelib.model.run import Run
from chalicelib.model.times import Instant, Milliseconds
from chalicelib.service.errors import Conflict, TooLarge
from chalicelib.service.limits import permits as values
from chalicelib.service.limits.permits import Permits
from chalicelib.service.limits.rounds import Round, attempt_of, state_of
from chalicelib.service.messages import Begin, Deliver, Release, Serve, encode
from chalicelib.service.ports.clock import Clock, IdSource
from chalicelib.service.ports.queues import MAX_DEFER_MS, MAX_DELAY_MS, Queue, QueueName
from chalicelib.service.ports.store import Store
from chalicelib.service.ports.waiters import Waiter
from chalicelib.service.redelivery import READ_PAUSES_MS, Redelivery, until_committed
from chalicelib.service.runs.offloading import OffloadingRunStore

MAX_ATTEMPTS: Final = 8
"""How often a change is tried again while other writers change the versioned value, before the message comes again."""

RETRY_PAUSE_MS: Final = (250, 1_000)
"""The shortest and the longest pause before it does."""

MAX_SERVED: Final = 50
"""How many waiters are read at a time."""

AHEAD_MS: Final[Milliseconds] = 1_000
"""How far ahead slots are granted."""

MAX_LATE_MS: Final[Milliseconds] = 60_000
"""How long after its slot a delivery may come that holds no permit: later, as after a crash, it asks again.

In the meantime the breaker of its action may have opened.
"""

MIN_LOOK_MS: Final[Milliseconds] = 60_000
"""The shortest time between two looks at the holders of a limiter that has waiters. It grows while nothing changes."""

MAX_CHECKED_HOLDERS: Final = 25
"""How many holders one look reads; the next one reads the others."""


class Admitted(msgspec.Struct, frozen=True):
    """The activation may be delivered at `slot`, which may be past."""

    slot: Instant
    failures: int = 0
    """Of a breaker: how many deliveries before it have failed in a row."""


class Queued(msgspec.Struct, frozen=True):
    """The activation waits in the queue: the limiter will send its delivery."""


QUEUED: Final = Queued()

Admission: TypeAlias = Admitted | Queued | Redelivery


class Limiter:
    """Gives permits and slots. It reads heads without the values that were offloaded from them."""

    def __init__(self, store: Store, queue: Queue, clock: Clock, ids: IdSource) -> None:
        self._values = store.versioned_values
        self._waiters = store.waiters
        self._heads = OffloadingRunStore(store.runs)
        self._queue = queue
        self._clock = clock
        self._ids = ids

    # ── a delivery asks ──────────────────────────────────────────────────────────────────────────────────────────────

    def admit(self, namespace: str, name: str, waiter: Waiter, message: Deliver | Begin) -> Admission:
        """Let the waiter pass, or put it in the queue. `message` is its delivery, which may bring a grant.

        An int is in how many milliseconds the message must come again.
        """
        is_granted = message.limiter == name and message.attempt == waiter.attempt
        if is_granted and not message.granted_in and message.slot > self._clock.now() - MAX_LATE_MS:
            return Admitted(message.slot)
        permits, version = self._read(namespace, name, message.granted_in if is_granted else 0)
        if is_granted and version < message.granted_in:
            return until_committed(message.sent_at, self._clock.now())
        is_queued = False
        for attempt in range(MAX_ATTEMPTS):
            now = self._clock.now()
            if permits.admits(waiter):
                is_other = permits.was_sent_by_another(waiter.uuid, message.grant if is_granted else "", now)
                return QUEUED if is_other else Admitted(message.slot if is_granted else now, permits.failures)
            slot = permits.slot(waiter, now)
            if slot is not None and not is_queued and self._may_pass(namespace, name, permits, waiter, slot, now):
                try:
                    if self._take(namespace, name, permits, waiter, version, attempt):
                        return self._taken(namespace, name, waiter) or Admitted(slot, permits.failures)
                except TooLarge:
                    return self._random(*RETRY_PAUSE_MS)  # the store cannot hold more holders
            elif not is_queued:
                self._waiters.put(namespace, name, waiter)
                is_queued = True
            elif self._will_be_served(namespace, name, permits, version, slot, attempt):
                return QUEUED
            permits, version = self._read(namespace, name)
        return self._random(*RETRY_PAUSE_MS)

    def _take(self, namespace: str, name: str, permits: Permits, waiter: Waiter, version: int, attempt: int) -> bool:
        """Take what is free; return False if another writer was first. A closed circuit has nothing to take."""
        if waiter.is_unlimited and not permits.open_until:
            return True
        now = self._clock.now()
        return self._write(namespace, name, permits.granted(waiter, now), version, attempt)

    def _taken(self, namespace: str, name: str, waiter: Waiter) -> Queued | Redelivery:
        """Return the permit that was taken if its activation has ended since its head was read; else return None.

        Its `Release` may have come before there was anything to return.
        """
        if waiter.concurrent is None:
            return None
        if attempt_of(self._head_of(namespace, waiter), waiter.uuid) is not None:
            return None
        again = self.serve(namespace, name, {waiter.uuid: None})
        return QUEUED if again is None else again

    def _head_of(self, namespace: str, waiter: Waiter) -> Run | None:
        run = self._heads.head(namespace, waiter.run)
        return run if run is not None and run.id == waiter.id else None

    def _may_pass(
        self, namespace: str, name: str, permits: Permits, waiter: Waiter, slot: Instant, now: Instant
    ) -> bool:
        """Return whether the waiter may take the slot now. One that holds a permit already passes the others."""
        if waiter.uuid in permits.holders:
            return True
        return slot <= now and (not permits.waiting or not self._waiters.first(namespace, name, 1))

    def _will_be_served(
        self, namespace: str, name: str, permits: Permits, version: int, slot: Instant | None, attempt: int
    ) -> bool:
        """Make sure that the queue, which holds one more waiter, is served; return False if the value has changed.

        `slot` is the next slot for that waiter; None if all permits are held.
        """
        now = self._clock.now()
        is_unchecked = slot is None and now - permits.checked_at > MIN_LOOK_MS
        if is_unchecked or (slot is not None and slot <= now + AHEAD_MS):
            if not permits.waiting and not self._write(
                namespace, name, replace(permits, waiting=True), version, attempt
            ):
                return False
            return self.serve(namespace, name, looks=is_unchecked) is None
        after = self._watched(namespace, name, replace(permits, waiting=True), slot, now)
        return after == permits or self._write(namespace, name, after, version, attempt)

    def keep(self, message: Deliver | Begin) -> Redelivery:
        """Note that what was granted with a permit is not done now: the activation, or the run, keeps its permit."""
        for attempt in range(MAX_ATTEMPTS):
            permits, version = self._read(message.namespace, message.limiter, message.granted_in)
            after = permits.with_delivery_held(message.uuid, message.grant)
            if after == permits or self._write(message.namespace, message.limiter, after, version, attempt):
                return None
        return self._random(*RETRY_PAUSE_MS)

    def take_back(self, message: Deliver | Begin) -> Redelivery:
        """Take the permit back that the message brings, because its activation has ended."""
        if not message.granted_in:
            return None
        if self._read(message.namespace, message.limiter, message.granted_in)[1] < message.granted_in:
            return until_committed(message.sent_at, self._clock.now())
        return self.serve(message.namespace, message.limiter, {message.uuid: None})

    def has_room(self, namespace: str, name: str, concurrent: int) -> bool:
        """Return whether fewer than so many permits are held, and none waits for one. It may change at any moment."""
        permits, _ = self._read(namespace, name)
        return len(permits.holders) < concurrent and (
            not permits.waiting or not self._waiters.first(namespace, name, 1)
        )

    def crowd(self, namespace: str, name: str, most: int) -> tuple[Mapping[str, str], Sequence[Waiter]]:
        """Return the run of each holder by its uuid, those first that hold longest; and at most so many waiters."""
        waiters = self._waiters.first(namespace, name, most)
        permits, _ = self._read(namespace, name)  # what was granted since then does not wait any more
        return permits.holders, [waiter for waiter in waiters if not permits.admits(waiter)]

    # ── something is free ────────────────────────────────────────────────────────────────────────────────────────────

    def release(self, message: Release) -> Redelivery:
        """Take the permit back if the activation has ended, or waits for the attempt that the message names."""
        run = self._heads.head(message.namespace, message.run)
        if run is not None and run.id == message.id:
            if run.version < message.version:
                return until_committed(message.sent_at, self._clock.now())
            attempt = attempt_of(run, message.uuid)
            if attempt is not None and (message.attempt is None or attempt < message.attempt):
                return None  # its decision was not committed, or the run was retried and needs it
        return self.serve(message.namespace, message.limiter, {message.uuid: message.attempt})

    def look(self, message: Serve) -> Redelivery:
        """Grant what is free, and take back the permits of activations that have ended without returning them."""
        early = message.due - self._clock.now()
        if early > AHEAD_MS:
            return min(early, MAX_DEFER_MS)
        return self.serve(message.namespace, message.limiter, looks=True, arrived=message.due)

    def serve(
        self,
        namespace: str,
        name: str,
        returned: Mapping[str, int | None] | None = None,
        *,
        looks: bool = False,
        arrived: Instant = 0,
    ) -> Redelivery:
        """Take permits back, and grant what is free to those that have waited longest.

        `returned` are activations that return their permits (`Permits.without`). `looks`: also take back those of
        activations that have ended. `arrived`: the `Serve` message that was due then has arrived. Return in how many
        milliseconds to try again, if too many others change the value.
        """
        for attempt in range(MAX_ATTEMPTS):
            before, version = self._read(namespace, name)
            now = self._clock.now()
            after = before.without(returned or {}, now)
            if after.look_at <= arrived:
                after = replace(after, look_at=0)
            if looks:
                after = self._checked(namespace, after, now)
            round_ = Round(after, self._ids.nonce()[:8])
            if before.waiting:
                self._grant(namespace, name, round_, now)
            after = self._following(namespace, name, round_, now, can_rest=before.is_unused(now))
            if after != before:
                self._send(namespace, name, round_.with_permit, version + 1, round_.grant)
                if not self._write(namespace, name, after, version, attempt):
                    continue
            self._send(namespace, name, round_.without_permit)
            if round_.done:
                self._waiters.remove(namespace, name, round_.done)
            if round_.is_blocked or not before.waiting or (after == before and not round_.done):
                return None
            returned, looks = None, False  # somebody may have come since the queue was read
        return self._random(*RETRY_PAUSE_MS)

    def _grant(self, namespace: str, name: str, round_: Round, now: Instant) -> None:
        """Go through the first waiters, and grant what is free."""
        waiters = self._waiters.first(namespace, name, MAX_SERVED)
        heads: dict[str, Run | None] = {}
        round_.has_found = bool(waiters)
        for waiter in waiters:
            if round_.permits.admits(waiter) or round_.has_granted(waiter):
                round_.done.append(waiter)  # a process crashed before it could remove it, or its message came twice
                continue
            if round_.permits.was_granted(waiter, now):
                round_.has_skipped = True  # another process has granted it, and removes it
                continue
            slot = round_.permits.slot(waiter, now)
            if slot is None or slot > now + AHEAD_MS:
                round_.is_blocked, round_.next_slot = True, slot
                return
            if waiter.run not in heads:
                heads[waiter.run] = self._heads.head(namespace, waiter.run)
            round_.take(waiter, state_of(heads[waiter.run], waiter), slot, now)

    def _following(self, namespace: str, name: str, round_: Round, now: Instant, *, can_rest: bool) -> Permits:
        """Return the permits with a look planned, if waiters are left, or with `waiting` cleared if none can be."""
        permits = round_.permits
        if round_.is_blocked or round_.has_skipped:
            return self._watched(namespace, name, permits, round_.next_slot, now)
        if permits.waiting and can_rest and not round_.has_found and permits.is_unused(now):
            return replace(permits, waiting=False)
        return permits

    def _watched(self, namespace: str, name: str, permits: Permits, slot: Instant | None, now: Instant) -> Permits:
        """Send a message that serves the queue at the slot (None: when it is time to look), if none is on its way."""
        idle = now - permits.changed_at
        due = slot if slot is not None else now + min(max(MIN_LOOK_MS, idle), MAX_DEFER_MS)
        if permits.wakes_by(due, now):
            return permits
        message = Serve(namespace=namespace, run="", sent_at=now, version=0, limiter=name, due=due)
        self._queue.send(QueueName.WAKES, [encode(message)], min(due - now, MAX_DELAY_MS), early=slot is not None)
        return replace(permits, look_at=due)

    def _send(
        self,
        namespace: str,
        name: str,
        grants: Sequence[tuple[Waiter, Instant]],
        granted_in: int = 0,
        grant: str = "",
    ) -> None:
        """Send the deliveries of these waiters, each to arrive at its slot."""
        now = self._clock.now()
        batches: dict[tuple[QueueName, Milliseconds], list[str]] = defaultdict(list)
        for waiter, slot in grants:
            kind, queue = (Begin, QueueName.WAKES) if waiter.is_run else (Deliver, QueueName.DELIVERIES)
            message = kind(
                namespace=namespace,
                run=waiter.run,
                sent_at=now,
                version=0,
                id=waiter.id,
                uuid=waiter.uuid,
                limiter=name if slot else "",
                attempt=waiter.attempt,
                slot=slot,
                granted_in=granted_in,
                grant=grant,
            )
            batches[queue, max(0, slot - now)].append(encode(message))
        for (queue, delay), bodies in batches.items():
            self._queue.send(queue, bodies, delay, early=True)

    def _checked(self, namespace: str, permits: Permits, now: Instant) -> Permits:
        """Return the permits without those of activations that have ended; the next look checks others."""
        checked = dict(list(permits.holders.items())[:MAX_CHECKED_HOLDERS])
        heads = {run: self._heads.head(namespace, run) for run in sorted(set(checked.values()))}
        ended: dict[str, int | None] = {
            uuid: None for uuid, run in checked.items() if attempt_of(heads[run], uuid) is None
        }
        left = permits.without(ended, now)
        if len(left.holders) <= MAX_CHECKED_HOLDERS:
            return replace(left, checked_at=now)
        others = {uuid: run for uuid, run in left.holders.items() if uuid not in checked}
        still = {uuid: run for uuid, run in left.holders.items() if uuid in checked}
        return replace(left, holders={**others, **still}, checked_at=now)

    # ── the value ────────────────────────────────────────────────────────────────────────────────────────────────────

    def _read(self, namespace: str, name: str, wanted: int = 0) -> tuple[Permits, int]:
        """Return the permits and their version, after waiting a moment for the version that is wanted."""
        value, version = self._values.read(namespace, name)
        for pause in READ_PAUSES_MS:
            if version >= wanted:
                break
            self._clock.sleep(pause)
            value, version = self._values.read(namespace, name)
        return values.decode(value), version

    def _write(self, namespace: str, name: str, permits: Permits, version: int, attempt: int) -> bool:
        """Write the permits; return False, after a pause, if another writer was first. Raises TooLarge."""
        try:
            self._values.write(namespace, name, values.encode(permits), version)
        except Conflict:
            self._clock.sleep(self._random(0, 4 << attempt))
            return False
        return True

    def _random(self, least: int, most: int) -> int:
        return least + int(self._ids.nonce()[:8], 16) % (most - least + 1)
