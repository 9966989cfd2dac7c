"""Responses about definitions."""

from typing import Literal, TypedDict

from chalicelib.entrypoints.http.responses.common import Count, Diagnostic, Metadata, Moment, Small
from chalicelib.model.actions import ArgType, Method
from chalicelib.model.hooks import HookEvent
from chalicelib.model.json_values import Json


class ActionSpec(TypedDict):
    """The definition of an action. `text` is its FSL. `serve_type` and `params` are the numbers of `method` and `args`
    in the original echoer."""

    system: str
    serve_type: Small
    method: Method
    endpoints: list[str]
    params: dict[str, Small]
    args: dict[str, ArgType]
    return_states: list[str]
    text: str
    created_at: Moment


class Action(TypedDict):
    """One version of an action."""

    metadata: Metadata
    spec: ActionSpec


class Breaker(TypedDict):
    """The state of an action's breaker: how many deliveries in a row have failed, and until when none is sent. It is
    null unless the breaker is open; if it has passed, one delivery is tried."""

    failures: Count
    open_until: Moment | None


class Pause(TypedDict):
    """Whether an action or a flow is paused, since when, and by whom."""

    paused: bool
    paused_at: Moment | None
    paused_by: str


class Hold(Pause):
    """An action or a flow that was paused or continued."""

    kind: str
    name: str


class LastHour(TypedDict):
    """The deliveries of an action in the last hour, how many of them failed, and which duration 50 % and 95 % of them
    did not exceed, at most 5 % too high; null without deliveries."""

    deliveries: Count
    failures: Count
    p50_ms: Count | None
    p95_ms: Count | None


class Activity(TypedDict):
    """Activations that are `in_flight` (sent and not answered) and `waiting` (to be sent), among those of
    `counted_runs` runs; `complete` is true if these are all that have not ended."""

    in_flight: Count
    waiting: Count
    counted_runs: Count
    complete: bool


class ActionStatus(Pause):
    """What happens with an action now. `breaker` is null if its newest version has none."""

    breaker: Breaker | None


class ActionLoad(ActionStatus, Activity):
    """What happens with one action now, and what is sent to it. `last_hour` is null if the server does not record
    deliveries (`ECHOER_DELIVERY_LOG`)."""

    last_hour: LastHour | None


class ShownAction(Action):
    """One version of an action, and what happens with it now."""

    status: ActionStatus


class LoadedAction(Action):
    """One version of an action, what happens with it now, and what is sent to it."""

    status: ActionLoad


class FlowStep(TypedDict):
    """A step of a flow. `action_name` is empty if it calls no action. `returns` maps each route to its target: `STATE`,
    `STATE when EXPRESSION`, `when EXPRESSION` or `else`."""

    name: str
    action_name: str
    returns: dict[str, str]


class _Parameter(TypedDict):
    name: str
    type: ArgType
    required: bool


class Input(_Parameter, total=False):
    """An input parameter of a flow; without a name it is the whole input. `default` is present if the parameter is not
    required, and `secret`, true, if its values are secret."""

    default: Json
    secret: bool


class FlowSpec(TypedDict):
    """The definition of a flow. `keep` is how long ended runs are kept, in milliseconds; null: as long as the server
    keeps runs. `text` is its FSL."""

    description: str
    keep: Count | None
    steps: list[FlowStep]
    input: list[Input]
    text: str
    created_at: Moment


class Flow(TypedDict):
    """One version of a flow."""

    metadata: Metadata
    spec: FlowSpec


class EventTypeSpec(TypedDict):
    """The declaration of an event. `args` is null if its data can be any value. `text` is its FSL."""

    args: list[Input] | None
    text: str
    created_at: Moment


class EventType(TypedDict):
    """One version of the declaration of an event."""

    metadata: Metadata
    spec: EventTypeSpec


class ConfigSpec(TypedDict):
    """A value of the namespace's configuration. `text` is its FSL."""

    value: Json
    text: str
    created_at: Moment


class Config(TypedDict):
    """One version of a value of the configuration."""

    metadata: Metadata
    spec: ConfigSpec


class HookSpec(TypedDict):
    """The definition of a hook. `flow` is null if it is notified of the runs of every flow. `text` is its FSL."""

    method: Literal["http", "https", "events"]
    addresses: list[str]
    on: list[HookEvent]
    flow: str | None
    labels: dict[str, Json]
    text: str
    created_at: Moment


class Hook(TypedDict):
    """One version of a hook."""

    metadata: Metadata
    spec: HookSpec


class HookDelivery(TypedDict):
    """One attempt to deliver a notification. `id` is that of the CloudEvent, `status` the HTTP status of a refusal.
    `next_at` is when it is attempted again; null: never."""

    id: str
    event: str
    run: str
    at: Moment
    duration_ms: Count
    outcome: Literal["delivered", "failed", "given up"]
    status: int | None
    error: str
    next_at: Moment | None


class Statement(TypedDict):
    """The result of one statement. `uuid` is empty if a dry run would create the resource."""

    kind: Literal["action", "flow", "flow_run", "event", "config", "schedule", "hook"]
    name: str
    version: Count
    uuid: str
    change: Literal["created", "updated", "unchanged"]


class Submission(TypedDict):
    """The result of an FSL text. `results` has one entry per statement, in the order of the text; `created`, `updated`
    and `unchanged` have the same entries by change. `diagnostics` are warnings."""

    results: list[Statement]
    created: list[Statement]
    updated: list[Statement]
    unchanged: list[Statement]
    diagnostics: list[Diagnostic]


class ShownFlow(Flow):
    """A flow, and whether it is paused."""

    status: Pause
