"""A checked `schedule` statement, and its slots: the moments at which it starts runs.

A schedule that is given as `cron` has a slot at each match in the local time of its zone. The slots of `every` are
aligned to 1970-01-01T00:00:00Z, so `every = 15m` means the full quarters of each hour, whenever it was submitted. `at`
is a single slot.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from enum import StrEnum
from typing import Final

from chalicelib.model.json_values import FrozenValue, ready
from chalicelib.model.recurrence.cron import next_match
from chalicelib.model.recurrence.zones import DEFAULT_ZONE, format_local
from chalicelib.model.templates import Template
from chalicelib.model.times import Instant, Milliseconds, instant

NAMES_READ: Final = frozenset({"scheduled", "now", "config"})
"""The names that the input and the labels of a schedule may read."""


class Overlap(StrEnum):
    """What becomes of a slot while the previous run of the schedule has not ended."""

    SKIP = "skip"
    """No run is started."""
    QUEUE = "queue"
    """The run is started when the previous one has ended."""
    ALLOW = "allow"
    """The run is started beside it."""
    CANCEL = "cancel"
    """The previous run is stopped, and the run is started."""


class Schedule(FrozenValue, frozen=True, kw_only=True):
    """A schedule: when it starts runs (exactly one of `cron`, `every` and `at`), of which flow, with which input."""

    name: str
    flow: str
    cron: str | None = None
    every: Milliseconds | None = None
    at: str | None = None
    """An RFC 3339 time."""
    zone: str = DEFAULT_ZONE
    """The zone in whose local time `cron` is judged and slots are written."""
    input: dict[str, Template] = {}
    """A template for each parameter of the flow; or one expression, if the flow takes one value."""
    labels: dict[str, Template] = {}
    overlap: Overlap = Overlap.SKIP
    catch_up: Milliseconds = 0
    """How late a slot may start that was missed."""
    jitter: Milliseconds = 0
    """By how much a start may be delayed. The delay of a slot is always the same."""
    configs: tuple[str, ...] = ()
    """The values of the configuration that its expressions read as `$config.NAME`."""

    @property
    def timing(self) -> tuple[str | None, Milliseconds | None, str | None, str]:
        """When its slots are: schedules of equal timing have the same slots."""
        return self.cron, self.every, self.at, self.zone


def next_slot(schedule: Schedule, after: Instant) -> Instant | None:
    """Return the first slot after a moment; None if there is none."""
    if schedule.cron is not None:
        return next_match(schedule.cron, schedule.zone, after)
    if schedule.every is not None:
        return (after // schedule.every + 1) * schedule.every
    only = instant(schedule.at or "")
    return only if only is not None and only > after else None


def slots(schedule: Schedule, after: Instant, until: Instant) -> Iterator[Instant]:
    """Yield the slots after `after`, up to `until` inclusive, in order."""
    slot = next_slot(schedule, after)
    while slot is not None and slot <= until:
        yield slot
        slot = next_slot(schedule, slot)


def start_of(schedule: Schedule, slot: Instant) -> Instant:
    """Return when the run of a slot is started: at the slot, or by the slot's share of `jitter` later."""
    if not schedule.jitter:
        return slot
    digest = hashlib.sha256(f"{schedule.name}@{slot}".encode()).digest()
    return slot + int.from_bytes(digest[:8], "big") % (schedule.jitter + 1)


def slot_text(schedule: Schedule, slot: Instant) -> str:
    """Return the slot as `$scheduled` has it: RFC 3339 in the local time of the schedule's zone."""
    return format_local(slot, schedule.zone)


def run_name(schedule: Schedule, slot: Instant) -> str:
    """Return the name of the run that the slot starts."""
    return f"{schedule.name}@{slot_text(schedule, slot)}"


ready(Schedule)
