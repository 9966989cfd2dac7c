"""What becomes of the slots of a schedule: pure decisions on its state.

A state says up to which slot everything is decided. Each decision makes the next state, which is written on the
condition that nothing else was written meanwhile. So each slot is decided once, by whichever process comes first, and
the run of a slot that is to start follows from the stored decision: its name is made from the slot, so starting it
again changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import islice, takewhile
from typing import Final

from msgspec.structs import replace

from chalicelib.model.recurrence.schedule import Overlap, Schedule, next_slot, slots, start_of
from chalicelib.model.times import Instant, Milliseconds, format_duration
from chalicelib.service.ports.schedules import MAX_RECENT_SLOTS, ScheduleState, SlotOutcome, SlotRecord

TOLERANCE_MS: Final[Milliseconds] = 5 * 60 * 1000
"""How late a slot starts even if `catch_up` is shorter: timers, queues and restarts take a moment."""

SHORT_TOLERANCE_MS: Final[Milliseconds] = 60 * 1000
"""The same for a slot of which the successor is due as well: after an outage, frequent slots are not made up."""

MAX_QUEUED_SLOTS: Final = 100
"""How many slots of a schedule may wait for the end of the previous run."""

QUEUE_CHECK_MS: Final[Milliseconds] = 5 * 60 * 1000
"""How often the end of the previous run is looked for while slots wait for it. Usually its end is reported."""

MAX_COUNTED_SLOTS: Final = 1_000
"""How many missed slots one record counts; there may have been more."""

_MAX_REASON_CHARACTERS: Final = 300


def first_state(name: str, uuid: str, version: int, created_at: Instant, now: Instant) -> ScheduleState:
    """Return the state of a schedule that was just defined, as that version: its first slot is the next one."""
    return ScheduleState(name=name, version=now, uuid=uuid, definition=version, done=created_at)


def decide(
    schedule: Schedule, state: ScheduleState, now: Instant, previous_is_running: Callable[[], bool]
) -> ScheduleState | None:
    """Return the state after the next decision; None if nothing is to be decided yet.

    `previous_is_running`: whether the run that was started last has not ended. It is asked only where that matters.
    """
    if state.paused_at is not None:
        return None
    if state.queue and not previous_is_running():
        return replace(state, starting=state.queue[0], queue=state.queue[1:])
    slot = next_slot(schedule, state.done)
    if slot is None or start_of(schedule, slot) > now:
        return None
    if _is_missed(schedule, slot, now):
        return _missed(schedule, state, now)
    done = replace(state, done=slot)
    if schedule.overlap in (Overlap.ALLOW, Overlap.CANCEL) or not (state.queue or previous_is_running()):
        return replace(done, starting=slot)
    reason = f"run '{state.running}' has not ended"
    if schedule.overlap is Overlap.SKIP:
        return record(done, slot, SlotOutcome.SKIPPED, now, reason=reason)
    if len(state.queue) >= MAX_QUEUED_SLOTS:
        return record(done, slot, SlotOutcome.SKIPPED, now, reason=f"{MAX_QUEUED_SLOTS} slots wait already")
    return record(replace(done, queue=(*state.queue, slot)), slot, SlotOutcome.QUEUED, now, reason=reason)


def resumed(schedule: Schedule, state: ScheduleState, now: Instant) -> ScheduleState:
    """Return the state of a paused schedule after it is continued: the slots in the pause are skipped."""
    passed = list(islice(slots(schedule, state.done, now), MAX_COUNTED_SLOTS))
    continued = replace(state, paused_at=None, done=max(state.done, now))
    if not passed:
        return continued
    reason = "the schedule was paused"
    return record(continued, passed[0], SlotOutcome.SKIPPED, now, reason=reason, count=len(passed))


def started(state: ScheduleState, slot: Instant, run: str, now: Instant) -> ScheduleState:
    """Return the state after the run of a slot was started."""
    running = replace(state, running=run, starting=None if state.starting == slot else state.starting)
    return record(running, slot, SlotOutcome.STARTED, now, run=run)


def skipped(state: ScheduleState, slot: Instant, reason: str, now: Instant) -> ScheduleState:
    """Return the state after the flow's own limit skipped the run of a slot."""
    return record(replace(state, starting=None), slot, SlotOutcome.SKIPPED, now, reason=reason)


def failed(state: ScheduleState, slot: Instant, reason: str, now: Instant) -> ScheduleState:
    """Return the state after the run of a slot could not be started."""
    return record(replace(state, starting=None), slot, SlotOutcome.FAILED, now, reason=reason)


def record(
    state: ScheduleState, slot: Instant, outcome: SlotOutcome, now: Instant, *, reason: str = "", run: str = "",
    count: int = 1,
) -> ScheduleState:  # fmt: skip
    """Return the state with what became of the slot, or of `count` slots from it on."""
    found = SlotRecord(
        slot=slot, outcome=outcome, decided_at=now, reason=reason[:_MAX_REASON_CHARACTERS], run=run, count=count
    )
    others = [one for one in state.recent if one.slot != slot]
    counts = {**state.counts, outcome: state.counts.get(outcome, 0) + count}
    return replace(state, recent=(found, *others)[:MAX_RECENT_SLOTS], counts=counts)


def wake_at(schedule: Schedule, state: ScheduleState, now: Instant) -> Instant | None:
    """Return when the schedule must be looked at again; None if nothing will be due by itself."""
    if state.starting is not None:
        return min(state.starting, now)
    if state.paused_at is not None:
        return None
    slot = next_slot(schedule, state.done)
    due = [start_of(schedule, slot)] if slot is not None else []
    due += [now + QUEUE_CHECK_MS] if state.queue else []
    return min(due, default=None)


def _patience(schedule: Schedule, slot: Instant, now: Instant) -> Milliseconds:
    """Return how late the slot may start."""
    following = next_slot(schedule, slot)
    is_last = following is None or start_of(schedule, following) > now
    return max(schedule.catch_up, TOLERANCE_MS if is_last else SHORT_TOLERANCE_MS)


def _is_missed(schedule: Schedule, slot: Instant, now: Instant) -> bool:
    return start_of(schedule, slot) < now - _patience(schedule, slot, now)


def _missed(schedule: Schedule, state: ScheduleState, now: Instant) -> ScheduleState:
    """Return the state after all slots that were missed by now."""
    old = takewhile(lambda slot: _is_missed(schedule, slot, now), slots(schedule, state.done, now))
    found = list(islice(old, MAX_COUNTED_SLOTS))
    done = found[-1]
    if len(found) == MAX_COUNTED_SLOTS:
        done = max(done, now - max(schedule.catch_up, TOLERANCE_MS) - schedule.jitter - 1)
    reason = f"it was found more than {format_duration(_patience(schedule, found[0], now))} late"
    return record(replace(state, done=done), found[0], SlotOutcome.MISSED, now, reason=reason, count=len(found))
