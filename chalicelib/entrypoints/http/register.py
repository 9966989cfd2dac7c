"""Register every HTTP call with Chalice, without what serves it: a call loads its view when it is first made."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from importlib import import_module
from typing import Any, Final, Protocol, cast

from chalice.app import Authorizer, Blueprint, Request, Response

from chalicelib.config import Access
from chalicelib.entrypoints.http.calls import CALLS, Call


class _Guarded(Protocol):
    """A call as far as it says who may make it."""

    @property
    def is_public(self) -> bool: ...

    @property
    def is_callback(self) -> bool: ...


ANY_TYPE: Final = ["*/*"]
"""The content types that Chalice accepts. Existing clients and curl send arbitrary ones."""


def blueprint(authorizer: Authorizer | None, callbacks: Access, *, has_preflights: bool = False) -> Blueprint:
    """Return a Blueprint with all calls. API Gateway asks `authorizer` before it forwards a call that needs a caller.

    `callbacks` is the setting for answers to steps. `has_preflights`: `OPTIONS` of every path is a call, too.
    """
    made = Blueprint(__name__)
    made.register_middleware(_in_context, "http")
    for call in (*CALLS, *(_preflights() if has_preflights else ())):
        gate = authorizer if requires_caller(call, callbacks) else None
        made.route(call.path, methods=[call.method], content_types=ANY_TYPE, authorizer=gate)(_handler(call))
    return made


def _preflights() -> list[Call]:
    """Return a call `OPTIONS` for every path: API Gateway forwards a preflight as it forwards all requests."""
    paths = dict.fromkeys(call.path for call in CALLS)
    return [Call("OPTIONS", path, "chalicelib.entrypoints.http.cors", is_public=True) for path in paths]


def requires_caller(call: _Guarded, callbacks: Access) -> bool:
    """Whether the call needs a token or a signature. `callbacks` is the setting for answers to steps."""
    return not (call.is_public or (call.is_callback and callbacks is Access.OPEN))


@cache
def load(call: Call) -> Callable[..., Response]:
    """Load the view of the call and return the function that serves it."""
    from chalicelib.entrypoints.http import exchange

    routes = import_module(call.module).ROUTES
    return exchange.handler(next(route for route in routes if route.call == (call.method, call.path)))


def serve(method: str, path: str, request: Request, names: Mapping[str, str]) -> Response:
    """Serve a call as Chalice would, without its routing. `path` is that of the call, `names` are those in it."""
    return cast(Response, _in_context(request, lambda _: load(_BY_ROUTE[method, path])(**names)))


_BY_ROUTE: Final = {(call.method, call.path): call for call in CALLS}


def _handler(call: Call) -> Callable[..., Response]:
    def handle(**names: str) -> Response:
        return load(call)(**names)

    return handle


def _in_context(request: Request, get_response: Callable[[Request], Any]) -> Any:
    from chalicelib.entrypoints.http import exchange

    return exchange.in_context(request, get_response)
