"""How a request comes in and an answer goes out: the routes of a Blueprint from a table of plain functions.

A view takes a Request and the names in its path, and returns a JSON value, or an Answer where there is more to say.
The table needs no request of the whole app's (Chalice keeps one per app), so requests may be served side by side.

Every request has an id, which its answer bears and every line of the log: the one in its `x-request-id`, if that is one
that can stand in a log, or the one by which Lambda or API Gateway knows it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import wraps
from typing import Any, Final, TypeAlias

import msgspec
from chalice.app import Authorizer, Blueprint, Response
from chalice.app import Request as ChaliceRequest

from chalicelib import hosting
from chalicelib.engine.secret_values import MARK, masked
from chalicelib.entrypoints.http import errors
from chalicelib.entrypoints.http.bodies import name_of
from chalicelib.entrypoints.http.query import Query
from chalicelib.hosting import Services
from chalicelib.model.json_values import Json
from chalicelib.service.errors import TooLarge
from chalicelib.service.observability import traceparent, work_context

REQUEST_ID: Final = "x-request-id"
_ID: Final = re.compile(r"[A-Za-z0-9_.:/+=@-]{1,128}", re.ASCII)

ANY_TYPE: Final = ["*/*"]
"""What a request says of its content type does not matter: echoer's clients, and curl, say anything."""


LARGEST_ANSWER: Final = 6 * 1024 * 1024 - 64 * 1024
"""Bytes of an answer as Lambda hands it on, with some room for its headers: Lambda takes 6 MB, in which the body
stands as JSON text, so that quotes count twice."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One HTTP request in our words. Who is `bound` may name no other namespace.

    `arn`: whose AWS signature it bears, by API Gateway's word; None: nobody's.
    """

    services: Services
    namespace: str
    by: str
    query: Query
    headers: Mapping[str, str]
    body: bytes
    bound: bool = True
    arn: str | None = None
    trace: str = ""
    """The `traceparent` of the request in normal form; empty if it has none that is valid."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A success. `body` is a JSON value, or text where `headers` name another content type."""

    body: Json
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)

    def response(self) -> Response:
        headers: errors.Headers = {"Content-Type": "application/json", **self.headers}
        text = encoded(self.body) if headers["Content-Type"] == "application/json" else self.body
        return Response(text, headers=headers, status_code=self.status)


def encoded(value: Json) -> str:
    """The value as JSON text, as it may leave: whatever view it comes from, what is sealed in it is masked."""
    text = msgspec.json.encode(value)
    return (msgspec.json.encode(masked(msgspec.to_builtins(value))) if MARK in text else text).decode()


Call: TypeAlias = tuple[str, str]
"""The method and path of a call, e.g. `("GET", "/flow/{name}")`."""

View: TypeAlias = Callable[..., Json]
"""`view(request, **names in the path)`; it may raise any EchoerError."""

_current: ContextVar[ChaliceRequest] = ContextVar("current")


def routes(
    import_name: str, table: Mapping[tuple[str, str], View], gates: Mapping[tuple[str, str], Authorizer]
) -> Blueprint:
    """A Blueprint that answers (method, path) by the view of that place in the table. `gates`: whom API Gateway asks
    before, for those calls that are not for everybody."""
    blueprint = Blueprint(import_name)
    blueprint.register_middleware(_at_the_door, "http")
    for (method, path), view in table.items():
        blueprint.route(path, methods=[method], content_types=ANY_TYPE, authorizer=gates.get((method, path)))(
            _answering(view, path)
        )
    return blueprint


def _at_the_door(request: ChaliceRequest, get_response: Callable[[ChaliceRequest], Response]) -> Response:
    """Keeps the request for the view that will be called in this thread, and gives Chalice's own errors our shape."""
    token = _current.set(request)
    try:
        with work_context.about(function="api", **_ids_of(request)):
            response = errors.in_shape(get_response(request))
            response.headers[REQUEST_ID] = work_context.known()["request"]
            hosting.flush()
            return response
    finally:
        _current.reset(token)


def _answering(view: View, path: str) -> Callable[..., Response]:
    names_a_run = path.startswith("/flowrun/{name}")

    @wraps(view)
    def answer(**names: str) -> Response:
        try:
            request, read = _current.get(), {key: name_of(part) for key, part in names.items()}
            if names_a_run:
                work_context.note(run=read["name"])
            made = view(_read(request), **read)
            return _sendable(made if isinstance(made, Answer) else Answer(made), request.method)
        except Exception as error:  # the outermost door
            return errors.answer_to(error, work_context.known()["request"])

    return answer


def _sendable(answer: Answer, method: str) -> Response:
    """The answer. One too large for Lambda is a TooLarge, or, where something was changed already, told in short."""
    response = answer.response()
    if len(response.body) < LARGEST_ANSWER // 8:
        return response
    size = len(msgspec.json.encode(response.body))
    if size <= LARGEST_ANSWER:
        return response
    said = f"the answer would have {size} bytes; {LARGEST_ANSWER} are the limit: ask for less (`limit`, `after`)"
    if method == "GET":
        raise TooLarge(said)
    kept = answer.body.get("metadata") if isinstance(answer.body, dict) else None
    return Answer({"metadata": kept, "message": f"done, but {said}"}, answer.status).response()


def _read(request: ChaliceRequest) -> Request:
    services = hosting.services()
    given: Mapping[str, list[str]] = request.to_original_event().get("multiValueQueryStringParameters") or {}
    body: Any = request.raw_body
    identity = request.context.get("identity") or {}
    return Request(
        services=services,
        namespace=services.settings.namespace,
        by="api",
        query=Query(given),
        headers=request.headers,
        body=body if isinstance(body, bytes) else body.encode(),
        arn=identity.get("userArn"),
        trace=str(traceparent.read(request.headers.get("traceparent", "")) or ""),
    )


def _ids_of(request: ChaliceRequest) -> dict[str, str]:
    """The id that the request has, and the one by which Lambda's own log knows it, if that is another."""
    given = request.headers.get(REQUEST_ID, "")
    own = str(getattr(request.lambda_context, "aws_request_id", None) or request.context.get("requestId") or "unknown")
    return {"request": given, "invocation": own} if _ID.fullmatch(given) else {"request": own}
