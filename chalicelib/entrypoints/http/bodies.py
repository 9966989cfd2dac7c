"""Request bodies: their types, and the functions that read them. A body that does not match its type raises
`Malformed`, which names the field and the expected type.

Fields that a call does not know are refused before (`strict`), but for the calls of the original echoer.
"""

from __future__ import annotations

import codecs
import re
from functools import partial
from typing import Annotated, Final, Literal, TypeVar
from urllib.parse import unquote

import msgspec

from chalicelib.engine.values.secret_values import is_posing
from chalicelib.engine.values.texts import key_text
from chalicelib.entrypoints.http.echoer_types import event_data
from chalicelib.model import times
from chalicelib.model.json_values import DEEPEST, Json, is_shallow, ready
from chalicelib.model.times import Instant
from chalicelib.service.batches.operator import DEFAULT_RATE
from chalicelib.service.errors import Invalid, Malformed
from chalicelib.service.events.publish import DEFAULT_TTL_MS, MAX_TTL_MS
from chalicelib.service.runs.answer import Answer, AnswerError

MAX_TEXT_CHARACTERS: Final = 1_024
"""Characters of a name in a path, a key, a reason or a parameter."""

MAX_NAME_CHARACTERS: Final = 128
"""Characters of a new name: of a run, an event or an idempotency key."""

MAX_EVENT_ID_CHARACTERS: Final = 2 * MAX_TEXT_CHARACTERS + 16
"""Characters of the id of an event: room for the source and the id of a CloudEvent."""

MAX_TOKEN_NAME_CHARACTERS: Final = 64

Name = Annotated[str, msgspec.Meta(min_length=1, max_length=MAX_NAME_CHARACTERS)]
EventId = Annotated[str, msgspec.Meta(min_length=1, max_length=MAX_EVENT_ID_CHARACTERS)]
Text = Annotated[str, msgspec.Meta(max_length=MAX_TEXT_CHARACTERS)]
Moment = Annotated[str, msgspec.Meta(max_length=MAX_TEXT_CHARACTERS, extra_json_schema={"format": "date-time"})]
_UNITS: Final = "".join(f"([0-9]{{1,12}}{unit})?" for unit in times.UNIT_MS)
DURATION: Final = f"^([0-9]{{1,12}}\\.[0-9]{{1,12}}({'|'.join(times.UNIT_MS)})|{_UNITS})$"
"""The pattern of a duration in the OpenAPI document; `times.duration` reads it."""
Duration = Annotated[str, msgspec.Meta(min_length=1, max_length=128, extra_json_schema={"pattern": DURATION})]
_NOT_NEGATIVE: Final = msgspec.Meta(extra_json_schema={"minimum": 0})
Ttl = (
    Annotated[str, msgspec.Meta(extra_json_schema={"pattern": DURATION, "minLength": 1})]
    | Annotated[int, _NOT_NEGATIVE]
    | Annotated[float, _NOT_NEGATIVE]
)


Labels = Annotated[dict[str, Json], msgspec.Meta(extra_json_schema={"propertyNames": {"pattern": "^[^:]*$"}})]
"""Labels of a run. A colon separates name and value in the query of a list, so a name has none."""


class NoBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """No field is required."""


class FslBody(msgspec.Struct, frozen=True, kw_only=True):
    """An FSL text."""

    data: str


class StartBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The input of the new run: an object with the inputs of the flow, or any value if the flow takes one. `name`
    defaults to a generated name; `key` makes the request idempotent. Before `start_at`, an RFC 3339 time, the run is
    `pending`."""

    input: Json = {}
    name: Name | None = None
    labels: Labels = {}
    key: Name | None = None
    start_at: Moment | None = None

    def start_moment(self) -> Instant | None:
        """Return when the run starts; None: at once. Raises Malformed."""
        return None if self.start_at is None else moment_of("start_at", self.start_at)


class StopBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Why the run is stopped. The reason is recorded in the run's history."""

    reason: Text = ""


FlowVersion = Literal["latest"] | Annotated[int, msgspec.Meta(ge=1, le=10**9)]
"""A version of a flow: its number, or `latest`."""


class RetryBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where and how the run continues. `step` is by default the step where it stopped; a run whose work was undone
    needs one. `token` says which token continues at `step`, if several can: those of branches and items can, too.
    `version` is the version of its flow with which it continues. `input` has the fields of its input that change, or is
    the whole input of a flow that takes one value; `vars` has the variables to set. `reason` is recorded. `undo`: true
    only repeats the undos that failed, and excludes all others but `reason`."""

    step: Text | None = None
    token: Text | None = None
    version: FlowVersion | None = None
    input: Json | msgspec.UnsetType = msgspec.UNSET
    vars: dict[str, Json] = {}
    undo: bool = False
    reason: Text = ""


class MigrateBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The version to which the run moves. `steps` maps names of steps to their names in that version, where these
    differ. `dry_run`: true changes nothing. `reason` is recorded."""

    version: FlowVersion
    steps: dict[str, Text] = {}
    dry_run: bool = False
    reason: Text = ""


class GotoBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The step that a token enters. `token` says which token, if several can enter it. `reason` is recorded."""

    step: Text
    token: Text | None = None
    reason: Text = ""


class BatchBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A command over many runs. `select` has filters of `GET /flowrun`, or `names`; `with` the fields of the command's
    own call; `rate` is how many runs per second it commands at most. `dry_run`: nothing is done."""

    select: dict[str, Json]
    command: Literal["retry", "pause", "continue", "stop", "delete", "migrate", "signal"] = msgspec.field(name="do")
    args: dict[str, Json] = msgspec.field(name="with", default={})
    dry_run: bool = False
    rate: Annotated[float, msgspec.Meta(gt=0, le=1_000)] = DEFAULT_RATE


class SignalBody(msgspec.Struct, frozen=True, kw_only=True):
    """An event. `ttl` says how long runs that start to wait later can still receive it: a duration such as `2h`, or
    seconds. It defaults to 24 hours. The same `id` is the same event: sent again within 24 hours, or within the `ttl`,
    it is not published twice."""

    name: Name
    key: Text | int | float | bool = ""
    data: Json = None
    ttl: Ttl | None = None
    id: EventId | None = None

    def key_text(self) -> str:
        """Return the key as runs compare it: 7 and "7" are the same."""
        return key_text(self.key)

    def lifetime_ms(self) -> int:
        """Return the ttl in milliseconds. Raises Malformed, Invalid."""
        if self.ttl is None:
            return DEFAULT_TTL_MS
        found = times.duration(self.ttl) if isinstance(self.ttl, str) else self.ttl * 1000
        if found is None or isinstance(self.ttl, bool) or not found >= 0:
            raise Malformed(f"`ttl` must be a duration such as 30s or 2h, or seconds; not {self.ttl!r:.60}")
        if found > MAX_TTL_MS:
            raise Invalid(f"`ttl` must be at most 366 days, not {self.ttl!r:.60}")
        return int(found)


class EchoerMetadata(msgspec.Struct, frozen=True, kw_only=True):
    """The metadata of an event in the form of the original echoer."""

    name: Annotated[str, msgspec.Meta(max_length=MAX_NAME_CHARACTERS)] = ""


class EchoerEventBody(msgspec.Struct, frozen=True, kw_only=True):
    """An event in the form of the original echoer. Its name is `metadata.name` or, if that is empty, `message`; its
    data has the other three fields."""

    metadata: EchoerMetadata
    event_type: Annotated[float, msgspec.Meta(ge=0, le=2**31 - 1, multiple_of=1)] = 0
    message: str = ""
    object: dict[str, Json] | None = None

    def as_signal(self) -> SignalBody:
        """Return the event in Echoer's own form. Raises Malformed if it has no valid name."""
        name = self.metadata.name or self.message
        if not 0 < len(name) <= MAX_NAME_CHARACTERS:
            raise Malformed(
                f"the event needs a name of 1 to {MAX_NAME_CHARACTERS} characters in `metadata.name` or `message`"
            )
        return SignalBody(name=name, data=event_data(int(self.event_type), self.message, self.object or {}))


class RunSignalBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An event for one run."""

    name: Name
    data: Json = None


class VarsBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The variables to set, and the names of variables to remove. null is a value like any other."""

    vars: dict[str, Json] = {}
    remove: list[str] = []


class LabelsBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The labels to set, and the names of labels to remove."""

    set: Labels = {}
    remove: list[str] = []


class BackfillBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The first and the last slot to run: RFC 3339 times, both inclusive."""

    since: Moment = msgspec.field(name="from")
    until: Moment = msgspec.field(name="to")

    def range(self) -> tuple[Instant, Instant]:
        """Return the times. Raises Malformed."""
        return moment_of("from", self.since), moment_of("to", self.until)


def moment_of(name: str, text: str) -> Instant:
    """Return the time in a field. Raises Malformed, which names the field."""
    found = times.instant(text)
    if found is None:
        raise Malformed(f"`{name}` must be an RFC 3339 time such as 2026-01-31T12:00:00Z, not {text!r:.60}")
    return found


class CommandBody(msgspec.Struct, frozen=True, kw_only=True):
    """A command of the terminal, or FSL statements."""

    command: str


class AnswerBody(Answer, frozen=True, kw_only=True):
    """The answer of an action. With `ackState` the answer is final unless `done` is false; then it reports progress.
    `error` says why the action returned the state."""

    run: Text = msgspec.field(name="flowId")
    step: Text = msgspec.field(name="stepName")
    uuid: Text
    state: Text | None = msgspec.field(name="ackState", default=None)
    variables: dict[str, Json] | None = msgspec.field(name="globalVariables", default=None)


class TokenAnswerBody(msgspec.Struct, frozen=True, kw_only=True):
    """The answer of an action to the step of the token in the path. Otherwise as in `POST /step`."""

    state: Text | None = msgspec.field(name="ackState", default=None)
    done: bool | None = None
    data: Json = None
    variables: dict[str, Json] | None = msgspec.field(name="globalVariables", default=None)
    error: AnswerError | None = None

    def as_answer(self) -> Answer:
        """Return the answer, without the names that the token names."""
        return Answer(
            run="",
            step="",
            uuid="",
            state=self.state,
            done=self.done,
            data=self.data,
            variables=self.variables,
            error=self.error,
        )


class SdkBody(msgspec.Struct, frozen=True, kw_only=True):
    """What AWS's SDK sends with SendTaskSuccess (`output`), SendTaskFailure and SendTaskHeartbeat."""

    token: str = msgspec.field(name="taskToken")
    output: str | None = None
    error: str | None = None
    cause: str | None = None


ready(
    EchoerEventBody,
    NoBody,
    FslBody,
    StartBody,
    StopBody,
    RetryBody,
    MigrateBody,
    GotoBody,
    SignalBody,
    RunSignalBody,
    VarsBody,
    BackfillBody,
    CommandBody,
    BatchBody,
    AnswerBody,
    TokenAnswerBody,
    SdkBody,
)


# ── reading ──────────────────────────────────────────────────────────────────────────────────────────────────────────

_B = TypeVar("_B", bound=msgspec.Struct)

_TYPES: Final = {
    "str": "a string",
    "int": "an integer",
    "float": "a number",
    "bool": "true or false",
    "object": "an object",
    "array": "a list",
    "null": "null",
}
_PLACE: Final = re.compile(r"^(?P<what>.*?)(?: - at `\$\.?(?P<place>.*)`)?$", re.DOTALL)
_EXPECTED: Final = re.compile(r"Expected `(?P<type>[^`]+)`(?:, got `(?P<got>\w+)`| (?P<bound>.+))")
_LENGTH: Final = re.compile(r"of length (?P<sign>[<>])= (?P<count>\d+)")
_MISSING: Final = re.compile(r"Object missing required field `(?P<field>[^`]+)`")


def text_of(body: bytes) -> str:
    """Return the body as text, without a byte order mark. Raises Malformed if it is not UTF-8."""
    try:
        return body.removeprefix(codecs.BOM_UTF8).decode()
    except UnicodeDecodeError as exc:
        raise Malformed(f"the body must be UTF-8; byte {exc.start} is not valid") from exc


def read(body: bytes, kind: type[_B]) -> _B:
    """Read the JSON object in the body. Raises Malformed."""
    if not text_of(body).strip():
        raise Malformed("the body is empty; it must be a JSON object")
    return checked(json_of(body), kind)


def json_of(body: bytes) -> Json:
    """Return the JSON value in the body. Raises Malformed."""
    text = text_of(body)
    try:
        value = msgspec.json.decode(text)
    except msgspec.DecodeError as exc:
        raise Malformed(f"the body is not JSON: {exc}") from exc
    except RecursionError as exc:
        raise Malformed(_too_deep()) from exc
    if not is_shallow(value):
        raise Malformed(_too_deep())
    if b"\\u0000" in body and is_posing(value):
        raise Malformed("the body has a value in the form of an encrypted secret; send secrets as plain text")
    return value


def checked(value: Json, kind: type[_B]) -> _B:
    """Return the JSON value as an object of that type. Raises Malformed."""
    try:
        return msgspec.convert(value, kind)
    except msgspec.ValidationError as exc:
        raise Malformed(_message(str(exc))) from exc


def read_optional(body: bytes, kind: type[_B]) -> _B:
    """Read the JSON object in the body; a missing body counts as an empty object. Raises Malformed."""
    return read(body if body.removeprefix(codecs.BOM_UTF8).strip() else b"{}", kind)


def event_of(body: bytes) -> SignalBody:
    """Return the event in the body. The form of the original echoer has `metadata`, and no `name`. Raises Malformed."""
    form = read(body, _EventForm)
    if form.name is None and form.metadata is not None:
        return read(body, EchoerEventBody).as_signal()
    return read(body, SignalBody)


class _EventForm(msgspec.Struct, frozen=True):
    name: Json = None
    metadata: Json = None


def name_of(part: str, limit: int = MAX_TEXT_CHARACTERS) -> str:
    """Return the name in a part of a path. Raises Malformed if it has more than `limit` characters."""
    if len(name := unquote(part)) > limit:
        raise Malformed(f"a name in the path has {len(name)} characters; the limit is {limit}")
    return name


def fsl_of(body: bytes) -> str:
    """Return the FSL text in the body: plain text or `{"data": ...}`. No FSL text begins with a brace."""
    text = text_of(body)
    return read(body, FslBody).data if text.lstrip().startswith("{") else text


def _too_deep() -> str:
    return f"the body is nested too deeply; the limit is {DEEPEST} levels"


def _message(message: str) -> str:
    """Return the message of a validation error of msgspec in the words of this API."""
    parts = _PLACE.match(message)
    what, place = (parts["what"], parts["place"] or "") if parts else (message, "")
    field = f"`{place}`" if place else "the body"
    missing = _MISSING.match(what)
    if missing:
        inside = f"{place}." if place else ""
        return f"`{inside}{missing['field']}` is missing"
    expected = _EXPECTED.match(what)
    if not expected:
        return f"{field}: {what}"
    wanted = " or ".join(_TYPES.get(name, name) for name in expected["type"].split(" | "))
    wanted = wanted.replace("true or false or ", "true, false or ")
    if expected["bound"]:
        return f"{field} must be {wanted} {_LENGTH.sub(partial(_length, expected['type']), expected['bound'])}"
    return f"{field} must be {wanted}, not {_TYPES.get(expected['got'], expected['got'])}"


def _length(kind: str, bound: re.Match[str]) -> str:
    """Return a bound of the length of a text, a list or an object in words."""
    count, sign = int(bound["count"]), "at least" if bound["sign"] == ">" else "at most"
    one, several = ("character", "characters") if kind.startswith("str") else ("entry", "entries")
    return f"of {sign} {count} {one if count == 1 else several}"
