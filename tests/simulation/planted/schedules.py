"""Bugs put in on purpose into schedules."""

from __future__ import annotations

from itertools import count
from typing import Any, Final

from msgspec.structs import replace

from chalicelib.adapters.memory.schedules import MemorySchedules
from chalicelib.service.ports.schedules import SlotOutcome
from chalicelib.service.schedules import decisions, scheduler, starting
from chalicelib.service.schedules.scheduler import Scheduler
from chalicelib.service.timers.run_timers import RunTimers


def _named_by_the_start(right: Any) -> Any:
    """Each start of a slot has a name of its own."""
    starts = count()
    return lambda schedule, slot: f"{right(schedule, slot)}.{next(starts)}"


def _unconditional(_: Any) -> Any:
    return lambda self, namespace, name, seen: None


def _start_forgotten(right: Any) -> Any:
    """What another process decided to start is taken for started."""

    def load(self: Any, namespace: str, definition: Any) -> Any:
        state = right(self, namespace, definition)
        return state and replace(state, starting=None)

    return load


def _nobody_runs(_: Any) -> Any:
    return lambda self, namespace, state: False


def _fires_while_paused(right: Any) -> Any:
    def decide(schedule: Any, state: Any, *more: Any) -> Any:
        after = right(schedule, replace(state, paused_at=None), *more)
        return after and replace(after, paused_at=state.paused_at)

    return decide


def _queue_forgets(right: Any) -> Any:
    def decide(*args: Any) -> Any:
        after = right(*args)
        return after and replace(after, queue=())

    return decide


def _every_slot_is_missed(_: Any) -> Any:
    return lambda schedule, slot, now: True


def _never_looked_at_again(right: Any) -> Any:
    return lambda schedule, state, now: right(schedule, state, now) if state.starting is not None else None


def _nothing(result: Any) -> Any:
    return lambda right: lambda *args, **kwargs: result


def _from_the_next_slot(right: Any) -> Any:
    """A new definition is in force from its own moment even if slots of the old one are due."""

    def advanced(self: Any, namespace: str, definition: Any, state: Any) -> Any:
        if state is not None and state.definition != definition.version:
            state = replace(state, done=self._clock.now() + 600_000)
        return right(self, namespace, definition, state)

    return advanced


def _slot_passed_over(right: Any) -> Any:
    """A slot of which the start is not at once possible is passed over without a word."""

    def record(state: Any, slot: Any, outcome: Any, *more: Any, **fields: Any) -> Any:
        return state if outcome is SlotOutcome.SKIPPED else right(state, slot, outcome, *more, **fields)

    return record


SCHEDULE_BUGS: Final = (
    ("slot starts a run at each attempt", starting, "run_name", _named_by_the_start),
    ("state of a schedule written over another", MemorySchedules, "_check", _unconditional),
    ("slot lost between decision and start", Scheduler, "load", _start_forgotten),
    ("skip ignores the running run", Scheduler, "is_running", _nobody_runs),
    ("paused schedule fires", scheduler, "decide", _fires_while_paused),
    ("queued slots forgotten", scheduler, "decide", _queue_forgets),
    ("slots missed though they are on time", decisions, "_is_missed", _every_slot_is_missed),
    ("schedule not looked at again", scheduler, "wake_at", _never_looked_at_again),
    ("sweep leaves schedules out", RunTimers, "_send_schedules", _nothing(())),
    ("new definition skips slots", Scheduler, "_advanced", _from_the_next_slot),
    ("skipped slot not recorded", decisions, "record", _slot_passed_over),
)
"""Name, owner and attribute of each bug, and what makes the wrong from the right."""
