"""Events: facts that can move a run. The set is closed; the machine handles or refuses each of them in every status.

Each has the moment at which it happened (`at`), a random `nonce` of 32 hex digits, from which the decision derives all
its random values, and its origin (`by`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

import msgspec
from msgspec import UNSET, UnsetType

from chalicelib.engine.senders import Sender
from chalicelib.model.definition import Definition
from chalicelib.model.history import Sent
from chalicelib.model.json_values import Json
from chalicelib.model.run import DefinitionRef, Parent
from chalicelib.model.run_error import ErrorName, StepError
from chalicelib.model.times import Instant


class Fact(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What all events have."""

    at: Instant
    nonce: str
    by: str = ""


class DeliveryFact(Fact, frozen=True, kw_only=True):
    """What can become known by a delivery. `sent` is that delivery; None if it became known otherwise."""

    sent: Sent | None = None


class RunStarted(Fact, frozen=True, kw_only=True):
    """A run of the definition was started. `input` is complete and checked (`inputs.complete`)."""

    namespace: str
    name: str
    id: str
    ref: DefinitionRef
    input: Json = msgspec.field(default_factory=dict)
    labels: dict[str, Json] = msgspec.field(default_factory=dict)
    parent: Parent | None = None
    trace: str = ""
    """The W3C `traceparent` of the request that started it; empty if it had none."""
    generation: int = 0
    """How many runs started one another in a row before it (`outgoing.generation_of_next`)."""
    scheduled: str = ""
    """The slot of the schedule that starts it; empty for other runs."""
    queued_behind: str = ""
    """The schedule that is notified of its end; empty: none."""
    start_at: Instant | None = None
    """When it begins; None or past: at once."""
    held: bool = False
    """Whether its flow is paused: it begins when the flow is continued."""


class RunAdmitted(Fact, frozen=True, kw_only=True):
    """It is the turn of a pending run, which has a permit of its flow's limit."""


class RunRefused(Fact, frozen=True, kw_only=True):
    """A pending run is over the limit of its flow, which does not let such runs wait."""

    reason: str


class StepAcked(DeliveryFact, frozen=True, kw_only=True):
    """An action answered, or reported progress (`done` is False). `variables` are merged into the run's.

    `signed`: its signature by the namespace's key was verified.
    """

    step: str
    """Empty: the step of the activation, whichever it is."""
    uuid: str
    state: str
    done: bool = True
    data: Json = None
    variables: dict[str, Json] = msgspec.field(default_factory=dict)
    error: StepError | None = None
    """Why the action failed, in its own words."""
    signed: bool = False
    sender: Sender = Sender.ANY
    is_value: bool = False
    """Whether `data` is what it is: text in it is never read as JSON."""
    direct: bool = False
    """Whether it is what the request of an action without callback returned. Its data is never read again as JSON."""
    response: dict[str, Json] | None = None
    """`$response`: status and headers, if it came by HTTP."""
    too_large: str = ""
    """Why the data is missing: it was too large. The step returns ERROR, and what the action did can be undone."""


class DeliveryFailed(DeliveryFact, frozen=True, kw_only=True):
    """A delivery did not reach its action. `final`: it must not be retried. `retry_after`: in milliseconds."""

    uuid: str
    error: str
    final: bool = False
    retry_after: int = 0
    name: str = ErrorName.UNDELIVERABLE
    """The name of the error that the step returns, if this was the last attempt."""
    status: int | None = None
    """The HTTP status of the answer, if there was one."""
    data: Json = None
    """The body of an answer that says why, of an action without callback."""
    response: dict[str, Json] | None = None
    """`$response`: status and headers, for an action without callback."""


class AnswerPending(DeliveryFact, frozen=True, kw_only=True):
    """The work of an action without callback goes on: `location` is asked again after `wait` milliseconds."""

    uuid: str
    location: str
    wait: int


class ReplyIgnored(DeliveryFact, frozen=True, kw_only=True):
    """A service accepted a delivery with a response that looked like an answer but was not a valid one."""

    uuid: str
    reason: str


class DeliveryHeld(Fact, frozen=True, kw_only=True):
    """A delivery was due while the run was paused."""

    uuid: str


class NoticeTaken(DeliveryFact, frozen=True, kw_only=True):
    """An action took a notice."""

    uuid: str


class CircuitChanged(Fact, frozen=True, kw_only=True):
    """A delivery waits because its action's breaker is open, or it waited for that and was accepted."""

    uuid: str
    is_open: bool


class DeliveryTaken(Fact, frozen=True, kw_only=True):
    """The action has taken the delivery: its heartbeat counts, and a message that was sent in case of a crash, which
    may still ask for the delivery, has nothing to do."""

    uuid: str


class EventArrived(Fact, frozen=True, kw_only=True):
    """An event that the activation waits for. `place` orders the events of a name: each is taken once, in order."""

    uuid: str
    name: str
    key: str
    data: Json
    place: str


class ChildEnded(Fact, frozen=True, kw_only=True):
    """The run that the activation waits for has ended: DONE with its output, STOPPED or ERROR with its error."""

    uuid: str
    state: str
    output: Json = None
    error: StepError | None = None


class StepExecuted(Fact, frozen=True, kw_only=True):
    """What an `emit` or `start` step is there for was done, or could not be done (`error`)."""

    uuid: str
    data: Json = None
    error: StepError | None = None


class VarsSet(Fact, frozen=True, kw_only=True):
    """A person changed variables of the run, and removed those of `remove`."""

    vars: dict[str, Json]
    remove: tuple[str, ...] = ()


class LabelsSet(Fact, frozen=True, kw_only=True):
    """A person changed labels of the run, and removed those of `remove`."""

    labels: dict[str, Json]
    remove: tuple[str, ...] = ()


class ActionHeld(Fact, frozen=True, kw_only=True):
    """A delivery was due while its action was paused, since `since`."""

    uuid: str
    since: Instant


class ActionResumed(Fact, frozen=True, kw_only=True):
    """The action of a suspended activation is not paused any more."""

    uuid: str


class TimerFired(Fact, frozen=True, kw_only=True):
    """The run's timer fired: deadlines until `at` have passed. `paused` are paused actions, and since when they are."""

    paused: Mapping[str, Instant] = msgspec.field(default_factory=dict)


class RunPaused(Fact, frozen=True, kw_only=True):
    """A person paused the run, or its parent was paused (`with_parent`)."""

    with_parent: bool = False


class RunContinued(Fact, frozen=True, kw_only=True):
    """A person continued a paused run, or its parent was continued (`with_parent`)."""

    with_parent: bool = False


class RunStopped(Fact, frozen=True, kw_only=True):
    """A person stopped the run."""

    reason: str = ""


class Target(msgspec.Struct, frozen=True, kw_only=True):
    """The version of its flow to which a run moves, with the actions and the configuration that it then uses."""

    ref: DefinitionRef
    definition: Definition


class RunRetried(Fact, frozen=True, kw_only=True):
    """A person retried a stopped run: where it stopped, or at `step`; as it was, or mended."""

    step: str | None = None
    token: str | None = None
    """The token that continues at `step`. None: the only one that can."""
    target: Target | None = None
    """The version with which it continues. None: its own."""
    input: Json | UnsetType = UNSET
    """Fields that replace those of its input; or the whole, if its flow takes one value."""
    vars: Mapping[str, Json] = msgspec.field(default_factory=dict)
    """Variables to set, each in the innermost scope around `token` that has it, or else in the run."""
    reason: str = ""
    held: bool = False
    """Whether its flow is paused: the run then waits until the flow is continued."""


class RunMigrated(Fact, frozen=True, kw_only=True):
    """A person moved a run that has not ended to another version of its flow."""

    target: Target
    steps: Mapping[str, str] = msgspec.field(default_factory=dict)
    """What steps of the run's version are called in that version, where the names differ."""
    reason: str = ""


class TokenMoved(Fact, frozen=True, kw_only=True):
    """A person had a token leave what it waits for, and enter `step`."""

    step: str
    token: str | None = None
    """None: the only token that can enter the step."""
    reason: str = ""


class UndosRetried(Fact, frozen=True, kw_only=True):
    """A person had the undos of an ended run that failed done again."""


Event: TypeAlias = (
    RunStarted
    | RunAdmitted
    | RunRefused
    | StepAcked
    | DeliveryFailed
    | DeliveryHeld
    | AnswerPending
    | CircuitChanged
    | DeliveryTaken
    | ActionHeld
    | ActionResumed
    | ReplyIgnored
    | NoticeTaken
    | EventArrived
    | ChildEnded
    | StepExecuted
    | VarsSet
    | LabelsSet
    | TimerFired
    | RunPaused
    | RunContinued
    | RunStopped
    | RunRetried
    | RunMigrated
    | TokenMoved
    | UndosRetried
)
