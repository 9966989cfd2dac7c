"""The format of a test file. `schema()` gives it as JSON Schema; `schema.json` keeps that for editors.

# yaml-language-server: $schema=.../fsl/testing/schema.json
program: order.fsl                 # default: NAME.fsl next to NAME.test.yaml; or a list of files
flow: order                        # default: the only one that no other calls
actions: { charge: PAID, ship: OK }   # what actions answer, in every test of the file
tests:
  - name: an order is charged and shipped
    input: { order_id: o-1, amount: 12.5 }
    expect: { status: succeeded, path: [Charge, Ship], calls: { charge: 1 } }
"""

from __future__ import annotations

import inspect
import re
from enum import StrEnum
from typing import Annotated, Any, Final, Literal, TypeAlias

import msgspec
from msgspec import Meta

from chalicelib.engine.returning.returns import MAX_ERROR_NAME_CHARACTERS
from chalicelib.model import times
from chalicelib.model.json_values import Json
from chalicelib.model.status import Status
from chalicelib.model.times import Milliseconds

Span: TypeAlias = Annotated[
    str, Meta(pattern=r"^([0-9]{1,12}(ms|s|m|h|d) ?)+$", description="A duration: 500ms, 30s, 15m, 2h, 3d, 1d 12h.")
]

_SPANS: Final = re.compile(r"[0-9]+(?:ms|s|m|h|d)")
SCHEMA_ID: Final = "https://json-schema.org/draft/2020-12/schema"


def span(text: str) -> Milliseconds:
    """Return the milliseconds of a duration such as `1d 12h`."""
    return sum(times.duration(part) or 0 for part in _SPANS.findall(text))


class _Part(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """A part of a test file. An unknown field is an error."""


class Progress(_Part, frozen=True, kw_only=True):
    """A report before the answer (`done=false`): `after` the one before it, `times` times."""

    after: Span
    times: Annotated[int, Meta(ge=1, le=10_000)] = 1
    data: Any = None
    vars: dict[str, Any] = {}


class AnswerError(_Part, frozen=True, kw_only=True):
    """The `error` of an answer (docs/http-api.md, 2)."""

    name: Annotated[str, Meta(min_length=1, max_length=MAX_ERROR_NAME_CHARACTERS)]
    cause: str = ""


class Reply(_Part, frozen=True, kw_only=True):
    """What an action or a person answers: a state, or how the delivery fails.

    when: only if the args contain these values. times: the number of calls that get it; then the next reply is used.
    after: how long the answer takes. error: why the action returned the state (`{name, cause}`), or the text of a
    delivery that fails. An action that does not declare ERROR answers it with an error, by default of the name `Error`;
    TIMEOUT that is not declared is no answer. fail: `refused` (no connection), an HTTP status (after 408, 425, 429 and
    5xx the delivery is repeated, any other is final), or `timeout` (the action accepts the work and never answers).
    status (200 if left out), headers, body: what an action with `callback = none` answers; `state` is answered
    with a status that leads to it.
    """

    when: dict[str, Any] = {}
    times: Annotated[int, Meta(ge=1)] = 1
    state: str | None = None
    data: Any = None
    status: Annotated[int, Meta(ge=200, le=599)] | None = None
    headers: dict[str, str] = {}
    body: Any = None
    vars: dict[str, Any] = {}
    after: Span = "0s"
    progress: list[Progress] = []
    fail: Literal["refused", "timeout"] | Annotated[int, Meta(ge=300, le=599)] | None = None
    error: str | AnswerError = ""
    retry_after: Span = "0s"


class FlowReply(_Part, frozen=True, kw_only=True):
    """How a called flow ends that the test does not run: with an output, or stopped with an error."""

    when: dict[str, Any] = {}
    times: Annotated[int, Meta(ge=1)] = 1
    output: Any = None
    stopped: str | None = None
    after: Span = "0s"


Replies: TypeAlias = str | Reply | list[str | Reply]
"""A state, a reply, or a list of them: one for each call, of which the last is repeated."""


class Signal(_Part, frozen=True, kw_only=True):
    """An event, published `at` this time after the start. With `to_run` it is a signal for the tested run only."""

    at: Span = "0s"
    name: str
    key: str | int | float = ""
    data: Any = None
    ttl: Span = "24h"
    to_run: bool = False


class CommandName(StrEnum):
    PAUSE = "pause"
    CONTINUE = "continue"
    STOP = "stop"
    RETRY = "retry"
    VARS = "vars"


class Command(_Part, frozen=True, kw_only=True):
    """A command of an operator, `at` this time after the start. `step` belongs to retry, and so does `undo: true` (to
    repeat the undos that failed); `reason` to stop; `vars` (to set) and `remove` (names of variables) to vars."""

    at: Span
    order: CommandName
    step: str | None = None
    undo: bool = False
    reason: str = ""
    vars: dict[str, Any] = {}
    remove: list[str] = []


class Contains(_Part, frozen=True, kw_only=True):
    """These steps in this order, possibly with others in between."""

    contains: list[str | dict[str, str]]


class Expect(_Part, frozen=True, kw_only=True):
    """What must be true at the end. Only the given fields are checked.

    path: the steps in the order in which they returned (a fork comes after its branches), each as a name or as
    `{name: STATE}`. at: the steps at which the run waits. undone: the undone steps, in order. vars, labels: these
    values among others. calls: for each action the number of calls, or the args of each call (these among others).
    history: these events in this order, each as a name or as fields. within: the longest duration; takes: the exact
    one. last_err: a regular expression that the last error must contain. slots: the last ten slots of the tested
    schedule, each as the time of a run that it started, or as `{time: skipped}` (also queued, missed, failed). assert:
    JSONata over $input, $vars, $result (the output), $error (the last error) and $run with name status labels path
    undone calls history took (milliseconds).
    """

    status: Status | None = None
    path: list[str | dict[str, str]] | Contains | None = None
    at: str | list[str] | None = None
    undone: list[str] | None = None
    output: Any = msgspec.UNSET
    vars: dict[str, Any] = {}
    labels: dict[str, Any] = {}
    calls: dict[str, int | list[dict[str, Any]]] = {}
    history: list[str | dict[str, Any]] = []
    within: Span | None = None
    takes: Span | None = None
    last_err: str | None = None
    slots: list[str | dict[str, str]] | None = None
    checks: str | list[str] = msgspec.field(name="assert", default_factory=list)


class Case(_Part, frozen=True, kw_only=True):
    """One test: a run, what happens around it, and what is expected.

    until: check the run at this time, even if it has not ended. limit: a run that has not ended by then fails the test.
    schedule: let this schedule start runs until `until`; the last of them is checked.
    """

    name: str
    flow: str | None = None
    run: str | None = None
    schedule: str | None = None
    start: str | None = None
    input: Any = {}
    labels: dict[str, Any] = {}
    actions: dict[str, Replies] = {}
    steps: dict[str, Replies] = {}
    approvals: dict[str, Replies] = {}
    flows: dict[str, FlowReply | list[FlowReply]] = {}
    secrets: dict[str, str] = {}
    config: dict[str, Any] = {}
    events: list[Signal] = []
    orders: list[Command] = []
    until: Span | None = None
    limit: Span = "400d"
    expect: Expect


class TestFile(_Part, frozen=True, kw_only=True):
    """Tests of a program. The fields next to `tests` apply to every test that does not set them itself.

    actions: what actions answer, by name. steps: the same by step, or by `flow.Step`; it overrides actions. approvals:
    what a person answers before a dispatch, by step or action: APPROVE or REJECT. flows: called flows that are not run.
    secrets: values by name; the default is the text `secret NAME`. config: values by name instead of those of the
    program.
    """

    __test__ = False  # pytest must not collect it

    program: str | list[str] | None = None
    flow: str | None = None
    run: str | None = None
    start: str = "2026-01-01T00:00:00Z"
    actions: dict[str, Replies] = {}
    steps: dict[str, Replies] = {}
    approvals: dict[str, Replies] = {}
    flows: dict[str, FlowReply | list[FlowReply]] = {}
    secrets: dict[str, str] = {}
    config: dict[str, Any] = {}
    tests: Annotated[list[Case], Meta(min_length=1)]


def replies(given: Replies) -> list[Reply]:
    """Return the replies as a list."""
    return [
        Reply(state=one) if isinstance(one, str) else one for one in (given if isinstance(given, list) else [given])
    ]


def flow_replies(given: FlowReply | list[FlowReply]) -> list[FlowReply]:
    """Return the replies as a list."""
    return given if isinstance(given, list) else [given]


def schema() -> Json:
    """Return the format as JSON Schema."""
    made = msgspec.json.schema(TestFile)
    for part in made["$defs"].values():
        if "description" in part:
            part["description"] = inspect.cleandoc(part["description"])
    return {"$schema": SCHEMA_ID, "title": "FSL test file", **made}
