"""Reading of request bodies and of names in paths. What does not match its type raises `Malformed`, which names the
field and the expected type.
"""

from __future__ import annotations

import codecs
import re
from functools import partial
from typing import Annotated, Final, TypeVar
from urllib.parse import unquote

import msgspec

from chalicelib.engine.values.secret_values import is_posing
from chalicelib.model import times
from chalicelib.model.json_values import DEEPEST, Json, is_shallow
from chalicelib.service.errors import Malformed

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
_UNKNOWN: Final = re.compile(
    r"Object contains unknown field `(?P<field>.*)`|Invalid enum value '?(?P<word>.*?)'?$", re.S
)
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


def checked(value: Json, kind: type[_B], within: str = "") -> _B:
    """Return the JSON value as an object of that type. Raises Malformed, which shows places below `within`."""
    try:
        return msgspec.convert(value, kind)
    except msgspec.ValidationError as exc:
        raise Malformed(_message(str(exc), kind, within)) from exc


def read_optional(body: bytes, kind: type[_B]) -> _B:
    """Read the JSON object in the body; a missing body counts as an empty object. Raises Malformed."""
    return read(body if body.removeprefix(codecs.BOM_UTF8).strip() else b"{}", kind)


def name_of(part: str, limit: int = MAX_TEXT_CHARACTERS) -> str:
    """Return the name in a part of a path. Raises Malformed if it has more than `limit` characters."""
    if len(name := unquote(part)) > limit:
        raise Malformed(f"a name in the path has {len(name)} characters; the limit is {limit}")
    return name


def _too_deep() -> str:
    return f"the body is nested too deeply; the limit is {DEEPEST} levels"


def _message(message: str, kind: type, within: str) -> str:
    """Return the message of a validation error of msgspec for a body of that type in the words of this API."""
    parts = _PLACE.match(message)
    what, own = (parts["what"], parts["place"] or "") if parts else (message, "")
    place = ".".join(filter(None, (within, own)))
    field = f"`{place}`" if place else "the body"
    missing = _MISSING.match(what)
    if missing:
        inside = f"{place}." if place else ""
        return f"`{inside}{missing['field']}` is missing"
    if unknown := _UNKNOWN.match(what):
        advice, inside = _advice(kind, own, unknown), f"{place}." if place else ""
        if unknown["field"] is None:
            return f"{field} cannot be {unknown['word']!r:.60}{advice}"
        return f"unknown field `{inside}{unknown['field']:.60}`{advice}"
    expected = _EXPECTED.match(what)
    if not expected:
        return f"{field}: {what}"
    wanted = " or ".join(_TYPES.get(name, name) for name in expected["type"].split(" | "))
    wanted = wanted.replace("true or false or ", "true, false or ")
    if expected["bound"]:
        return f"{field} must be {wanted} {_LENGTH.sub(partial(_length, expected['type']), expected['bound'])}"
    return f"{field} must be {wanted}, not {_TYPES.get(expected['got'], expected['got'])}"


def _advice(kind: type, place: str, unknown: re.Match[str]) -> str:
    """Return the rest of a message about an unknown field or word at that place in a body of that type."""
    from chalicelib.entrypoints.http.known_words import advice_on_field, advice_on_word

    if unknown["field"] is not None:
        return advice_on_field(kind, place, unknown["field"])
    return advice_on_word(kind, place, unknown["word"])


def _length(kind: str, bound: re.Match[str]) -> str:
    """Return a bound of the length of a text, a list or an object in words."""
    count, sign = int(bound["count"]), "at least" if bound["sign"] == ">" else "at most"
    one, several = ("character", "characters") if kind.startswith("str") else ("entry", "entries")
    return f"of {sign} {count} {one if count == 1 else several}"
