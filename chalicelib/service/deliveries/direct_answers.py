"""What the reply to a direct call (`callback = none`) means: an answer, that the work goes on, or a failure.

2xx, or a status that a state names ──> Answered
202 with Location ───────────────────> Pending: asked again there, until it is no 202
408, 425, 429, 5xx ──────────────────> NotTaken, delivered again
any other status ────────────────────> NotTaken, final: the step returns ERROR, named Refused
"""

from __future__ import annotations

import codecs
from collections.abc import Mapping
from dataclasses import dataclass, field
from email.message import Message
from typing import Final, TypeAlias
from urllib.parse import urljoin, urlsplit

import msgspec

from chalicelib.engine.values.secret_values import is_posing
from chalicelib.model.actions import Action, Method
from chalicelib.model.flow import ERROR
from chalicelib.model.json_values import Json, is_shallow
from chalicelib.model.run_error import ErrorName, StepError
from chalicelib.model.times import Milliseconds
from chalicelib.service.ports.actions import (
    MAX_ANSWER_BYTES,
    NotTaken,
    Raised,
    Response,
    Returned,
    Unfinished,
    brief_refusal,
)

MAX_EXCERPT_CHARS: Final = 1000
"""The part of the body of a failure that is stored in its message."""

MAX_HEADER_CHARS: Final = 1024
"""The longest value of a header in `$response`; longer ones are cut off."""

MAX_HEADERS_CHARS: Final = 8192
"""All headers of `$response`; those that have no room are left out."""

MAX_LOCATION_CHARS: Final = 2048

DEFAULT_LOOK_MS: Final[Milliseconds] = 5_000
"""When a 202 without Retry-After is asked again."""

MIN_LOOK_S: Final = 1
"""The shortest pause before a 202 is asked again."""

RETRIED_STATUSES: Final = frozenset({408, 425, 429, *range(500, 600)})
"""Statuses after which a delivery is repeated, unless a state names them."""

_UNREAD: Final = 202
_TEXT_ENCODINGS: Final = frozenset({"utf-8", "ascii", "iso8859-1", "iso8859-15", "cp1252", "utf-16"})


@dataclass(frozen=True, slots=True)
class Answered:
    """The step is answered with this state."""

    state: str
    data: Json = None
    response: dict[str, Json] | None = None
    error: StepError | None = None
    too_large: str = ""
    address: str = field(default="", compare=False)
    """The address that answered, if there are several."""


@dataclass(frozen=True, slots=True)
class Pending:
    """The work goes on: the location is asked after `wait` milliseconds."""

    location: str
    wait: Milliseconds
    address: str = field(default="", compare=False)


DirectAnswer: TypeAlias = Answered | Pending | NotTaken


def answer_of(
    reply: Response | Returned | Raised | Unfinished, action: Action, address: str, shown: str, *, is_look: bool = False
) -> DirectAnswer:
    """Return what the reply of `address` means. Messages show the address as `shown`, without the args in it.

    `is_look`: the address is where a 202 has sent us to.
    """
    match reply:
        case Response():
            return _http_answer(reply, action, address, shown, is_look=is_look)
        case Unfinished():
            return Pending(reply.location, max(reply.wait, MIN_LOOK_S * 1_000))
        case Returned():
            return Answered(action.success_state, reply.value, too_large=reply.too_large)
        case Raised():
            return Answered(ERROR, error=StepError(reply.name, reply.cause, data=reply.data))


def _http_answer(reply: Response, action: Action, address: str, shown: str, *, is_look: bool) -> DirectAnswer:
    state = action.state_on(reply.status)
    is_named = any(reply.status in statuses for statuses in action.statuses.values())
    if reply.status == _UNREAD and not is_named and ("location" in reply.headers or is_look):
        return _pending(reply, action, address, shown)
    if state is None:
        return _failure(reply, shown)
    if reply.broken_off:
        return NotTaken.own(f"the answer of {shown} broke off before its end", final=False, status=reply.status)
    response = _response_value(reply)
    if len(reply.body) > MAX_ANSWER_BYTES:
        reason = f"the answer of {shown} is larger than {MAX_ANSWER_BYTES} bytes"
        return Answered(state, response=response, too_large=reason)
    return Answered(state, _data(reply), response)


def _pending(reply: Response, action: Action, address: str, shown: str) -> DirectAnswer:
    """Return where to ask again: a URL of the same kind as the address. A relative one is relative to the address.

    Without a Location, the address itself is asked again.
    """
    wanted = reply.headers.get("location", address)
    wait = DEFAULT_LOOK_MS if reply.retry_after is None else max(reply.retry_after, MIN_LOOK_S * 1_000)
    try:
        location = urljoin(address, wanted.strip()).partition("#")[0]
        parts = urlsplit(location)
        is_fit = bool(parts.hostname) and parts.username is None and parts.port != 0
    except ValueError:
        is_fit = False
    else:
        schemes = ("https",) if action.method is Method.HTTPS or address.startswith("https:") else ("http", "https")
        is_fit = is_fit and parts.scheme in schemes and len(location) <= MAX_LOCATION_CHARS
        is_fit = is_fit and location.isprintable() and " " not in location
    if is_fit:
        return Pending(location, wait)
    text = f"{shown} answered 202 with a Location that cannot be asked: {wanted[:MAX_EXCERPT_CHARS]}"
    return NotTaken(
        text,
        final=True,
        status=reply.status,
        name=ErrorName.REFUSED,
        response=_response_value(reply),
        brief=f"{shown} answered 202 with a Location that cannot be asked",
    )


def _failure(reply: Response, shown: str) -> NotTaken:
    text = f"{shown} answered {reply.status}"
    if 300 <= reply.status < 400 and "location" in reply.headers:
        text += f" and redirects to {reply.headers['location'][:MAX_EXCERPT_CHARS]}; redirects are not followed"
    is_whole = not reply.broken_off and len(reply.body) <= MAX_ANSWER_BYTES
    data = _data(reply) if is_whole and _is_json(reply) else None
    excerpt = reply.body.decode("utf-8", "replace").strip()[:MAX_EXCERPT_CHARS]
    if excerpt:
        text += f": {excerpt}"
    final = reply.status not in RETRIED_STATUSES
    return NotTaken(
        text,
        final=final,
        retry_after=0 if final else reply.retry_after or 0,
        status=reply.status,
        data=data,
        response=_response_value(reply),
        brief=brief_refusal(shown, reply.status, reply.headers.get("content-type", ""), len(reply.body)),
    )


def _response_value(reply: Response) -> dict[str, Json]:
    """Return what `$response` is."""
    headers: dict[str, Json] = {}
    left = MAX_HEADERS_CHARS
    for name, value in reply.headers.items():
        kept = value[:MAX_HEADER_CHARS]
        if len(name) + len(kept) <= left:
            headers[name] = kept
            left -= len(name) + len(kept)
    return {"status": reply.status, "headers": headers}


# ── bodies ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def _data(reply: Response) -> Json:
    """Return the body: null if it is empty, a JSON value if its media type says so, else text.

    A body that is not the JSON that it should be stays text, and so does one that is nested too deeply or looks like an
    encrypted secret: what the service did is answered all the same.
    """
    if not reply.body:
        return None
    if _is_json(reply):
        try:
            return json_in(reply.body) if reply.body.strip() else None
        except (ValueError, RecursionError):
            pass
    return reply.body.decode(_encoding(reply), "replace")


def json_in(body: bytes) -> Json:
    """Return the JSON value in a body. Raises ValueError or RecursionError for what a run cannot hold."""
    value = msgspec.json.decode(body.removeprefix(codecs.BOM_UTF8))
    if is_posing(value) or not is_shallow(value):
        raise ValueError("it is nested too deeply, or has a value in the form of an encrypted secret")
    return value


def _is_json(reply: Response) -> bool:
    kind = _media_type(reply.headers).get_content_type()
    return kind in ("application/json", "text/json") or kind.endswith("+json")


def _encoding(reply: Response) -> str:
    """Return the encoding of the text: UTF-8 unless the media type names another usual one."""
    try:
        found = codecs.lookup(_media_type(reply.headers).get_content_charset("utf-8")).name
    except (LookupError, ValueError):
        return "utf-8"
    return found if found in _TEXT_ENCODINGS else "utf-8"


def _media_type(headers: Mapping[str, str]) -> Message:
    message = Message()
    message["content-type"] = headers.get("content-type", "").replace("\r", " ").replace("\n", " ")
    return message
