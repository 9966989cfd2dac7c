"""The facts that can move a run. A closed set: the machine answers each of them, in every status, or refuses it.

Each brings the moment it happened (`at`), a `nonce` (32 hex digits, random: whatever the decision must draw is drawn
from it) and who caused it (`by`).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeAlias

from chalicelib.model.json_values import Json
from chalicelib.model.run import DefinitionRef, Parent
from chalicelib.model.times import Instant


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    at: Instant
    nonce: str
    by: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunStarted(Fact):
    """Somebody started a run of the definition. `input` is complete and checked (`inputs.complete`)."""

    namespace: str
    name: str
    id: str
    ref: DefinitionRef
    input: dict[str, Json] = field(default_factory=dict)
    labels: dict[str, Json] = field(default_factory=dict)
    parent: Parent | None = None
    trace: str = ""
    """The W3C `traceparent` of whoever started it, if it bore one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StepAcked(Fact):
    """An action answered, or reported progress (`done` is False). `variables` are merged into the run's.

    `signed`: it was proved to come from somebody who has the namespace's key.
    """

    step: str
    uuid: str
    state: str
    done: bool = True
    data: Json = None
    variables: dict[str, Json] = field(default_factory=dict)
    signed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryFailed(Fact):
    """A delivery did not reach its action. `final`: trying again is of no use. `retry_after`: in milliseconds."""

    uuid: str
    error: str
    final: bool = False
    retry_after: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryHeld(Fact):
    """A delivery's turn came while the run was paused."""

    uuid: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EventArrived(Fact):
    """An event for which the activation waits. `place` orders the events of a name: each is taken once, in order."""

    uuid: str
    name: str
    key: str
    data: Json
    place: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ChildEnded(Fact):
    """The run for which the activation waits has ended: DONE with its output, STOPPED or ERROR with its error."""

    uuid: str
    state: str
    output: Json = None
    error: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class VarsSet(Fact):
    """A person changed variables of the run. A value of None removes the variable."""

    vars: dict[str, Json]


@dataclass(frozen=True, slots=True, kw_only=True)
class TimerFired(Fact):
    """The run's timer rang: deadlines that passed by `at` are met."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunPaused(Fact):
    """A person paused the run."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunContinued(Fact):
    """A person let a paused run go on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunStopped(Fact):
    """A person stopped the run."""

    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRetried(Fact):
    """A person took up a stopped run again: where it stood, or at `step`."""

    step: str | None = None


Event: TypeAlias = (
    RunStarted
    | StepAcked
    | DeliveryFailed
    | DeliveryHeld
    | EventArrived
    | ChildEnded
    | VarsSet
    | TimerFired
    | RunPaused
    | RunContinued
    | RunStopped
    | RunRetried
)
