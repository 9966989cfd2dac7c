"""Invariant 9: a slot starts one run at most, and exactly one unless overlap, a pause or `catch_up` says not."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from chalicelib.adapters.memory import MemoryStore
from chalicelib.model import json_values, status
from chalicelib.model.recurrence.schedule import Overlap, Schedule, next_slot, run_name, slot_text, slots, start_of
from chalicelib.model.run import Run
from chalicelib.model.times import Instant
from chalicelib.service.ports.definitions import Kind
from chalicelib.service.ports.schedules import ScheduleState, SlotOutcome

OLD_MS: Final = 64_000
"""How long ago a decision that is written now was made, at most: no handler lives longer, and clocks differ."""

SKEW_MS: Final = 4_000
PATIENCE_MS: Final = 60_000
TOLERANCE_MS: Final = 300_000
"""How late a slot starts in any case: at least, and at most unless `catch_up` is longer."""

MAX_QUEUED: Final = 100


class Slots:
    """What became of the slots of all schedules."""

    def __init__(self, heads: Mapping[tuple[str, str], Run], store: MemoryStore) -> None:
        self._heads = heads
        self._store = store
        self._states: dict[tuple[str, str], ScheduleState] = {}
        self.created: set[tuple[str, str]] = set()
        """Every run that a schedule started, or a person for it."""
        self.deleted: dict[tuple[str, str], Instant] = {}
        self.retried: set[tuple[str, str]] = set()
        """Runs that ended, and were not ended for ever."""

    def run_created(self, run: Run, *, by_person: bool) -> Iterator[str]:
        """A run was created; yield which slot it is too many for."""
        place = run.namespace, run.name
        if not run.scheduled:
            return
        if place in self.created and place not in self.deleted:
            yield f"slot {run.scheduled} started run {run.name!r} again"
        self.created.add(place)
        schedule = run.name.partition("@")[0]
        state = self._states.get((run.namespace, schedule))
        found = self._schedule(run.namespace, state) if state else None
        same = [one.name for (ns, _), one in self._heads.items() if ns == run.namespace and _is_of(one, run)]
        if len(same) > 1:
            yield f"slot {run.scheduled} of {schedule!r} started {same}"
        waits = state.starting if state else None
        if not by_person and (found is None or waits is None or slot_text(found, waits) != run.scheduled):
            yield f"run {run.name!r} was started for a slot that is not decided"

    def forgotten(self, namespace: str, name: str) -> None:
        """The state of a deleted schedule was deleted. A look that had begun before may write one anew."""
        self._states.pop((namespace, name), None)

    def saved(self, namespace: str, after: ScheduleState, seen: int | None, now: Instant) -> Iterator[str]:
        """The state of a schedule was written; yield what is wrong with what it decides."""
        before = self._states.get((namespace, after.name))
        self._states[namespace, after.name] = after
        if before is None or before.uuid != after.uuid:
            return
        if seen != before.version or after.version <= before.version or after.done < before.done:
            yield f"{after.name!r}: version {after.version} was written over {before.version}, seen was {seen}"
        schedule, known = self._schedule(namespace, before), self._schedule(namespace, after)
        if schedule is None or known is None:
            return
        yield from self._started(namespace, schedule, before, after)
        if before.definition != after.definition:
            yield from self._of_old_definition(schedule, known, before, after, now)
            return
        decided = list(slots(schedule, before.done, after.done))
        if before.paused_at is not None and after.paused_at is not None:
            if decided or after.starting not in (before.starting, None):
                yield f"{after.name!r} is paused, and decided {decided}, starts {after.starting}"
        elif before.paused_at is not None:
            if decided and not _is_recorded(after, decided, SlotOutcome.SKIPPED):
                yield f"{after.name!r} was continued, and forgot {decided}"
            following = next_slot(schedule, after.done)
            if following is not None and following < now - OLD_MS:
                yield f"{after.name!r} was continued, and makes up slot {following} of its pause"
        else:
            yield from self._decided(namespace, schedule, before, after, decided, now)

    def rest(self) -> Iterator[str]:
        """Nothing happens any more; yield what is not done."""
        for (namespace, name), _ in self._defined():
            state = self._states.get((namespace, name))
            if state is None:
                yield f"schedule {name!r} was defined, and nothing has looked at it"
            elif state.starting is not None:
                yield f"slot {state.starting} of {name!r} is decided, and its run was not started"
            elif state.paused_at is not None:
                yield from self._undecided(namespace, name, state.paused_at - SKEW_MS)

    def undecided(self, until: Instant) -> Iterator[str]:
        """Yield the slots that were due by then, and of which nothing is decided."""
        for (namespace, name), _ in self._defined():
            state = self._states.get((namespace, name))
            if state is not None and state.paused_at is None:
                yield from self._undecided(namespace, name, until)

    def _undecided(self, namespace: str, name: str, until: Instant) -> Iterator[str]:
        state = self._states[namespace, name]
        schedule = self._schedule(namespace, state)
        slot = next_slot(schedule, state.done) if schedule else None
        if schedule and slot is not None and start_of(schedule, slot) < until:
            yield f"slot {slot} of {name!r} was due, and nothing was decided by {until}"

    # ── one write ────────────────────────────────────────────────────────────────────────────────────────────────────

    def _started(
        self, namespace: str, schedule: Schedule, before: ScheduleState, after: ScheduleState
    ) -> Iterator[str]:
        slot = before.starting
        if slot is None or after.starting == slot:
            return
        name = run_name(schedule, slot)
        not_started = (SlotOutcome.FAILED, SlotOutcome.SKIPPED)  # skipped: its flow is at its limit
        refused = any(one.slot == slot and one.outcome in not_started for one in after.recent)
        if (namespace, name) not in self.created and not refused:
            yield f"run {name!r} is recorded as started, and there was none"

    def _of_old_definition(
        self, old: Schedule, new: Schedule, before: ScheduleState, after: ScheduleState, now: Instant
    ) -> Iterator[str]:
        """A new definition is in force from the moment at which it was made."""
        if old.timing == new.timing:
            if after.done != before.done:
                yield f"{after.name!r} was defined again with the same slots, and is at {after.done}"
        elif after.done > now + SKEW_MS:
            yield f"{after.name!r} was defined again, and skips its slots until {after.done}"

    def _decided(
        self, namespace: str, schedule: Schedule, before: ScheduleState, after: ScheduleState,
        decided: list[Instant], now: Instant,
    ) -> Iterator[str]:  # fmt: skip
        name = after.name
        is_new = after.starting is not None and after.starting != before.starting
        if set(before.queue) - set(after.queue) - {after.starting}:
            yield f"{name!r} forgot slots of its queue: {before.queue}, and then {after.queue}"
        if is_new and after.starting not in (*decided, *before.queue):
            yield f"{name!r} starts slot {after.starting} again"
        if is_new and schedule.overlap in (Overlap.SKIP, Overlap.QUEUE) and self._is_running(namespace, before.running):
            yield f"{name!r} starts slot {after.starting}, and run {before.running!r} has not ended"
        for slot in decided:
            yield from self._of_slot(namespace, schedule, before, after, (decided, slot), now)

    def _of_slot(
        self, namespace: str, schedule: Schedule, before: ScheduleState, after: ScheduleState,
        place: tuple[list[Instant], Instant], now: Instant,
    ) -> Iterator[str]:  # fmt: skip
        """Yield what is wrong with what was decided of the slot, which is among those that were decided together."""
        (decided, slot), name = place, after.name
        late = now - start_of(schedule, slot)
        if slot == after.starting:
            if late < -SKEW_MS or late > max(schedule.catch_up, TOLERANCE_MS) + OLD_MS:
                yield f"{name!r} starts slot {slot}, which is {late} ms late"
        elif slot in set(after.queue) - set(before.queue):
            if schedule.overlap is not Overlap.QUEUE:
                yield f"{name!r} queues slot {slot}, and its rule is {schedule.overlap}"
        elif _is_recorded(after, decided, SlotOutcome.MISSED):
            if late < max(schedule.catch_up, PATIENCE_MS) - SKEW_MS:
                yield f"{name!r} missed slot {slot}, which was {late} ms late"
        else:
            yield from self._skipped(namespace, schedule, before, after, slot, now)

    def _skipped(
        self, namespace: str, schedule: Schedule, before: ScheduleState, after: ScheduleState, slot: Instant,
        now: Instant,
    ) -> Iterator[str]:  # fmt: skip
        if not _is_recorded(after, [slot], SlotOutcome.SKIPPED):
            yield f"{after.name!r} passed slot {slot}, and does not say why"
        elif not self._may_skip(namespace, schedule, before, now):
            yield f"{after.name!r} skips slot {slot}, and run {before.running!r} has ended"

    def _may_skip(self, namespace: str, schedule: Schedule, before: ScheduleState, now: Instant) -> bool:
        if schedule.overlap is not Overlap.SKIP:
            return schedule.overlap is Overlap.QUEUE and len(before.queue) >= MAX_QUEUED
        run = self._heads.get((namespace, before.running))
        ended_at = self.deleted.get((namespace, before.running), 0) if run is None else run.ended_at
        return bool(before.running) and (ended_at is None or ended_at > now - OLD_MS)

    def _is_running(self, namespace: str, name: str) -> bool:
        run = self._heads.get((namespace, name))
        return run is not None and run.status in status.LIVE and (namespace, name) not in self.retried

    def _schedule(self, namespace: str, state: ScheduleState) -> Schedule | None:
        found = self._store.definitions.version(namespace, Kind.SCHEDULE, state.name, state.definition)
        return json_values.decode(found.value, Schedule) if found else None

    def _defined(self) -> Iterator[tuple[tuple[str, str], Schedule]]:
        for namespace in {owner for owner, _ in self._states}:
            for found in self._store.definitions.list(namespace, Kind.SCHEDULE, 100):
                yield (namespace, found.name), json_values.decode(found.value, Schedule)


def _is_of(one: Run, run: Run) -> bool:
    """Whether both runs are of the same slot of the same schedule."""
    is_same = one.scheduled == run.scheduled
    return is_same and one.tail[0].by == run.tail[0].by


def _is_recorded(state: ScheduleState, decided: list[Instant], outcome: SlotOutcome) -> bool:
    """Whether the state says that this became of these slots, the first of which it names."""
    return any(
        one.slot == decided[0] and one.outcome is outcome and one.count >= min(len(decided), 1_000)
        for one in state.recent
    )
