"""Responses about schedules."""

from typing import TypedDict

from chalicelib.entrypoints.http.responses.common import Count, Metadata, Moment, Number
from chalicelib.model.json_values import Json
from chalicelib.model.recurrence.schedule import Overlap
from chalicelib.model.status import Status
from chalicelib.service.ports.schedules import SlotOutcome


class Slot(TypedDict):
    """What became of a slot, or of `count` slots from this one on. `slot` is in the local time of the schedule's zone;
    `run` is the run that it started, and `status` the status of this run: null in lists, or if it was deleted. `reason`
    says why it started none."""

    slot: str
    outcome: SlotOutcome
    run: str
    status: Status | None
    reason: str
    decided_at: Moment
    count: Number


class ScheduleText(TypedDict):
    """The definition of a schedule. `text` is its FSL."""

    flow: str
    cron: str | None
    every: str | None
    at: str | None
    zone: str
    input: Json
    labels: dict[str, Json]
    overlap: Overlap
    catch_up: str
    jitter: str
    text: str
    created_at: Moment


class ScheduleSpec(ScheduleText):
    """The definition of a schedule, and how far it has come. `next` is the next slot, in local time; null while the
    schedule is paused, or if there is none. `slots` are the last ones, newest first. `queue` are slots that wait for
    the end of `last_run`. `started`, `skipped`, `missed` and `failed` count slots."""

    next: str | None
    paused: bool
    paused_at: Moment | None
    last_run: str
    queue: list[str]
    slots: list[Slot]
    started: Count
    skipped: Count
    missed: Count
    failed: Count


class ScheduleDefinition(TypedDict):
    """The definition of a schedule that was deleted."""

    metadata: Metadata
    spec: ScheduleText


class Schedule(TypedDict):
    """A schedule."""

    metadata: Metadata
    spec: ScheduleSpec


class StartedSlot(TypedDict):
    """The run of a slot. `created` is false if it existed already."""

    slot: str
    run: str
    created: bool


class FailedSlot(TypedDict):
    """A slot of which the run could not be started."""

    slot: str
    reason: str


class Backfill(TypedDict):
    """The slots of a range: runs that were started, runs that existed already, and slots that could not be started."""

    started: list[StartedSlot]
    existed: list[StartedSlot]
    failed: list[FailedSlot]
