"""Responses of the calls that editors use: what a text means, and what becomes of a play."""

from typing import Literal, TypedDict

from chalicelib.entrypoints.http.responses.common import Count, Diagnostic, Moment, Number
from chalicelib.entrypoints.http.responses.graphs import Graph
from chalicelib.entrypoints.http.responses.runs import Entry
from chalicelib.model.actions import ArgType
from chalicelib.model.json_values import Json


class OutlinedStatement(TypedDict):
    """A statement of the text. `span` are the offsets of its first character and of the one after its last. `change`
    is what a submission would do; null if the text has errors, or the statement is a run."""

    kind: str
    name: str
    span: tuple[Count, Count]
    change: Literal["created", "updated", "unchanged"] | None


class OutlinedStep(TypedDict):
    """A step of a flow of the text, and where it is written."""

    flow: str
    name: str
    kind: str
    span: tuple[Count, Count]
    name_span: tuple[Count, Count]
    line: Number


class ExplainedSetting(TypedDict):
    """The value of a setting as text, and where it comes from: `step`, `action` or `default`."""

    value: str
    by: str


class ExplainedStep(TypedDict):
    """The settings that apply to a step. Null: the setting does not apply."""

    step: str
    kind: str
    action: str | None
    timeout: ExplainedSetting | None
    heartbeat: ExplainedSetting | None
    retry: ExplainedSetting | None
    on_timeout: str | None
    on_error: str | None
    callback: ExplainedSetting | None
    secret: str | None
    repeat: str | None
    undo: ExplainedSetting | None
    conditions: str | None
    notices: str | None


class Offer(TypedDict):
    """A word that fits at the place."""

    label: str
    kind: str
    detail: str


class Hover(TypedDict):
    """Markdown about the word at the place, and the offsets of the word."""

    markdown: str
    span: tuple[Count, Count]


class Fix(TypedDict):
    """An edit that removes a problem: `insert` replaces the characters from `from` to `to`. `diagnostic` is the index
    of the problem."""

    diagnostic: Count
    title: str
    span: tuple[Count, Count]
    insert: str


class Symbol(TypedDict):
    """The name at the place. `definition` is where the text declares it, null if it does not; `places` are all places
    of the name, the definition included."""

    kind: Literal["action", "flow", "flow_run", "config", "step", "variable", "input"]
    name: str
    span: tuple[Count, Count]
    definition: tuple[Count, Count] | None
    places: list[tuple[Count, Count]]


class StepRoute(TypedDict):
    """A route of a step. `when` is its condition without `${` and `}`, null if it has none."""

    states: list[str]
    when: str | None
    to: str


class StepProperty(TypedDict):
    """A property that the step can have, and a line about it. `value` is FSL, null if it is not set."""

    name: str
    value: str | None
    about: str


class EditableStep(TypedDict):
    """The step at the place. `into` is its scope, as in `add` of `POST /edit`; `states` are those that it can return,
    null if they are unknown; `targets` are the steps and ends where its routes can lead."""

    flow: str
    name: str
    kind: str
    into: str
    span: tuple[Count, Count]
    routes: list[StepRoute]
    properties: list[StepProperty]
    states: list[str] | None
    targets: list[str]


class _DeclaredInput(TypedDict):
    name: str
    type: ArgType
    required: bool
    secret: bool


class DeclaredInput(_DeclaredInput, total=False):
    """An input of a flow of the text, declared or needed by its steps. The name is empty if the flow takes one value.
    `default` is present if the input is not required."""

    default: Json


class Analysis(TypedDict):
    """What a text means. `graphs`, `explain` and `inputs` have an entry for each flow that can be read; `formatted` is
    null if the text has syntax errors; `offers`, `hover`, `symbol` and `step` are for the place that was asked
    about. Spans count characters (code points)."""

    diagnostics: list[Diagnostic]
    statements: list[OutlinedStatement]
    steps: list[OutlinedStep]
    graphs: dict[str, Graph]
    explain: dict[str, list[ExplainedStep]]
    inputs: dict[str, list[DeclaredInput]]
    fixes: list[Fix]
    formatted: str | None
    offers: list[Offer]
    hover: Hover | None
    symbol: Symbol | None
    step: EditableStep | None


TextEdit = TypedDict("TextEdit", {"from": Count, "to": Count, "insert": str})
"""An edit: `insert` replaces the characters from offset `from` up to, not including, `to`. Offsets count characters
(code points) of the text that was sent."""


class Edited(TypedDict):
    """The edits, in order and apart from each other, and the text with all of them."""

    edits: list[TextEdit]
    text: str


class PlayWait(TypedDict):
    """What a token of the play waits for. A move names it by `step`, and by `token` and `run` where several match.
    `due` is true if a delivery waits for a move."""

    run: str
    step: str
    token: str
    uuid: str
    kind: str
    name: str
    states: list[str]
    args: dict[str, Json]
    attempt: Number
    deadline: Moment | None
    retry_at: Moment | None
    due: bool


class PlayNext(TypedDict):
    """What happens next by itself."""

    at: Moment
    what: str


class PlayAsked(TypedDict):
    """An action or a person that was asked."""

    at: Moment
    run: str
    step: str
    name: str
    kind: str
    args: dict[str, Json]
    attempt: Number


class PlayRefused(TypedDict):
    """A move that changed nothing, counted from 0, and why."""

    move: Count
    why: str


class PlayRun(TypedDict):
    """A run that the play started or called."""

    name: str
    flow: str
    status: str
    output: Json


class PlayVisits(TypedDict):
    """How often the run left each step and took each edge; the keys are ids of the graph, for edges `SOURCE -> TARGET`.
    `current` and `failed` are the nodes where the run is, or ended."""

    nodes: dict[str, Count]
    edges: dict[str, Count]
    current: list[str]
    failed: list[str]


class MachineProblem(TypedDict):
    """What is wrong with a machine (`error`), differs in FSL (`warning`), or must be known (`note`). `pointer` is the
    JSON pointer of its place in the machine."""

    pointer: str
    level: Literal["error", "warning", "note"]
    message: str


class ImportedMachine(TypedDict):
    """A machine of Step Functions as FSL. `fsl` is empty if the machine has no state to start at."""

    fsl: str
    name: str
    problems: list[MachineProblem]


class PlayDifference(TypedDict):
    """The first entry of a recorded history that is decided otherwise when it is replayed, as it was `recorded` and as
    it is `now`. Null: there is no such entry."""

    seq: Number
    recorded: Entry | None
    now: Entry | None


class Played(TypedDict):
    """A play after its last move. `state` is what `continue` takes. `differs` is null if nothing was replayed, or every
    decision is the recorded one."""

    now: Moment
    status: str
    flow: str
    waits: list[PlayWait]
    next: PlayNext | None
    input: Json
    vars: dict[str, Json]
    output: Json
    last_err: str
    seq: Count
    history: list[Entry]
    visits: PlayVisits
    asked: list[PlayAsked]
    refused: list[PlayRefused]
    runs: list[PlayRun]
    diagnostics: list[Diagnostic]
    differs: PlayDifference | None
    state: Json
