"""What clients send, as types; and the reading of it. Whatever does not fit is Malformed, saying what and where.

Fields that are not known are let through: echoer's clients and newer ones send more than is needed.
"""

from __future__ import annotations

import re
from typing import Annotated, Final, TypeVar
from urllib.parse import unquote

import msgspec

from chalicelib.engine.secret_values import holds_secret
from chalicelib.engine.steps.waits import key_text
from chalicelib.model import times
from chalicelib.model.json_values import DEEPEST, Json, is_shallow, ready
from chalicelib.service.errors import Invalid, Malformed
from chalicelib.service.events.publish import DEFAULT_TTL_MS, MAX_TTL_MS
from chalicelib.service.runs.answer import Answer

LONGEST: Final = 1_024
"""Characters of a name, a key or a parameter. No name is as long; a store need not be asked for a longer one."""

NAME: Final = 128
"""Characters of a name that a request gives to something: a run, an event, an idempotency key."""

TOKEN_NAME: Final = 64

Name = Annotated[str, msgspec.Meta(min_length=1, max_length=NAME)]
Text = Annotated[str, msgspec.Meta(max_length=LONGEST)]
DURATION: Final = "^[0-9]{1,12}(ms|s|m|h|d)$"
"""A duration, for the contract; times.duration reads it."""
Duration = Annotated[str, msgspec.Meta(min_length=1, max_length=128, extra_json_schema={"pattern": DURATION})]
_NOT_NEGATIVE: Final = msgspec.Meta(extra_json_schema={"minimum": 0})
Ttl = (
    Annotated[str, msgspec.Meta(extra_json_schema={"pattern": DURATION})]
    | Annotated[int, _NOT_NEGATIVE]
    | Annotated[float, _NOT_NEGATIVE]
)


class _Body(msgspec.Struct, frozen=True, kw_only=True):
    """The JSON object in a request's body."""


class NoBody(_Body, frozen=True, kw_only=True):
    """Nothing needs to be said."""


class FslBody(_Body, frozen=True, kw_only=True):
    """`POST /action`, `/flow`, `/flowrun`, and `/fsl` as JSON."""

    data: str


class StartBody(_Body, frozen=True, kw_only=True):
    """`POST /flow/{name}/runs`."""

    input: dict[str, Json] = {}
    name: Name | None = None
    labels: dict[str, Json] = {}
    key: Name | None = None


class StopBody(_Body, frozen=True, kw_only=True):
    """`POST /flowrun/{name}/stop`."""

    reason: Text = ""


class RetryBody(_Body, frozen=True, kw_only=True):
    """`POST /flowrun/{name}/retry`."""

    step: Text | None = None


class SignalBody(_Body, frozen=True, kw_only=True):
    """`POST /event`. `ttl`: for how long runs that begin to wait get it too; a duration (`2h`), or seconds."""

    name: Name
    key: Text | int | float | bool = ""
    data: Json = None
    ttl: Ttl | None = None

    def key_text(self) -> str:
        """The key as runs ask for it: 7 and "7" are the same."""
        return key_text(self.key)

    def lifetime(self) -> int:
        """The ttl in milliseconds. Raises Malformed, Invalid."""
        if self.ttl is None:
            return DEFAULT_TTL_MS
        found = times.duration(self.ttl) if isinstance(self.ttl, str) else self.ttl * 1000
        if found is None or isinstance(self.ttl, bool) or not found >= 0:
            raise Malformed(f"`ttl` {_TTL_WORDS}")
        if found > MAX_TTL_MS:
            raise Invalid(f"`ttl` {_TTL_WORDS}")
        return int(found)


_TTL_WORDS: Final = "must be a duration such as 30s or 2h, or seconds, of at most 366 days"


class RunSignalBody(_Body, frozen=True, kw_only=True):
    """`POST /flowrun/{name}/signal`."""

    name: Name
    data: Json = None


class VarsBody(_Body, frozen=True, kw_only=True):
    """`POST /flowrun/{name}/vars`: the variables to change; null removes one."""

    vars: dict[str, Json]


class CommandBody(_Body, frozen=True, kw_only=True):
    """`POST /command`."""

    command: str


class AnswerBody(_Body, frozen=True, kw_only=True):
    """`POST /step`: what an action answers. Where `done` is true, `ackState` says how the step ended."""

    run: Text = msgspec.field(name="flowId")
    step: Text = msgspec.field(name="stepName")
    uuid: Text
    state: Text | None = msgspec.field(name="ackState", default=None)
    done: bool = False
    data: Json = None
    variables: dict[str, Json] | None = msgspec.field(name="globalVariables", default=None)

    def answer(self) -> Answer:
        """The answer. Raises Malformed where a final one names no state."""
        if self.done and not self.state:
            raise Malformed("`ackState` must be a string that is not empty, since `done` is true")
        return Answer(
            run=self.run,
            step=self.step,
            uuid=self.uuid,
            state=self.state or "",
            done=self.done,
            data=self.data,
            variables=self.variables or {},
        )


ready(NoBody, FslBody, StartBody, StopBody, RetryBody, SignalBody, RunSignalBody, VarsBody, CommandBody, AnswerBody)


# ── bodies ───────────────────────────────────────────────────────────────────────────────────────────────────────────

_B = TypeVar("_B", bound=_Body)

_TYPES: Final = {
    "str": "a string",
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "object": "an object",
    "array": "a list",
    "null": "null",
}
_PLACE: Final = re.compile(r"^(?P<what>.*?)(?: - at `\$\.?(?P<place>.*)`)?$", re.DOTALL)
_EXPECTED: Final = re.compile(r"Expected `(?P<type>[^`]+)`(?:, got `(?P<got>\w+)`| (?P<bound>.+))")
_MISSING: Final = re.compile(r"Object missing required field `(?P<field>[^`]+)`")


def text_of(body: bytes) -> str:
    """The body as text. Raises Malformed if it is not UTF-8."""
    try:
        return body.decode()
    except UnicodeDecodeError as exc:
        raise Malformed(f"the body is not UTF-8: byte {exc.start} cannot stand there") from exc


def read(body: bytes, kind: type[_B]) -> _B:
    """The JSON object in the body, which must not be missing. Raises Malformed."""
    text = text_of(body)
    if not text.strip():
        raise Malformed("the body is empty; it must be a JSON object")
    try:
        value = msgspec.json.decode(text)
    except msgspec.DecodeError as exc:
        raise Malformed(f"the body is no JSON: {exc}") from exc
    except RecursionError as exc:
        raise Malformed(f"the body is nested more than {DEEPEST} deep") from exc
    if not is_shallow(value):
        raise Malformed(f"the body is nested more than {DEEPEST} deep")
    if b"\\u0000" in body and holds_secret(value):
        raise Malformed("a value in the body has the form in which secrets are kept")
    try:
        return msgspec.convert(value, kind)
    except msgspec.ValidationError as exc:
        raise Malformed(_told(str(exc))) from exc


def read_optional(body: bytes, kind: type[_B]) -> _B:
    """The same, where no body at all means an empty object."""
    return read(body if body.strip() else b"{}", kind)


def name_of(part: str) -> str:
    """The name in a part of a path. Raises Malformed if it is too long to be one."""
    if len(name := unquote(part)) > LONGEST:
        raise Malformed(f"a name in the path is longer than {LONGEST} characters")
    return name


def fsl_of(body: bytes) -> str:
    """The FSL document in the body: as plain text, or in `{"data": ...}`. No document begins with a brace."""
    text = text_of(body)
    return read(body, FslBody).data if text.lstrip().startswith("{") else text


def _told(message: str) -> str:
    """msgspec's message in our words."""
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
    if expected["bound"]:
        return f"{field} must be {wanted} {expected['bound']}"
    return f"{field} must be {wanted}, not {_TYPES.get(expected['got'], expected['got'])}"
