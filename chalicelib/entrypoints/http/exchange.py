"""Serve one HTTP call: convert Chalice's request and the response of a view.

Views receive a `Request` and the names in the path. They do not use Chalice's `app.current_request`, because Chalice
keeps one per app and requests may be served in parallel threads.

Every request has an id, which is in its response and in every line of the log: the client's `x-request-id` if it is
safe to log, or else the id of Lambda or API Gateway.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from functools import wraps
from typing import Any, Final

import msgspec
from chalice.app import Request as ChaliceRequest
from chalice.app import Response as ChaliceResponse

from chalicelib import hosting
from chalicelib.config import Settings
from chalicelib.entrypoints.http import auth, cors, errors
from chalicelib.entrypoints.http.query import Query
from chalicelib.entrypoints.http.reading import name_of
from chalicelib.entrypoints.http.request import Request, Response
from chalicelib.entrypoints.http.route import Route
from chalicelib.service.errors import TooLarge
from chalicelib.service.observability import traceparent, work_context

REQUEST_ID: Final = "x-request-id"
_LOGGABLE_ID: Final = re.compile(r"[A-Za-z0-9_.:/+=@-]{1,128}", re.ASCII)

MAX_RESPONSE_BYTES: Final = 6 * 1024 * 1024 - 64 * 1024
"""The largest body that Lambda returns (6 MB), less room for headers. Lambda encodes the body as a JSON string, so
every quote in it counts twice."""

_current_request: ContextVar[ChaliceRequest] = ContextVar("current_request")


def in_context(
    request: ChaliceRequest, get_response: Callable[[ChaliceRequest], ChaliceResponse], function: str = "api"
) -> ChaliceResponse:
    """Keep the request for the view that runs in this thread, and give Chalice's own errors the API's shape.

    `function` names the Lambda function in the log.
    """
    token = _current_request.set(request)
    try:
        with work_context.about(function=function, **_ids_of(request)):
            response = errors.in_shape(get_response(request))
            response.headers[REQUEST_ID] = work_context.known()["request"]
            vary = response.headers.get("Vary")
            response.headers.update(cors.of_response(request.headers.get("origin"), str(vary) if vary else None))
            hosting.flush()
            return response
    finally:
        _current_request.reset(token)


def handler(route: Route) -> Callable[..., ChaliceResponse]:
    """Return the function that serves the call: it reads the request, calls the view and writes the response."""
    view = auth.authorized(route)
    names_a_run = route.path.startswith("/flowrun/{name}")
    limit = route.max_name_characters

    @wraps(route.view)
    def handle(**names: str) -> ChaliceResponse:
        try:
            request, decoded = _current_request.get(), {key: name_of(part, limit) for key, part in names.items()}
            if names_a_run:
                work_context.note(run=decoded["name"])
            result = view(_read(request), **decoded)
            return _within_limit(result if isinstance(result, Response) else Response(result), request.method)
        except Exception as error:  # the outermost handler: every error becomes a response
            return (route.error_response or errors.response_to)(error, work_context.known()["request"])

    return handle


def _within_limit(response: Response, method: str) -> ChaliceResponse:
    """Return the response as Chalice's. If it is too large for Lambda, a GET raises TooLarge; a call that changed
    something responds with the `metadata` and a message."""
    text = response.text()
    if len(text) >= MAX_RESPONSE_BYTES // 8 and (size := len(msgspec.json.encode(text))) > MAX_RESPONSE_BYTES:
        problem = (
            f"the response would have {size} bytes, and the limit is {MAX_RESPONSE_BYTES}: "
            "request fewer entries with `limit` and `after`"
        )
        if method == "GET":
            raise TooLarge(problem)
        metadata = response.body.get("metadata") if isinstance(response.body, dict) else None
        response = Response({"metadata": metadata, "message": f"done, but {problem}"}, response.status)
        text = response.text()
    headers: errors.Headers = {**response.all_headers}
    return ChaliceResponse(text, headers=headers, status_code=response.status)


def _read(request: ChaliceRequest) -> Request:
    services = hosting.services()
    parameters: Mapping[str, list[str]] = request.to_original_event().get("multiValueQueryStringParameters") or {}
    body: Any = request.raw_body
    identity = request.context.get("identity") or {}
    return Request(
        services=services,
        namespace=services.settings.namespace,
        caller="api",
        query=Query(parameters),
        headers=request.headers,
        body=body if isinstance(body, bytes) else body.encode(),
        arn=identity.get("userArn"),
        trace=str(traceparent.read(request.headers.get("traceparent", "")) or ""),
        base_url=_base_url(services.settings, request),
    )


def _base_url(settings: Settings, request: ChaliceRequest) -> str:
    """Return the URL of the API: the configured one or, on Lambda, that of API Gateway in its event.

    No setting can tell the API's function its own URL, because the API refers to the function. Clients cannot write
    these parts of the event; `path` in the context begins with the stage, or with the path of the domain's mapping.
    """
    host, whole = request.context.get("domainName"), str(request.context.get("path", ""))
    path = str(request.to_original_event().get("path", ""))
    if settings.has_public_url or not settings.on_lambda or not host or not whole.endswith(path):
        return settings.url.rstrip("/")
    return f"https://{host}{whole.removesuffix(path)}"


def _ids_of(request: ChaliceRequest) -> dict[str, str]:
    """Return the id of the request and, if it differs, the id that Lambda's own log uses."""
    given = request.headers.get(REQUEST_ID, "")
    own = str(getattr(request.lambda_context, "aws_request_id", None) or request.context.get("requestId") or "unknown")
    return {"request": given, "invocation": own} if _LOGGABLE_ID.fullmatch(given) else {"request": own}
