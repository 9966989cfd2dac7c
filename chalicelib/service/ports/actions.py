"""The port that calls actions."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final, Protocol, TypeAlias

from chalicelib.model.actions import Method
from chalicelib.model.json_values import Json

MAX_ANSWER_BYTES: Final = 256 * 1024
"""The largest answer of an action that is read."""


@dataclass(frozen=True, slots=True)
class Call:
    """One delivery of `body` by `method`, to the first of `addresses` that can be reached."""

    addresses: tuple[str, ...]
    body: bytes
    headers: dict[str, str] = field(default_factory=dict)
    ca_bundle: str | None = None
    """The only trusted certificates, as a PEM bundle in base64; None: the default ones."""
    method: Method = Method.HTTP
    content_type: str = "application/json"
    timeout: int = 10_000
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


@dataclass(frozen=True, slots=True)
class Returned:
    """What a direct call that is no HTTP request returned. `too_large`: why the value is missing."""

    value: Json = None
    too_large: str = ""


@dataclass(frozen=True, slots=True)
class Raised:
    """The error, in the service's own words, that such a call ended with. Retrying the delivery is useless."""

    name: str
    cause: str = ""
    data: Json = None


@dataclass(frozen=True, slots=True)
class Unfinished:
    """What such a call started goes on: after `wait` milliseconds a call of `location` looks whether it has ended."""

    location: str
    wait: int


Reply: TypeAlias = Taken | NotTaken | Returned | Raised | Unfinished


class Caller(Protocol):
    """Calls actions."""

    def post(self, call: Call) -> Reply:
        """Deliver once. Never raises: failures are returned as NotTaken. Ends within 10 s per address."""
        ...
