"""The calls about the server itself."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from chalicelib import __version__
from chalicelib.config import Settings
from chalicelib.engine.values.size_limits import MAX_VALUE_BYTES
from chalicelib.entrypoints.http import exchange, presenters, responses
from chalicelib.entrypoints.http.openapi.made_once import MadeOnce
from chalicelib.entrypoints.http.request import Request, Response
from chalicelib.entrypoints.http.route import Route
from chalicelib.model.json_values import Json
from chalicelib.service.ports.definitions import Kind
from chalicelib.service.security.roles import Role


def healthz(request: Request) -> Json:
    """Check that the server and its store work. On one machine something is stored, on AWS something is read."""
    request.services.adapters.check_store()
    request.services.reader.definitions(request.namespace, Kind.ACTION, 1, "")
    return {"status": "ok"}


def me(request: Request) -> Json:
    """Get the caller: its role and namespace, and the calls that they permit.

    `by` is the name that the history and the audit record. `auth` is how the server authenticates: `open`, `token` or
    `iam`. `callbacks` is `open` if answers of action services require no token. `limits` are in bytes.
    """
    settings, caller = request.services.settings, request.identity
    role = caller.role if caller else Role.ADMIN
    found: responses.Me = {
        "by": request.caller,
        "role": role,
        "namespace": request.namespace,
        "bound": request.bound,
        "auth": settings.auth,
        "expires_at": presenters.moment(caller.expires_at if caller else None),
        "calls": [" ".join(route.call) for route in _all_routes() if route.allows(role)],
        "version": __version__,
        "callbacks": settings.callbacks,
        "limits": {"answer": exchange.MAX_RESPONSE_BYTES, "value": MAX_VALUE_BYTES},
    }
    return found


def openapi_document(request: Request) -> Json:
    """Get this interface as an OpenAPI 3.1 document."""
    return _DOCUMENT.of(request.services.settings)


def openapi_page(request: Request) -> Json:
    """Get this interface as an HTML page."""
    return Response(_PAGE.of(request.services.settings), headers={"Content-Type": "text/html; charset=utf-8"})


def _document(settings: Settings) -> Json:
    from chalicelib.entrypoints.http.openapi import document  # loaded on first use: a cold start does not pay for it

    return document.document(_all_routes(), settings)


def _page(settings: Settings) -> Json:
    from chalicelib.entrypoints.http.openapi import document, examples, page

    return page.page(document.document(_all_routes(), settings), _all_routes(), examples.exchanges())


_DOCUMENT: Final = MadeOnce(_document)
_PAGE: Final = MadeOnce(_page)


def _all_routes() -> Sequence[Route]:
    from chalicelib.entrypoints.http.routes import ROUTES  # loads every view

    return ROUTES


ROUTES: Final = (
    Route(method="GET", path="/healthz", view=healthz, group="server", role=None, answers={200: responses.Health}),
    Route(
        method="GET",
        path="/me",
        view=me,
        group="server",
        role=Role.VIEWER,
        other_roles=(Role.ACTION, Role.CLERK),
        answers={200: responses.Me},
    ),
    Route(
        method="GET",
        path="/openapi.json",
        view=openapi_document,
        group="server",
        role=None,
        answers={200: dict[str, Json]},
    ),
    Route(
        method="GET",
        path="/docs",
        view=openapi_page,
        group="server",
        role=None,
        media={"text/html": {"type": "string"}},
    ),
)
