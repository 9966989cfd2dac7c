"""The port that calls actions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Protocol, TypeAlias

import msgspec

from chalicelib.model.actions import REPLY_TIMEOUT_S, Method, Verb
from chalicelib.model.json_values import Json
from chalicelib.model.times import Milliseconds

MAX_ANSWER_BYTES: Final = 256 * 1024
"""The largest answer of an action that is read."""

USUAL_MEDIA_TYPES: Final = frozenset(
    {
        "application/json",
        "application/problem+json",
        "application/xml",
        "text/html",
        "text/plain",
        "text/xml",
    }
)
"""The media types that are named in errors of requests that held secrets."""


class Call(msgspec.Struct, frozen=True):
    """One delivery of `body` by `method`, to the first of `addresses` that can be reached."""

    addresses: tuple[str, ...]
    body: bytes
    headers: dict[str, str] = msgspec.field(default_factory=dict)
    ca_bundle: str | None = None
    """The only trusted certificates, as a PEM bundle in base64; None: the default ones."""
    method: Method = Method.HTTP
    verb: Verb = Verb.POST
    content_type: str = "application/json"
    """The media type of the body; empty if the request has no body."""
    direct: bool = False
    """Whether what the request returns is the answer: it is returned as it is, as a Response, Returned or Raised."""
    timeout: Milliseconds = REPLY_TIMEOUT_S * 1_000
    """How long the request may take for each address."""
    shown: str = ""
    """How messages show the address of a direct call, without the args in it; empty: as it is."""
    run: str = ""
    """The run that the call is for. It is not sent, and neither is the uuid."""
    uuid: str = ""
    namespace: str = ""
    role: str = ""
    """The ARN of the role under which an operation of AWS is called; empty: Echoer's own."""


@dataclass(frozen=True, slots=True)
class Taken:
    """The service accepted the delivery. `answer` is the JSON object in its 2xx body, if there was one."""

    answer: dict[str, Json] | None = None
    problem: str = ""
    """Why the body could not be read, if it looked like an answer."""
    status: int | None = field(default=None, compare=False)
    """The HTTP status."""
    address: str = field(default="", compare=False)
    """The address that accepted it, if there are several."""


@dataclass(frozen=True, slots=True)
class NotTaken:
    """The delivery failed. `final`: retrying is useless. `retry_after`: milliseconds that the service asked to wait."""

    error: str
    final: bool
    retry_after: int = 0
    status: int | None = None
    """The HTTP status that it answered with."""
    name: str = ""
    """The name of the error; empty for the usual one: Refused with a final status, otherwise Undeliverable."""
    data: Json = None
    """What a direct call was answered with, if that says why."""
    response: dict[str, Json] | None = None
    """`$response`, of a direct call that was answered."""
    address: str = field(default="", compare=False)
    """The last address that was tried, if there are several."""
    brief: str = field(default="", compare=False)
    """The error without any text of the service and any value that was sent; empty if there is no such text."""

    @classmethod
    def own(cls, error: str, *, final: bool, name: str = "", status: int | None = None) -> NotTaken:
        """Return a failure whose text quotes neither the service nor a value that was sent."""
        return cls(error, final=final, name=name, status=status, brief=error)


class Response(msgspec.Struct, frozen=True):
    """What a direct call by HTTP was answered with: any status."""

    status: int
    headers: Mapping[str, str] = msgspec.field(default_factory=dict)
    """The names are in lower case."""
    body: bytes = b""
    """The received part of it, at most one byte more than `MAX_ANSWER_BYTES`."""
    broken_off: bool = False
    """Whether the body ended before its end."""
    retry_after: Milliseconds | None = None
    """How long the service asked to wait; None if it did not."""


class Returned(msgspec.Struct, frozen=True):
    """What a direct call that is no HTTP request returned. `too_large`: why the value is missing."""

    value: Json = None
    too_large: str = ""


class Raised(msgspec.Struct, frozen=True):
    """The error, in the service's own words, that such a call ended with. Retrying the delivery is useless."""

    name: str
    cause: str = ""
    data: Json = None


class Unfinished(msgspec.Struct, frozen=True):
    """What such a call started goes on: after `wait` it is asked at `location` whether it has ended."""

    location: str
    wait: Milliseconds


def brief_refusal(address: str, status: int, media_type: str, size: int) -> str:
    """Return what may be stored of a refusal to a request that held secrets: no text of the service.

    `media_type` is the header, of which only usual values are repeated. `size` counts bytes.
    """
    kind = media_type.partition(";")[0].strip().lower()
    shown = kind if kind in USUAL_MEDIA_TYPES else "another media type" if kind else "no media type"
    length = f"more than {MAX_ANSWER_BYTES}" if size > MAX_ANSWER_BYTES else str(size)
    return f"{address} answered {status} ({shown}, {length} bytes)"


Reply: TypeAlias = Taken | NotTaken | Response | Returned | Raised | Unfinished


class Caller(Protocol):
    """Calls actions."""

    def post(self, call: Call) -> Reply:
        """Deliver once. Never raises: failures are returned as NotTaken. Ends within `call.timeout` per address.

        A direct call has one address.
        """
        ...
