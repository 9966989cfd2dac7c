"""API Gateway on this machine: a WSGI application in front of the Chalice app.

Requests, including long polls, run in parallel with one thread each. Chalice stores the current request in the app, as
a Lambda function has only one, so `per_thread` gives every thread a current request of its own.

What depends on the connection comes from the WSGI environment, so that the gateway works with any socket layer:
`ARRIVED_AT` is the monotonic time since which the request waits for a thread, `CLIENT_LEFT` returns whether the client
has closed the connection, and `GIVE_UP` answers the request from another thread. Each may be missing.
"""

from __future__ import annotations

import base64
import json
import logging
import re
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cache
from http import HTTPStatus
from typing import Any, Final, TypeAlias

import msgspec
from chalice.app import Chalice, Request, Response

from chalicelib.entrypoints.http import cors
from chalicelib.entrypoints.http.own_site import OwnSite, authority
from fsl.local.http.routing import Routes
from fsl.local.http.time_limit import TimeLimit
from fsl.local.http.waits import RETRY_AFTER_S, Waits
from fsl.local.shapes import HttpRequest, LambdaContext, api_event

LOG = logging.getLogger("echoer.http")

REQUEST_TIMEOUT_S: Final = 29.0
"""How long API Gateway waits for a response."""

MAX_BODY_BYTES: Final = 10 * 1024 * 1024
"""The largest request body that API Gateway accepts."""

MAX_EVENT_BYTES: Final = 6 * 1024 * 1024
"""The largest event that Lambda accepts, as JSON. It contains the body as JSON text, so quotes count twice."""

ARRIVED_AT: Final = "echoer.arrived_at"
CLIENT_LEFT: Final = "echoer.client_left"
GIVE_UP: Final = "echoer.give_up"
"""Keys of the WSGI environment."""

_ABSOLUTE: Final = re.compile(r"https?://([^/]*)(/.*)?", re.IGNORECASE)
"""The absolute form of a request's target. Every other target that does not begin with a slash is refused."""

_HEADER_VALUE: Final = re.compile(r"[\t -~\x80-\xff]*")

BODILESS: Final = (204, 304)
"""Statuses of responses that have no body and no length."""

Serve: TypeAlias = Callable[[str, str, Request, Mapping[str, str]], Response]
"""`serve(method, path of the call, request, names in its path)` returns the response."""

StartResponse: TypeAlias = Callable[[str, list[tuple[str, str]]], Any]


@dataclass(frozen=True, slots=True)
class GatewayResponse:
    """A response to the client."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes


def problem(status: int, code: str, message: str, **headers: str) -> GatewayResponse:
    """Return an error in the form of all errors of the API (docs/http-api.md)."""
    body = json.dumps({"message": message, "error": {"code": code, "detail": message}}).encode()
    named = [(name.replace("_", "-"), value) for name, value in headers.items()]
    return GatewayResponse(status, [("Content-Type", "application/json"), *named], body)


_requests = threading.local()


class _PerThread:
    """A mixin for the class of the app: `current_request` belongs to the thread."""

    @property
    def current_request(self) -> Any:
        return getattr(_requests, "current", None)

    @current_request.setter
    def current_request(self, request: Any) -> None:
        _requests.current = request


def per_thread(app: Chalice) -> Chalice:
    """Change the app so that several threads can call it in parallel, and return it."""
    if not isinstance(app, _PerThread):
        app.__class__ = type("LocalChalice", (_PerThread, type(app)), {})
    return app


class Gateway:
    """The WSGI application. Requests are refused once `stopping` is set.

    `serve` serves a call instead of Chalice, which then only names the routes; None: Chalice does.
    `own_site`: the addresses to which requests are accepted, and whose pages may send them; None: all.
    `origins`: the other origins whose pages may read the responses.
    `refresh`: called before each request.
    """

    def __init__(
        self,
        app: Chalice,
        stopping: threading.Event,
        *,
        serve: Serve | None = None,
        own_site: OwnSite | None = None,
        origins: tuple[str, ...] = (),
        waits: Waits | None = None,
        time_limit: TimeLimit | None = None,
        refresh: Callable[[], None] = lambda: None,
    ) -> None:
        self._app = per_thread(app)
        self._serve = serve
        self._routes = Routes(app.routes)
        self._methods = {path: frozenset(entries) - {"OPTIONS"} for path, entries in app.routes.items()}
        self._stopping = stopping
        self._refresh = refresh
        self._own_site = own_site
        self._origins = origins
        self._waits = waits or Waits(stopping)
        self._time_limit = time_limit or TimeLimit(stopping, REQUEST_TIMEOUT_S)

    def __call__(self, environ: Mapping[str, Any], start_response: StartResponse) -> list[bytes]:
        request = _request(environ)
        answer = self.respond(
            request,
            environ.get(ARRIVED_AT, time.monotonic()),
            environ.get(CLIENT_LEFT, _is_there),
            environ.get(GIVE_UP),
        )
        bodiless = answer.status in BODILESS
        more = [] if bodiless else [("Content-Length", str(len(answer.body)))]
        start_response(f"{answer.status} {reason_of(answer.status)}", [*answer.headers, *more])
        return [] if bodiless or request.method == "HEAD" else [answer.body]

    def respond(
        self,
        request: HttpRequest,
        arrived_at: float,
        has_left: Callable[[], bool],
        give_up: Callable[[GatewayResponse], None] | None,
    ) -> GatewayResponse:
        """Return the response to a request that a thread serves now. See ARRIVED_AT, CLIENT_LEFT, GIVE_UP."""
        begun = time.perf_counter()
        with self._waits.request(has_left) as waiting:
            answer = self._too_late(arrived_at)
            if answer is not None:
                answer = self._readable(answer, request)
            else:
                key = self._time_limit.begin(arrived_at, lambda: self._give_up(request, give_up))
                answer = self._readable(self.answer(request), request)
                self._time_limit.end(key)  # if it was late, the socket layer drops what is returned here
        if LOG.isEnabledFor(logging.DEBUG):
            took = (time.perf_counter() - begun) * 1000
            LOG.debug("%s %s %d, %.1f ms", request.method, request.path, answer.status, took)
        if waiting.turned_away:
            answer.headers.append(("Retry-After", str(RETRY_AFTER_S)))
        return answer

    def answer(self, request: HttpRequest) -> GatewayResponse:
        """Return the response of the app, or that of API Gateway if there is no such route."""
        if self._stopping.is_set():
            return problem(503, "stopping", "the server is stopping; try again", Retry_After="1")
        refused = self._refused(request)
        if refused is not None:
            return refused
        if len(request.body) > MAX_BODY_BYTES:
            message = f"the body has {len(request.body)} bytes; the limit is {MAX_BODY_BYTES}"
            return problem(413, "too-large", message)
        found = self._routes.find(request.path)
        if found is None:
            return problem(404, "not-found", f"{request.path:.200} does not exist; GET /docs lists all paths")
        resource, captured = found
        methods = self._methods[resource]
        method = "GET" if request.method == "HEAD" and "HEAD" not in methods else request.method
        if method not in methods:
            return self._without_view(request, sorted(methods))
        self._refresh()
        context = LambdaContext("api_handler", REQUEST_TIMEOUT_S)
        event = api_event(request, method, resource, captured, context.aws_request_id)
        if len(request.body) > MAX_EVENT_BYTES // 8 and (size := len(msgspec.json.encode(event))) > MAX_EVENT_BYTES:
            message = f"the request has {size} bytes as an event of Lambda; the limit is {MAX_EVENT_BYTES}"
            return problem(413, "too-large", message)
        try:
            if self._serve is None:
                return _from_lambda(self._app(event, context))
            return _from_chalice(self._serve(method, resource, Request(event, context), captured))
        except Exception:
            LOG.exception("%s %s failed", request.method, request.path)
            return problem(500, "internal", "the server failed; its log contains the reason")

    def _too_late(self, arrived_at: float) -> GatewayResponse | None:
        """Return the refusal of a request that has waited for a thread for so long that its client has given up."""
        if time.monotonic() - arrived_at < self._time_limit.seconds:
            return None
        message = f"the server is overloaded: no request was begun for {self._time_limit.seconds:g} s; try again"
        return problem(503, "busy", message, Retry_After=str(RETRY_AFTER_S))

    def _give_up(self, request: HttpRequest, answer: Callable[[GatewayResponse], None] | None) -> None:
        message = f"the request takes longer than {self._time_limit.seconds:g} s; it may still take effect"
        LOG.warning("%s %s: %s", request.method, request.path, message)
        if answer:
            answer(self._readable(problem(504, "timeout", message), request))

    def _refused(self, request: HttpRequest) -> GatewayResponse | None:
        """Return the refusal of a request to a `Host` that is none, or to or from a place that is not the server's."""
        host = request.headers.get("Host")
        if host is None and request.protocol == "HTTP/1.1":
            return problem(400, "bad-request-error", "the header `Host` is missing (RFC 9112, 3.2)")
        if not request.path.startswith("/"):
            return problem(400, "bad-request-error", f"the path must begin with a slash, not {request.path!r:.200}")
        if host is not None and authority(host) is None:
            return problem(
                400, "bad-request-error", f"the header `Host` is not one host with an optional port: {host!r:.80}"
            )
        if self._own_site is None:
            return None
        found = host is not None and self._own_site.host_problem(host)
        if not found and not _opens_a_signed_link(request):
            found = self._own_site.page_problem(request.headers.get("Origin"), request.headers.get("Sec-Fetch-Site"))
        return problem(403, "forbidden", found) if found else None

    def _without_view(self, request: HttpRequest, methods: list[str]) -> GatewayResponse:
        allow = cors.allow(methods)
        if request.method != "OPTIONS":
            found = self._routes.find(request.path)
            if found and found[0].endswith("/{uuid}"):  # /flowrun/NAME/UUID: what is no uuid there is no such call
                message = f"there is no call {request.method:.20} {request.path:.200}; GET /docs lists all calls"
                return problem(404, "not-found", message)
            message = f"{request.path:.200} does not support {request.method:.20}; it supports {', '.join(allow)}"
            return problem(405, "method-not-allowed", message, Allow=", ".join(allow))
        more = cors.preflight(self._origins, request.headers.get("Origin"), allow)
        return GatewayResponse(204 if more else 200, [("Allow", ", ".join(allow)), *more.items()], b"")

    def _readable(self, answer: GatewayResponse, request: HttpRequest) -> GatewayResponse:
        """Return the response with headers that let a page of a configured origin read it, errors included."""
        if not self._origins:
            return answer
        known = {name.lower(): value for name, value in answer.headers}
        if "access-control-allow-origin" in known:
            return answer
        more = cors.headers(self._origins, request.headers.get("Origin"), known.get("vary"))
        kept = [(name, value) for name, value in answer.headers if not more or name.lower() != "vary"]
        return replace(answer, headers=[*kept, *more.items()])


def _opens_a_signed_link(request: HttpRequest) -> bool:
    """Return whether a browser opens a signed link of a task, from a mail or a chat in another tab, say.

    The link is the permission, it changes nothing, and a page that opens it in a window of its own cannot read it.
    """
    navigates = request.headers.get("Sec-Fetch-Mode") == "navigate" and request.headers.get("Origin") is None
    return navigates and request.method in ("GET", "HEAD") and request.path.startswith("/task/")


def _request(environ: Mapping[str, Any]) -> HttpRequest:
    headers = {name[5:].replace("_", "-").title(): value for name, value in environ.items() if name.startswith("HTTP_")}
    for name in ("CONTENT_TYPE", "CONTENT_LENGTH"):
        if environ.get(name):
            headers[name.replace("_", "-").title()] = environ[name]
    path = str(environ["REQUEST_URI"]).partition("?")[0]
    absolute = _ABSOLUTE.fullmatch(path)
    if absolute:  # its host counts, not that of the header (RFC 9112, 3.2.2)
        headers["Host"], path = absolute[1], absolute[2] or "/"
    return HttpRequest(
        method=environ["REQUEST_METHOD"],
        path=path,
        query=environ.get("QUERY_STRING", ""),
        headers=headers,
        body=environ["wsgi.input"].read(),
        client=environ.get("REMOTE_ADDR", "127.0.0.1"),
        protocol=environ.get("SERVER_PROTOCOL", "HTTP/1.1"),
    )


def _is_there() -> bool:
    return False


def _from_lambda(answer: Mapping[str, Any]) -> GatewayResponse:
    headers = _pairs({**(answer.get("headers") or {}), **(answer.get("multiValueHeaders") or {})})
    body = answer.get("body") or ""
    if answer.get("isBase64Encoded"):
        return GatewayResponse(answer["statusCode"], headers, base64.b64decode(body))
    return GatewayResponse(answer["statusCode"], headers, body if isinstance(body, bytes) else body.encode())


def _from_chalice(answer: Response) -> GatewayResponse:
    return GatewayResponse(answer.status_code, _pairs(answer.headers), str(answer.body).encode())


def _pairs(headers: Mapping[str, str | list[str]]) -> list[tuple[str, str]]:
    """Return each header as it is sent. API Gateway adds a content type if there is none. Raises ValueError."""
    pairs = [
        (name, str(one)) for name, value in headers.items() for one in (value if isinstance(value, list) else [value])
    ]
    for name, value in pairs:
        if not _HEADER_VALUE.fullmatch(value):
            raise ValueError(f"the header {name} of a response cannot be sent")
    if not any(name.lower() == "content-type" for name, _ in pairs):
        pairs.append(("Content-Type", "application/json"))
    return pairs


@cache
def reason_of(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Unknown"
