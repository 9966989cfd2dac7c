"""Types that several responses share, and the error response."""

from typing import Annotated, Literal, TypedDict

from msgspec import Meta

from chalicelib.model.json_values import Json

Moment = Annotated[str, Meta(description="RFC 3339, UTC, with milliseconds", extra_json_schema={"format": "date-time"})]
Count = Annotated[int, Meta(ge=0)]
Small = Annotated[int, Meta(ge=0, le=255)]
Number = Annotated[int, Meta(ge=1)]


class Metadata(TypedDict):
    """The identity of a resource. The version of a run or a step increases with each transition."""

    name: str
    kind: Literal["action", "flow", "flowrun", "step", "event", "eventtype", "config", "schedule", "hook"]
    namespace: str
    version: Count
    uuid: str
    labels: dict[str, Json]


class Diagnostic(TypedDict):
    """A problem at a place in an FSL text. Lines and columns count from 1; the end is exclusive.

    `hidden` is 0, but in the last of too many: there it is the number of problems that are not shown.
    """

    severity: Literal["error", "warning"]
    code: Annotated[str, Meta(pattern="^FSL[0-9]{3}$")]
    slug: str
    message: str
    line: Number
    column: Number
    end_line: Number
    end_column: Number
    hint: str | None
    hidden: Count


class Problem(TypedDict):
    """What went wrong: `code` for programs, `detail` for people."""

    code: str
    detail: str


class InvalidField(TypedDict):
    """A value that does not fit its declaration: where it is (`data.order`), and what is wrong."""

    path: str
    problem: str


class _TokenFit(TypedDict):
    token: str
    step: str
    to: str
    fits: bool


class TokenFit(_TokenFit, total=False):
    """What another version of its flow means for a token of a run: the step at which it would be, and `why` not."""

    why: str


class FoundVersion(TypedDict):
    """The newest version of a definition, and who submitted it when; version 0 and null if it is not defined."""

    kind: str
    name: str
    version: Count
    by: str
    at: Moment | None


class Detail(Problem, total=False):
    """What went wrong: `code` for programs, `detail` for people. For FSL texts, `diagnostics` lists every problem, for
    inputs and the data of declared events `fields`, for a run that cannot move to a version `tokens` and other
    `problems`, for definitions that have changed (`expect`) `found`. For unexpected errors, `request_id` identifies the
    entries in the server's log."""

    diagnostics: list[Diagnostic]
    fields: list[InvalidField]
    tokens: list[TokenFit]
    problems: list[str]
    found: list[FoundVersion]
    request_id: str


class AslProblem(TypedDict):
    """What of a flow AWS Step Functions has not (`error`), does differently (`warning`), or needs to be known (`note`).

    `pointer` is a JSON pointer into the flow as JSON (`fsl export`); `line` counts from 1 in its text. `step` is empty
    if the problem is not one of a step.
    """

    level: Literal["error", "warning", "note"]
    message: str
    pointer: str
    step: str
    line: Number


class _Error(TypedDict):
    message: str
    error: Detail


class Error(_Error, total=False):
    """The body of every error response. A flow that cannot be expressed in Amazon States Language has `problems`."""

    problems: list[AslProblem]
