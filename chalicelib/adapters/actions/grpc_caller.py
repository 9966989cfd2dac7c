"""Actions behind gRPC: `host:port/package.Service/Method`, called with the body as a `google.protobuf.Struct`.

The headers are sent as metadata, in lower case. The answer is a Struct too (google.protobuf.Empty has the same encoding
as an empty one); if it has `ackState`, it is the answer of the step. A Struct knows only doubles: a request with an
integer that no double equals is not sent, and whole numbers in an answer become integers. Receivers may refuse
more than 32 levels of nesting.

The channel is encrypted if the action has a CA bundle (only its certificates are trusted) or if the address begins with
`grpcs://` (the default ones are trusted). Every delivery uses a new channel, because a container that was frozen
between two deliveries would find its channel dead.

grpcio and protobuf are optional and large, so they are imported with the first delivery to such an action.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Final, NamedTuple

import msgspec

from chalicelib.adapters.actions.connections import context_of
from chalicelib.model.json_values import Json
from chalicelib.service.ports.actions import MAX_ANSWER_BYTES, Call, NotTaken, Reply, Taken

TIMEOUT_S: Final = 10.0
"""The time limit per address."""

MAX_EXCERPT_CHARS: Final = 1000
"""The part of an error message that is stored."""
MAX_RETRY_AFTER_MS: Final = 24 * 60 * 60 * 1000

_SECURE: Final = "grpcs://"
_OPTIONS: Final = (
    ("grpc.enable_http_proxy", 0),
    ("grpc.enable_retries", 0),
    ("grpc.service_config_disable_resolution", 1),
)
"""The action alone determines how it is reached and how often."""

_RETRIED: Final = frozenset(
    {"ABORTED", "CANCELLED", "DEADLINE_EXCEEDED", "INTERNAL", "RESOURCE_EXHAUSTED", "UNAVAILABLE", "UNKNOWN"}
)
"""Status codes that correspond to 408, 409, 429 or 5xx. A service that raises an exception answers UNKNOWN."""

_KEY: Final = re.compile(r"(?!grpc-)[0-9a-z_.-]+(?<!-bin)")
_VALUE: Final = re.compile(r"[ -~]*")
_EXACT: Final = 2**53
_MAX_BITS: Final = 1_023
"""Bits of an integer that is surely smaller than the largest double."""


class _Packages(NamedTuple):
    """The modules of grpcio and protobuf. They publish no types."""

    grpc: Any
    struct: Any
    text: Any
    message: Any


_MODULES: Final = (
    "grpc",
    "google.protobuf.struct_pb2",
    "google.protobuf.json_format",
    "google.protobuf.message",
)


@dataclass(frozen=True, slots=True)
class _Request:
    """The encoded call, which is the same for every address."""

    body: bytes
    metadata: list[tuple[str, str]]
    ca_bundle: bytes | None


class GrpcCaller:
    """Implements `ports.Caller` for the method `grpc`. Threads may share it.

    `load` imports a module by its name, or raises ImportError; `timeout` is in seconds.
    """

    def __init__(self, load: Callable[[str], Any] = import_module, *, timeout: float = TIMEOUT_S) -> None:
        self._load = load
        self._timeout = timeout

    def post(self, call: Call) -> Reply:
        """Deliver to the first address that accepts. The reply is that of the last address that was tried."""
        try:
            packages = _Packages(*map(self._load, _MODULES))
        except ImportError:
            return NotTaken.own("gRPC is not installed here: add the packages grpcio and protobuf", final=True)
        request = _request(packages, call)
        if isinstance(request, NotTaken):
            return request
        reply: Reply = NotTaken.own("the action has no address", final=True)
        for address in call.addresses:
            reply = self._exchange(packages, address, request)
            if not isinstance(reply, NotTaken) or reply.final:
                break
        return reply

    def _exchange(self, packages: _Packages, address: str, request: _Request) -> Reply:
        grpc = packages.grpc
        target, _, method = address.removeprefix(_SECURE).partition("/")
        where = f"dns:///{target}"  # with its scheme, since a host may be called `unix`
        if request.ca_bundle is None and not address.startswith(_SECURE):
            channel = grpc.insecure_channel(where, _OPTIONS)
        else:
            channel = grpc.secure_channel(where, grpc.ssl_channel_credentials(request.ca_bundle), _OPTIONS)
        with channel:
            try:
                call = channel.unary_unary(f"/{method}")
                answer = call(request.body, timeout=self._timeout, metadata=request.metadata)
            except grpc.RpcError as error:
                return _refusal(address, error, self._timeout)
        return _taken(packages, answer)


def _request(packages: _Packages, call: Call) -> _Request | NotTaken:
    metadata = [(name.lower(), value) for name, value in call.headers.items()]
    for name, value in metadata:
        if not _KEY.fullmatch(name) or not _VALUE.fullmatch(value):
            return NotTaken.own(f"the header {name!a:.100} is not valid gRPC metadata", final=True)
    inexact = _inexact(msgspec.json.decode(call.body))
    if inexact is not None:
        bits = inexact.bit_length()
        shown = str(inexact) if bits <= _MAX_BITS else f"an integer of {bits} bits"
        brief = "gRPC cannot send an integer: a google.protobuf.Struct has only doubles"
        text = f"gRPC cannot send {shown}: a google.protobuf.Struct has only doubles"
        return NotTaken(text, final=True, brief=brief)
    try:
        body = packages.text.Parse(call.body, packages.struct.Struct()).SerializeToString(deterministic=True)
    except packages.text.ParseError as exc:
        text = "the request cannot be encoded as a google.protobuf.Struct"
        return NotTaken(f"{text}: {exc}"[:MAX_EXCERPT_CHARS], final=True, brief=text)
    try:
        return _Request(body, metadata, _pem(call.ca_bundle))
    except ValueError:
        return NotTaken.own("the action's CA bundle is invalid: it must be a PEM bundle in base64", final=True)


def _inexact(value: Json) -> int | None:
    """Return an integer in the value that no double equals; None if there is none."""
    match value:
        case bool():
            return None
        case int():
            is_exact = -_EXACT <= value <= _EXACT or (value.bit_length() <= _MAX_BITS and int(float(value)) == value)
            return None if is_exact else value
        case dict():
            return next((found for one in value.values() if (found := _inexact(one)) is not None), None)
        case list():
            return next((found for one in value if (found := _inexact(one)) is not None), None)
        case _:
            return None


def _pem(ca_bundle: str | None) -> bytes | None:
    """Return the certificates. Raises ValueError for an invalid bundle, which gRPC would report only later."""
    if ca_bundle is None:
        return None
    context_of(ca_bundle)
    return base64.b64decode("".join(ca_bundle.split()))


def _refusal(address: str, error: Any, timeout: float) -> NotTaken:
    code, details = error.code().name, str(error.details() or "")
    if "CERTIFICATE_VERIFY_FAILED" in details:
        return NotTaken.own(f"{address} has a certificate that is not trusted", final=True)
    if code == "DEADLINE_EXCEEDED":
        return NotTaken.own(f"{address} did not answer within {timeout:g} s", final=False)
    text = f"{address} answered {code}: {details}"[:MAX_EXCERPT_CHARS]
    pushed = dict(error.trailing_metadata() or ()).get("grpc-retry-pushback-ms", "")
    wait = min(int(pushed), MAX_RETRY_AFTER_MS) if re.fullmatch(r"[0-9]{1,12}", str(pushed)) else 0
    return NotTaken(text, final=code not in _RETRIED, retry_after=wait, brief=f"{address} answered {code}")


def _taken(packages: _Packages, answer: bytes) -> Taken:
    """Return the reply with the answer as JSON, or with what is wrong with it if it has the word `ackState` in it."""
    if len(answer) > MAX_ANSWER_BYTES:
        problem = f"it is larger than {MAX_ANSWER_BYTES} bytes"
    else:
        try:
            fields = packages.text.MessageToDict(packages.struct.Struct.FromString(answer))
        except (packages.message.DecodeError, packages.text.Error, ValueError) as exc:
            problem = f"it is not a valid google.protobuf.Struct: {exc}"[:MAX_EXCERPT_CHARS]
        else:
            return Taken({name: _whole(value) for name, value in fields.items()})
    return Taken(None, problem if b"ackState" in answer else "")


def _whole(value: Json) -> Json:
    """Return the value with whole numbers as integers."""
    match value:
        case float() if value.is_integer() and abs(value) <= _EXACT:
            return int(value)
        case dict():
            return {name: _whole(inner) for name, inner in value.items()}
        case list():
            return [_whole(inner) for inner in value]
        case _:
            return value
