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
from enum import StrEnum
from typing import Annotated, Any, Final, Literal, TypeAlias, TypeVar

import msgspec
from msgspec import Meta

from chalicelib.engine.returning.returns import MAX_ERROR_NAME_CHARACTERS
from chalicelib.model.json_values import Json
from fsl.testing.expectations import Expect
from fsl.testing.parts import Part, Span

_T = TypeVar("_T")

SCHEMA_ID: Final = "https://json-schema.org/draft/2020-12/schema"


class Progress(Part, frozen=True, kw_only=True):
    """A report before the answer (`done=false`): `after` the one before it, `times` times."""

    after: Span
    times: Annotated[int, Meta(ge=1, le=10_000)] = 1
    data: Any = None
    vars: dict[str, Any] = {}


class AnswerError(Part, frozen=True, kw_only=True):
    """The `error` of an answer (docs/http-api.md, 2), or of a called flow that has stopped."""

    name: Annotated[str, Meta(min_length=1, max_length=MAX_ERROR_NAME_CHARACTERS)]
    cause: str = ""


class Reply(Part, frozen=True, kw_only=True):
    """What an action or a person answers: a state, or how the delivery fails.

    when: only if the args contain these values. times: the number of calls that get it; then the next reply is used.
    after: how long the answer takes; one that comes after the step has ended moves nothing (`ignored`). again: how much
    later the same answer comes once more. by_token: it names the activation by `$step.token` alone. error: why the
    action returned the state (`{name, cause}`), or the text of a delivery that fails. An action that does not declare
    ERROR answers it with an error, by default of the name `Error`; TIMEOUT that is not declared is no answer. fail:
    `refused` (no connection), an HTTP status (after 408, 425, 429 and 5xx the delivery is repeated, any other is
    final), or `timeout` (the action accepts the work and never answers). status (200 if left out), headers, body: what
    an action with `callback = none` answers; `state` is answered with a status that leads to it.
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
    again: Span | None = None
    by_token: bool = False
    progress: list[Progress] = []
    fail: Literal["refused", "timeout"] | Annotated[int, Meta(ge=300, le=599)] | None = None
    error: str | AnswerError = ""
    retry_after: Span = "0s"


class FlowReply(Part, frozen=True, kw_only=True):
    """How a called flow ends that the test does not run: with an output, or stopped with an error: its cause, or
    `{name, cause}`."""

    when: dict[str, Any] = {}
    times: Annotated[int, Meta(ge=1)] = 1
    output: Any = None
    stopped: str | AnswerError | None = None
    after: Span = "0s"


class HookReply(Part, frozen=True, kw_only=True):
    """How a hook answers a notification: it accepts, or fails like a delivery to an action."""

    times: Annotated[int, Meta(ge=1)] = 1
    fail: Literal["refused"] | Annotated[int, Meta(ge=300, le=599)] | None = None
    retry_after: Span = "0s"


Replies: TypeAlias = str | Reply | list[str | Reply]
"""A state, a reply, or a list of them: one for each call, of which the last is repeated."""


class Signal(Part, frozen=True, kw_only=True):
    """An event, published `at` this time after the start. With `to_run` it is a signal for the tested run only, with
    `run` one for the run of that name."""

    at: Span = "0s"
    name: str
    key: str | int | float = ""
    data: Any = None
    ttl: Span = "24h"
    to_run: bool = False
    run: str | None = None


class CommandName(StrEnum):
    PAUSE = "pause"
    CONTINUE = "continue"
    STOP = "stop"
    RETRY = "retry"
    VARS = "vars"


class Command(Part, frozen=True, kw_only=True):
    """A command of an operator, `at` this time after the start. `step` belongs to retry, and so does `undo: true` (to
    repeat the undos that failed); `reason` to stop; `vars` (to set) and `remove` (names of variables) to vars. `run` is
    the name of the run; by default the tested one."""

    at: Span
    order: CommandName
    run: str | None = None
    step: str | None = None
    undo: bool = False
    reason: str = ""
    vars: dict[str, Any] = {}
    remove: list[str] = []


class OtherRun(Part, frozen=True, kw_only=True):
    """One of several runs of a test: started `at` this time, with expectations of its own.

    refused: a regular expression; the start is refused with a message that contains it. Where it is left out, the run
    must start.
    """

    name: Annotated[str, Meta(min_length=1)]
    at: Span = "0s"
    flow: str | None = None
    input: Any = {}
    labels: dict[str, Any] = {}
    refused: str | None = None
    expect: Expect = Expect()


class Case(Part, frozen=True, kw_only=True):
    """One test: a run, what happens around it, and what is expected.

    runs: several runs instead of one; then `expect` is about all of them, and each has expectations of its own. until:
    check the run at this time, even if it has not ended. limit: a run that has not ended by then fails the test.
    schedule: let this schedule start runs until `until`; the last of them is checked.
    """

    name: str
    flow: str | None = None
    run: str | None = None
    schedule: str | None = None
    start: str | None = None
    input: Any = {}
    labels: dict[str, Any] = {}
    runs: list[OtherRun] = []
    actions: dict[str, Replies] = {}
    steps: dict[str, Replies] = {}
    approvals: dict[str, Replies] = {}
    flows: dict[str, FlowReply | list[FlowReply]] = {}
    hooks: dict[str, HookReply | list[HookReply]] = {}
    secrets: dict[str, str] = {}
    config: dict[str, Any] = {}
    events: list[Signal] = []
    orders: list[Command] = []
    until: Span | None = None
    limit: Span = "400d"
    expect: Expect | msgspec.UnsetType = msgspec.UNSET

    @property
    def wanted(self) -> Expect:
        """What is expected of the test as a whole."""
        return self.expect if isinstance(self.expect, Expect) else Expect()


class TestFile(Part, frozen=True, kw_only=True):
    """Tests of a program. The fields next to `tests` apply to every test that does not set them itself.

    actions: what actions answer, by name. steps: the same by step, or by `flow.Step`; it overrides actions. approvals:
    what a person answers before a dispatch, by step or action: APPROVE or REJECT. flows: called flows that are not run.
    hooks: how hooks answer, by name; by default they accept.
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
    hooks: dict[str, HookReply | list[HookReply]] = {}
    secrets: dict[str, str] = {}
    config: dict[str, Any] = {}
    tests: Annotated[list[Case], Meta(min_length=1)]


def replies(given: Replies) -> list[Reply]:
    """Return the replies as a list."""
    return [
        Reply(state=one) if isinstance(one, str) else one for one in (given if isinstance(given, list) else [given])
    ]


def as_list(given: _T | list[_T]) -> list[_T]:
    """Return the replies of a flow or a hook as a list."""
    return given if isinstance(given, list) else [given]


def schema() -> Json:
    """Return the format as JSON Schema."""
    made = msgspec.json.schema(TestFile)
    for part in made["$defs"].values():
        if "description" in part:
            part["description"] = inspect.cleandoc(part["description"])
    return {"$schema": SCHEMA_ID, "title": "FSL test file", **made}
