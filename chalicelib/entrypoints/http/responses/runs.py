"""Responses about runs, their steps and history, and events."""

from typing import Annotated, Literal, NotRequired, TypedDict

from msgspec import Meta

from chalicelib.entrypoints.http.responses.common import Count, Metadata, Moment, Number, TokenFit
from chalicelib.entrypoints.http.responses.run_details import Child, Cost, Progress
from chalicelib.entrypoints.http.responses.waits import Waiting
from chalicelib.model.json_values import Json
from chalicelib.model.status import Status


class ScopeVars(TypedDict, total=False):
    """The variables of the token's branch or item, and of the fork that it waits at; left out if there are none.

    `waits_for` is there if one run was asked for: what the token waits for; null if for nothing.
    """

    vars: dict[str, Json]
    waits_for: Waiting | None


class Token(ScopeVars):
    """A position of a run in its flow. `uuid` identifies the activation that waits there; it is empty if none does."""

    id: str
    step: str
    uuid: str
    since: Moment | None
    deadline: Moment | None
    attempt: Count
    retry_at: Moment | None
    held: bool


class ActionRun(TypedDict):
    """The request to an action. `action_params` are the args as written, with expressions as `${...}`.
    `return_state_map` maps each route to its target: `STATE`, `STATE when EXPRESSION`, `when EXPRESSION` or `else`.
    `done` is true if the step has returned and has not been entered again."""

    action_name: str
    action_params: dict[str, Json]
    return_state_map: dict[str, str]
    done: bool


class ReturnedState(TypedDict):
    """The state that a step returned; empty until it returns one."""

    state: str


class StepSpec(TypedDict):
    """A step of a run: its current activation or, if there is none, its last one. `data` is the answer's data as text,
    `result` is `$result` in FSL. `global_variables` are the variables that its return changed. In lists, `data`,
    `result` and `global_variables` are empty if the step returned before the newest transitions."""

    flow_id: str
    flow_run_uuid: str
    action_run: ActionRun
    response: ReturnedState
    data: str
    result: Json
    retry_count: Count
    global_variables: dict[str, Json]


class Step(TypedDict):
    """A step of a run. `metadata.uuid` identifies its activation; it is empty before the first one."""

    metadata: Metadata
    spec: StepSpec


class RunError(TypedDict):
    """Why a run failed: the error, the step and the state in which it occurred, the HTTP status of a refused delivery,
    and the data that came with the state."""

    name: str
    cause: str
    step: str
    state: str
    status: int | None
    data: Json


class FailedUndo(TypedDict):
    """Work that could not be undone. `uuid` is the activation that did it, with `state`; `action` (or flow) and `args`
    are what should have undone it. `incomplete` is true if args could not be made: a person has to undo it."""

    step: str
    uuid: str
    state: str
    action: str
    args: dict[str, Json]
    incomplete: bool
    error: str


class RunSpec(TypedDict):
    """The state of a run. In lists, `steps` and `history_states` cover only the newest transitions. `waits_for` says
    which limit a pending run waits for; it is empty for others."""

    steps: list[Step]
    history_states: list[str]
    current_state: str
    last_state: str
    last_event: str
    last_err: str
    error: RunError | None
    global_variable: dict[str, Json]
    status: Status
    waits_for: str
    flow: str
    flow_version: Count
    input: Json
    output: Json
    tokens: list[Token]
    failed_undos: list[FailedUndo]
    start_at: Moment | None
    created_at: Moment
    updated_at: Moment
    ended_at: Moment | None
    seq: Count


class Run(TypedDict):
    """A run of a flow."""

    metadata: Metadata
    spec: RunSpec


class ParentRun(TypedDict):
    """The run that waits for the end of another one, and its step."""

    run: str
    step: str


class Sizes(TypedDict):
    """How many bytes values of a run have as JSON; null if an earlier version of the server stored them."""

    input: Count | None
    global_variable: Count | None
    output: Count | None


class ListedSpec(TypedDict):
    """The state of a run, in brief or whole. In brief (`view=summary`), `tokens` is their number (null if it is not
    known), `last_err` and the cause of `error` are cut at 300 characters, and `next_deadline` is when its next wait
    ends. `cut` is true if its whole shape was requested and is too large: read it in parts, from the calls on the run.
    The whole shape is that of `Run`. One run in its whole shape also has its parent, what its tokens wait for, how far
    its eaches are (`each`), its cost, and its `children`: at most 100, those that run first, then the last ones that
    have ended, as far as the newest 1,000 entries of the history have them.
    """

    flow: str
    flow_version: Count
    status: Status
    current_state: str
    last_state: str
    last_event: str
    last_err: str
    error: RunError | None
    seq: Count
    tokens: Count | list[Token] | None
    created_at: Moment
    updated_at: Moment
    ended_at: Moment | None
    writes: NotRequired[Count]
    next_deadline: NotRequired[Moment | None]
    parent: NotRequired[ParentRun | None]
    sizes: NotRequired[Sizes]
    cut: NotRequired[bool]
    steps: NotRequired[list[Step]]
    history_states: NotRequired[list[str]]
    global_variable: NotRequired[dict[str, Json]]
    waits_for: NotRequired[str]
    input: NotRequired[Json]
    output: NotRequired[Json]
    failed_undos: NotRequired[list[FailedUndo]]
    start_at: NotRequired[Moment | None]
    children: NotRequired[list[Child]]
    each: NotRequired[list[Progress]]
    cost: NotRequired[Cost]


class ListedRun(TypedDict):
    """A run of a flow, in brief or whole."""

    metadata: Metadata
    spec: ListedSpec


class RunCounts(TypedDict):
    """How many runs there are by status; statuses of no run may be left out. `more`: more than were counted."""

    counts: dict[str, Count]
    more: bool


Value = Annotated[Json, Meta(description="A value of a run, of any type.")]


class CutValue(TypedDict):
    """What a part of a value leaves out: its place (JSON pointer, RFC 6901), its type and its bytes as JSON."""

    path: str
    type: str
    bytes: Count


class ValueWindow(TypedDict):
    """A part of a value, as `GET /flowrun/{name}/value` returns it without `raw`. `length` is the number of its
    children or characters, `bytes` its size as JSON. `next` is the index of the first child after those in `value`;
    null if there is none."""

    type: Literal["null", "bool", "int", "float", "str", "list", "map"]
    length: Count | None
    bytes: Count
    value: Json
    cut: list[CutValue]
    next: Count | None


class AwaitedRun(ListedRun):
    """A run of a flow, and whether it has ended."""

    ended: bool


class SentDelivery(TypedDict):
    """The delivery that an entry records. `address` is empty if it is the first one of its action."""

    address: str
    status: int | None
    duration_ms: Count


ValuePart = Annotated[
    Json,
    Meta(
        description="With `raw=true` the value itself. Otherwise a part of it: `type` (null, bool, int, float, str, "
        "list or map), `length` (the number of children or characters, or null), `bytes` (its size as JSON), `value` "
        "(the part), `cut` (what is left out: `path`, a JSON pointer, `type` and `bytes`) and `next` (the index of the "
        "first child after those in `value`, or null)."
    ),
]


Entry = TypedDict(
    "Entry",
    {
        "seq": Number,
        "at": Moment,
        "event": str,
        "late": bool,
        "step": str,
        "token": str,
        "from": str,
        "to": str,
        "state": str,
        "data": Json,
        "by": str,
        "uuid": str,
        "error": str,
        "error_name": str,
        "rule": Number | None,
        "vars": dict[str, Json],
        "removed": list[str],
        "branch": str,
        "item": Count | None,
        "undo": bool,
        "sent": SentDelivery | None,
        "cut": NotRequired[bool],
    },
)
Entry.__doc__ = """An entry of a run's history. `seq` counts from 1 without gaps. `cut` is true if its values are too
large for a response and are left out. `branch` and `item` are the innermost branch and item of its token; `undo` is
true if it is about undoing work. `sent` is the delivery that it records. `late`: it is an answer that moved nothing,
because its activation had ended."""


class AnswerLinks(TypedDict):
    """Two links that answer a task with one state: `page` asks a person for confirmation, `answer` takes its form."""

    page: str
    answer: str


Migration = TypedDict(
    "Migration",
    {
        "name": str,
        "from": Number,
        "to": Number,
        "dry_run": bool,
        "moved": bool,
        "fits": bool,
        "tokens": list[TokenFit],
        "problems": list[str],
    },
)
Migration.__doc__ = "A run that moved, or would move, to another version of its flow: what fits for each of its tokens."


class Task(TypedDict):
    """A task for a person. Answer it with `POST /step`: send its `flowId`, `stepName` and `uuid`, and one of its
    `ackStates` as `ackState`. `routes` maps each route of the step to its target. `links` has the signed links of each
    state; it is empty if the caller may not answer."""

    flowId: str
    stepName: str
    uuid: str
    action: str
    kind: Literal["task", "approval"]
    ackStates: list[str]
    args: dict[str, Json]
    since: Moment
    deadline: Moment
    flow: str
    labels: dict[str, Json]
    routes: dict[str, str]
    links: dict[str, AnswerLinks]


class EventSpec(TypedDict):
    """A published event. `run` is empty if the event is for all runs. `by` is the run that published it, as `run NAME`;
    empty if a request did."""

    name: str
    key: str
    data: Json
    run: str
    by: str
    at: Moment
    expires_at: Moment


class Event(TypedDict):
    """A published event. `event_type`, `message` and `object` are those of an event of the original echoer."""

    metadata: Metadata
    spec: EventSpec
    event_type: Count
    message: str
    object: dict[str, Json]


class Woken(TypedDict):
    """The runs that were notified because they wait for the event: how many, and the names of the first 100."""

    count: Count
    runs: list[str]


class PublishedEvent(Event):
    """An event that was just published, and the runs that it woke."""

    woken: Woken
