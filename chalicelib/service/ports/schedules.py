"""The port of the store of schedules' states: how far each schedule has come."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from enum import StrEnum
from typing import Final, Protocol

import msgspec

from chalicelib.model.json_values import ready
from chalicelib.model.times import Instant

MAX_RECENT_SLOTS: Final = 10
"""How many of the last slots a state remembers."""


class SlotOutcome(StrEnum):
    """What became of a slot."""

    STARTED = "started"
    QUEUED = "queued"
    """Its run is started when the previous one has ended."""
    SKIPPED = "skipped"
    """It was not started because of the overlap rule, or because the schedule was paused."""
    MISSED = "missed"
    """It was found too late: `catch_up` is shorter."""
    FAILED = "failed"
    """Its run could not be started."""


class SlotRecord(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What became of a slot, or of `count` slots from it on."""

    slot: Instant = msgspec.field(name="s")
    outcome: SlotOutcome = msgspec.field(name="o")
    decided_at: Instant = msgspec.field(name="d")
    reason: str = msgspec.field(name="r", default="")
    run: str = msgspec.field(name="n", default="")
    """The run that it started."""
    count: int = msgspec.field(name="c", default=1)


class ScheduleState(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How far a schedule has come. All slots up to `done` are decided; each decision is one write of the state."""

    name: str = msgspec.field(name="nm")
    version: int = msgspec.field(name="vn")
    """Grows with each write. The first version of a state is the time at which it is made, so that the states of a
    schedule that was deleted and defined again never have equal versions."""
    uuid: str = msgspec.field(name="id")
    """The uuid of its definition: a schedule that was deleted and defined again has another."""
    definition: int = msgspec.field(name="df")
    """The version of the definition that it follows."""
    done: Instant = msgspec.field(name="dn")
    wake_at: Instant | None = msgspec.field(name="wk", default=None)
    """When it must be looked at again; None: never, unless something else happens."""
    paused_at: Instant | None = msgspec.field(name="pa", default=None)
    starting: Instant | None = msgspec.field(name="sg", default=None)
    """The slot whose run is being started. It is decided, so whoever finds it starts it, if it is not started yet."""
    queue: tuple[Instant, ...] = msgspec.field(name="qu", default=())
    """Slots that wait for the end of the previous run, in order."""
    running: str = msgspec.field(name="ru", default="")
    """The run that it started last; it may have ended."""
    recent: tuple[SlotRecord, ...] = msgspec.field(name="re", default=())
    """The last slots, newest first."""
    counts: dict[SlotOutcome, int] = msgspec.field(name="ct", default_factory=dict)
    """How many slots ended in each way."""


class DueSchedule(msgspec.Struct, frozen=True):
    """A schedule that must be looked at, since `at`."""

    namespace: str
    name: str
    at: Instant


class ScheduleStore(Protocol):
    """Stores states of schedules."""

    def load(self, namespace: str, names: Iterable[str]) -> dict[str, ScheduleState]:
        """Return the states of these schedules. Those without a state are left out. Consistent."""
        ...

    def save(self, namespace: str, state: ScheduleState, seen: int | None) -> None:
        """Write the state if the stored version is `seen`; None: if there is none. Raises Conflict if not."""
        ...

    def delete(self, namespace: str, state: ScheduleState) -> None:
        """Delete the state. Raises Conflict if its version is not `state.version`; a missing one is no error."""
        ...

    def due(self, until: Instant, limit: int, since: Instant = 0) -> Sequence[DueSchedule]:
        """Return schedules of all namespaces with `wake_at` at `until` or before, and at `since` or later.

        They are sorted by time as far as the store can do so cheaply.
        """
        ...


ready(ScheduleState)
