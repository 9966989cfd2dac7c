"""What the calls answer, as types: the contract is made from them, and the views are checked against them.

Fields are never left out: what is not there is null, empty, or 0. Clients should let through fields that they do not
know; newer servers may tell more.
"""

from __future__ import annotations

from typing import Annotated, Literal, TypedDict

from msgspec import Meta

from chalicelib.model.actions import ArgType, Method
from chalicelib.model.json_values import Json
from chalicelib.model.status import Status
from chalicelib.service.doctor.findings import FindingKind
from chalicelib.service.security.roles import Role

Moment = Annotated[str, Meta(description="RFC 3339, UTC, with milliseconds", extra_json_schema={"format": "date-time"})]
Count = Annotated[int, Meta(ge=0)]
Number = Annotated[int, Meta(ge=1)]


class Metadata(TypedDict):
    """What every resource says of itself. A run's and a step's version grows with each of its transitions."""

    name: str
    kind: Literal["action", "flow", "flowrun", "step", "event"]
    namespace: str
    version: Count
    uuid: str
    labels: dict[str, Json]


# ── definitions ──────────────────────────────────────────────────────────────────────────────────────────────────────


class ActionSpec(TypedDict):
    """What an action is. `text` is its FSL."""

    system: str
    serve_type: Method
    endpoints: list[str]
    params: dict[str, ArgType]
    return_states: list[str]
    text: str
    created_at: Moment


class Action(TypedDict):
    """An action, in one version."""

    metadata: Metadata
    spec: ActionSpec


class FlowStep(TypedDict):
    """One step of a flow. `action_name` is empty where it sends no action; `returns`: state to target."""

    name: str
    action_name: str
    returns: dict[str, str]


class _Parameter(TypedDict):
    name: str
    type: ArgType
    required: bool


class Input(_Parameter, total=False):
    """One input of a flow. `default` is there where it is not required."""

    default: Json


class FlowSpec(TypedDict):
    """What a flow is. `text` is its FSL."""

    steps: list[FlowStep]
    input: list[Input]
    text: str
    created_at: Moment


class Flow(TypedDict):
    """A flow, in one version."""

    metadata: Metadata
    spec: FlowSpec


class Statement(TypedDict):
    """What became of one statement. `uuid` is empty in a dry run that would create the resource."""

    kind: Literal["action", "flow", "flow_run"]
    name: str
    version: Count
    uuid: str
    change: Literal["created", "updated", "unchanged"]


class Diagnostic(TypedDict):
    """One problem at one place of an FSL text. Lines and columns count from 1; the end is the first place behind it."""

    severity: Literal["error", "warning"]
    code: Annotated[str, Meta(pattern="^FSL[0-9]{3}$")]
    slug: str
    message: str
    line: Number
    column: Number
    end_line: Number
    end_column: Number
    hint: str | None


class Submission(TypedDict):
    """What became of a document: `results` in its order, the same by what changed, and warnings."""

    results: list[Statement]
    created: list[Statement]
    updated: list[Statement]
    unchanged: list[Statement]
    diagnostics: list[Diagnostic]


# ── runs ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


class Token(TypedDict):
    """One place where a run stands. `uuid` is the activation that waits there; empty if none does."""

    id: str
    step: str
    uuid: str
    since: Moment | None
    deadline: Moment | None
    attempt: Count
    retry_at: Moment | None
    held: bool


class ActionRun(TypedDict):
    """What a step sends, and whether it was answered. `action_params` are its args, `${...}` where computed."""

    action_name: str
    action_params: dict[str, Json]
    return_state_map: dict[str, str]
    done: bool


class Response(TypedDict):
    """The state that a step returned; empty while it has not."""

    state: str


class StepSpec(TypedDict):
    """One step of a run: the activation that is under way, or else the last one that ended."""

    flow_id: str
    flow_run_uuid: str
    action_run: ActionRun
    response: Response
    data: Json
    retry_count: Count
    global_variables: dict[str, Json]


class Step(TypedDict):
    """One step of a run; the uuid is the activation's, and empty while there was none."""

    metadata: Metadata
    spec: StepSpec


class RunSpec(TypedDict):
    """A run as it is. In a list, `steps` and `history_states` tell of the newest transitions only."""

    steps: list[Step]
    history_states: list[str]
    current_state: str
    last_state: str
    last_event: str
    last_err: str
    global_variable: dict[str, Json]
    status: Status
    flow: str
    flow_version: Count
    input: dict[str, Json]
    output: Json
    tokens: list[Token]
    created_at: Moment
    updated_at: Moment
    ended_at: Moment | None
    seq: Count


class Run(TypedDict):
    """A flow run."""

    metadata: Metadata
    spec: RunSpec


Entry = TypedDict(
    "Entry",
    {
        "seq": Number,
        "at": Moment,
        "event": str,
        "step": str,
        "token": str,
        "from": str,
        "to": str,
        "state": str,
        "data": Json,
        "by": str,
        "uuid": str,
        "error": str,
        "vars": dict[str, Json],
    },
)
Entry.__doc__ = "One line of a run's history; `seq` counts from 1 without gaps."


class Task(TypedDict):
    """What a person is asked, and how the answer must name it (`POST /step`)."""

    flowId: str
    stepName: str
    uuid: str
    action: str
    kind: Literal["task", "approval"]
    ackStates: list[str]
    args: dict[str, Json]
    since: Moment
    deadline: Moment


class Outcome(TypedDict):
    """What an answer to a step did."""

    outcome: Literal["advanced", "progress", "duplicate"]


# ── events, graphs ───────────────────────────────────────────────────────────────────────────────────────────────────


class EventSpec(TypedDict):
    """What was published. `run` is empty where it is for all runs."""

    name: str
    key: str
    data: Json
    run: str
    at: Moment
    expires_at: Moment


class Event(TypedDict):
    """An event that somebody published."""

    metadata: Metadata
    spec: EventSpec


class Scope(TypedDict):
    """The steps of the flow itself (its id is empty), of a branch, or of an each; `step` is the node around it."""

    id: str
    name: str
    step: str


class Node(TypedDict):
    """A step, or where a scope begins or ends. Of a run: how often it was left, and whether the run stands there."""

    id: str
    kind: str
    scope: str
    name: str
    detail: str
    visits: Count
    current: bool
    failed: bool


class Edge(TypedDict):
    """All routes from one step to one target."""

    source: str
    target: str
    scope: str
    labels: list[str]
    visits: Count


class Graph(TypedDict):
    """A state diagram. `source`, `target`, `scope` and `step` are ids; the outermost scope is the first."""

    name: str
    scopes: list[Scope]
    nodes: list[Node]
    edges: list[Edge]


# ── the rest ─────────────────────────────────────────────────────────────────────────────────────────────────────────


class Reply(TypedDict):
    """How a terminal shows the answer, and the answer as text. `ERR`: `raw` says what was wrong."""

    reply: Literal["OK", "Raw", "ERR", "NIL"]
    raw: str


class Finding(TypedDict):
    """Something that does not get on; `cured`: it was sent on its way again."""

    ailment: FindingKind
    run: str
    step: str
    uuid: str
    since: Moment | None
    detail: str
    cured: bool


class Report(TypedDict):
    """What was found among so many live runs; `complete`: there are no more of them."""

    findings: list[Finding]
    looked_at: Count
    complete: bool


class Secret(TypedDict):
    """A secret that a namespace keeps, without its value."""

    name: str
    set_at: Moment
    set_by: str


class AccessToken(TypedDict):
    """A token, without what makes it good."""

    id: str
    name: str
    role: Role
    namespace: str
    created_at: Moment
    created_by: str
    expires_at: Moment | None
    revoked_at: Moment | None


class NewAccessToken(AccessToken):
    """A token just made; `token` is its text, which is told now and never again."""

    token: str


class Health(TypedDict):
    """The store answers."""

    status: Literal["ok"]


class Problem(TypedDict):
    """What went wrong: `code` for programs, `detail` for people."""

    code: str
    detail: str


class Detail(Problem, total=False):
    """The same; of FSL, every diagnostic; of what nobody expected, the id under which the log tells more."""

    diagnostics: list[Diagnostic]
    request_id: str


class Error(TypedDict):
    """Every answer that is no success."""

    message: str
    error: Detail
