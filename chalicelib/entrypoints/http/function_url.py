"""The door of the Lambda Function URL: answers of actions that do not pass API Gateway, which charges per request.

It reads requests in Lambda's payload format 2.0 (AWS Lambda Developer Guide, "Invoking Lambda function URLs"), and it
serves the callbacks of the API and no other call. `exchange` and `auth` handle them as they handle requests from API
Gateway, so authentication, namespaces, rates, limits, the audit and errors are the same.

| ECHOER_AUTH | ECHOER_CALLBACKS | who may answer |
|---|---|---|
| open | | all who know the uuid of the activation, but for pages of other origins |
| token, iam | open | all who know the uuid |
| token | token | a token of the role `action` or higher: `http.auth` checks it, and there is no authorizer before |
| iam | token | an AWS identity: the URL has the type AWS_IAM, and Lambda verifies the signature |

In all other cases the URL has the type NONE: Lambda calls the function for every request. Clients cannot write
`requestContext`, which says who signed. A header that was sent several times arrives as one, joined by commas; API
Gateway keeps the last one. So two tokens, or two namespaces, are refused here. Compressed bodies are decompressed, as
API Gateway does it (Developer Guide, "Payload compression").

Every event gets a response, also one that is no request of a Function URL: AWS identities that may call the function
directly (`lambda:InvokeFunction`) can send any.
"""

from __future__ import annotations

import base64
import binascii
import zlib
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import parse_qsl

import msgspec
from chalice.app import Request as ChaliceRequest
from chalice.app import Response as ChaliceResponse

from chalicelib import hosting
from chalicelib.entrypoints.http import errors, exchange, reading, register
from chalicelib.entrypoints.http.calls import CALLS, Call
from chalicelib.model.errors import EchoerError
from chalicelib.model.json_values import ready
from chalicelib.service.errors import Malformed, TooLarge
from chalicelib.service.observability import work_context

FUNCTION: Final = "callback"
"""The name of the function in the log."""

VERSION: Final = "2.0"
"""The version of the payload format."""

METHOD: Final = "POST"
"""The method of every callback."""

MAX_BODY_BYTES: Final = 6 * 1024 * 1024
"""The largest decompressed body: as much as Lambda accepts of one that is not compressed."""

_WINDOW_BITS: Final = {"gzip": 31, "deflate": 15}
"""Codings of a body -> zlib's `wbits`."""

_MAX_SHOWN_CHARACTERS: Final = 200

_SERVED: Final = [(call.path.strip("/").split("/"), call) for call in CALLS if call.is_callback]
"""Each callback, with the parts of its path. Its method is POST."""

_PREFLIGHTS: Final = "chalicelib.entrypoints.http.cors"


class _NotServed(EchoerError):
    """The path leads to no callback."""

    code = "not-found"


class _NotAllowed(EchoerError):
    """The path leads to a callback, but the method is not POST."""

    code = "method-not-allowed"


class _NotDecompressed(EchoerError):
    """The body is compressed in an unknown way."""

    code = "unsupported-media-type"


class _Iam(msgspec.Struct, frozen=True):
    user_arn: str | None = msgspec.field(name="userArn", default=None)


class _Authorizer(msgspec.Struct, frozen=True):
    iam: _Iam | None = None


class _Http(msgspec.Struct, frozen=True):
    method: str
    source_ip: str = msgspec.field(name="sourceIp", default="")


class _Context(msgspec.Struct, frozen=True):
    http: _Http
    request_id: str = msgspec.field(name="requestId", default="")
    domain_name: str = msgspec.field(name="domainName", default="")
    authorizer: _Authorizer | None = None

    @property
    def user_arn(self) -> str | None:
        """The AWS identity that signed the request, as Lambda verified it."""
        return self.authorizer.iam.user_arn if self.authorizer and self.authorizer.iam else None


class _Payload(msgspec.Struct, frozen=True):
    """A request to a Function URL."""

    path: str = msgspec.field(name="rawPath")
    context: _Context = msgspec.field(name="requestContext")
    query: str = msgspec.field(name="rawQueryString", default="")
    headers: dict[str, str] = {}
    cookies: list[str] = []
    body: str | None = None
    is_base64: bool = msgspec.field(name="isBase64Encoded", default=False)

    @property
    def all_headers(self) -> dict[str, str]:
        return {**self.headers, "cookie": "; ".join(self.cookies)} if self.cookies else self.headers

    def body_bytes(self) -> bytes:
        """Return the body, decompressed. Raises Malformed, TooLarge, _NotDecompressed."""
        text = self.body or ""
        try:
            sent = base64.b64decode(text, validate=True) if self.is_base64 else text.encode()
        except binascii.Error as error:
            raise Malformed(f"`body` must be base64, because `isBase64Encoded` is true: {error}") from error
        except ValueError as error:  # not ASCII in base64, or half of a character
            raise Malformed("`body` has a character that it cannot have") from error
        coding = self.headers.get("content-encoding", "").strip().lower()
        return sent if coding in ("", "identity") else _decompressed(sent, coding)


ready(_Payload)


def _decompressed(body: bytes, coding: str) -> bytes:
    if coding not in _WINDOW_BITS:
        known = ", ".join(_WINDOW_BITS)
        raise _NotDecompressed(f"`Content-Encoding` must be one of {known}, identity, not {coding!a:.40}")
    decompressor = zlib.decompressobj(_WINDOW_BITS[coding])
    try:
        found = decompressor.decompress(body, MAX_BODY_BYTES + 1)
    except zlib.error as error:
        raise Malformed(f"the body must be {coding}, as `Content-Encoding` says: {error}") from error
    if len(found) > MAX_BODY_BYTES:
        raise TooLarge(f"the decompressed body is larger than {MAX_BODY_BYTES} bytes")
    if not decompressor.eof:
        raise Malformed(f"the body must be {coding}, as `Content-Encoding` says: it ends too early")
    return found


def serve(event: Any, context: Any) -> dict[str, Any]:
    """Serve the request in an event of a Function URL, and return the response in payload format 2.0."""
    request_id = str(getattr(context, "aws_request_id", None) or "unknown")
    try:
        payload = _read(event)
        response = _answered(payload, _request(payload, context))
    except Exception as error:  # the outermost handler: Lambda would show its own error to the client
        response = errors.response_to(error, request_id)
        response.headers[exchange.REQUEST_ID] = request_id
    headers = {name: value if isinstance(value, str) else ", ".join(value) for name, value in response.headers.items()}
    return {"statusCode": response.status_code, "headers": headers, "body": response.body, "isBase64Encoded": False}


def _read(event: Any) -> _Payload:
    """Return the request in an event. Raises Malformed."""
    what = f"the event is no request of a Function URL in payload format {VERSION}"
    if not isinstance(event, Mapping):
        raise Malformed(f"{what}: it is no object")
    if event.get("version") != VERSION:
        version = f"its `version` is {event['version']!a:.40}" if "version" in event else "it has no `version`"
        raise Malformed(f"{what}: {version}")
    try:
        payload = reading.checked(dict(event), _Payload)
        "".join((payload.path, payload.query, *payload.headers, *payload.headers.values())).encode()
    except Malformed as error:
        raise Malformed(f"{what}: {error}") from error
    except UnicodeEncodeError as error:  # JSON can hold half of a character, and UTF-8 cannot
        raise Malformed(f"{what}: its path, its query or a header is no Unicode text") from error
    return payload


def _request(payload: _Payload, context: Any) -> ChaliceRequest:
    """Return the request as a REST API of API Gateway would send it. Raises Malformed."""
    query: dict[str, list[str]] = {}
    for name, value in parse_qsl(payload.query, keep_blank_values=True):
        query.setdefault(name, []).append(value)
    about = payload.context
    event = {
        "path": payload.path,
        "headers": payload.all_headers,
        "multiValueQueryStringParameters": query or None,
        "pathParameters": None,
        "stageVariables": None,
        "body": payload.body_bytes(),
        "isBase64Encoded": False,
        "requestContext": {
            "httpMethod": about.http.method,
            "resourcePath": payload.path,
            "path": payload.path,
            "domainName": about.domain_name,
            "requestId": about.request_id,
            "identity": {"sourceIp": about.http.source_ip, "userArn": about.user_arn},
        },
    }
    return ChaliceRequest(event, context)


def _answered(payload: _Payload, request: ChaliceRequest) -> ChaliceResponse:
    def respond(_: ChaliceRequest) -> ChaliceResponse:
        try:
            call, names = _call_of(payload.path, payload.context.http.method)
        except EchoerError as error:
            response = errors.response_to(error, work_context.known()["request"])
            if isinstance(error, _NotAllowed):
                response.headers["Allow"] = METHOD
            return response
        return register.load(call)(**names)

    return exchange.in_context(request, respond, FUNCTION)


def _call_of(path: str, method: str) -> tuple[Call, dict[str, str]]:
    """Return the call and the names in its path, as they were sent. Raises _NotServed, _NotAllowed."""
    parts, shown = path.strip("/").split("/"), f"{path!a:.{_MAX_SHOWN_CHARACTERS}}"
    found = next(((wanted, call) for wanted, call in _SERVED if _matches(wanted, parts)), None)
    if found is None:
        raise _NotServed(f"{shown} is not served here: this URL accepts answers of actions only (POST /step)")
    wanted, call = found
    if method == "OPTIONS" and hosting.services().settings.origins:
        call = Call(method, call.path, _PREFLIGHTS, is_public=True)
    elif method != METHOD:
        raise _NotAllowed(f"{shown} does not support {method!a:.20}; it supports {METHOD}")
    return call, {want[1:-1]: part for want, part in zip(wanted, parts, strict=True) if want.startswith("{")}


def _matches(wanted: list[str], parts: list[str]) -> bool:
    return len(wanted) == len(parts) and all(
        want == part or (part and want.startswith("{")) for want, part in zip(wanted, parts, strict=True)
    )
