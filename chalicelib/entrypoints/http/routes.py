"""All routes of the HTTP interface, and the calls about the server itself."""

from __future__ import annotations

from typing import Final

from chalice.app import Authorizer, Blueprint

from chalicelib import __version__
from chalicelib.config import Access, Settings
from chalicelib.engine.values.size_limits import MAX_VALUE_BYTES
from chalicelib.entrypoints.http import adapter, presenters, responses
from chalicelib.entrypoints.http.openapi.made_once import MadeOnce
from chalicelib.entrypoints.http.request import Request, Response
from chalicelib.entrypoints.http.route import Route
from chalicelib.entrypoints.http.terminal import route as command
from chalicelib.entrypoints.http.views import (
    activations,
    authoring,
    aws_sdk,
    batches,
    console,
    definitions,
    doctor,
    events,
    graphs,
    histories,
    holds,
    items,
    plays,
    run_lists,
    runs,
    schedules,
    secrets,
    steps,
    timers,
    tokens,
    values,
    versions,
    watch,
)
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
        "calls": [" ".join(route.call) for route in ROUTES if route.allows(role)],
        "version": __version__,
        "callbacks": settings.callbacks,
        "limits": {"answer": adapter.MAX_RESPONSE_BYTES, "value": MAX_VALUE_BYTES},
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

    return document.document(ROUTES, settings)


def _page(settings: Settings) -> Json:
    from chalicelib.entrypoints.http.openapi import document, examples, page

    return page.page(document.document(ROUTES, settings), ROUTES, examples.exchanges())


_DOCUMENT: Final = MadeOnce(_document)
_PAGE: Final = MadeOnce(_page)


SERVER: Final = (
    *console.ROUTES,
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

ROUTES: Final = (
    *SERVER,
    *command.ROUTES,
    *doctor.ROUTES,
    *definitions.ROUTES,
    *versions.ROUTES,
    *holds.ROUTES,
    *graphs.ROUTES,
    *authoring.ROUTES,
    *plays.ROUTES,
    *run_lists.ROUTES,
    *runs.ROUTES,
    *histories.ROUTES,
    *values.ROUTES,
    *batches.ROUTES,
    *activations.ROUTES,
    *items.ROUTES,
    *steps.ROUTES,
    *events.ROUTES,
    *schedules.ROUTES,
    *timers.ROUTES,
    *watch.ROUTES,
    *secrets.ROUTES,
    *tokens.ROUTES,
)
"""Every HTTP call: THE table. The order is that of the OpenAPI document and the documentation.

Calls in AWS's protocol (`views.aws_sdk`) are not among them: the OpenAPI document describes this interface only.
"""


def blueprint(authorizer: Authorizer | None, callbacks: Access) -> Blueprint:
    """Return the routes for Chalice. API Gateway asks `authorizer` before it forwards a call that needs a role."""
    return adapter.blueprint(__name__, (*ROUTES, *aws_sdk.ROUTES), authorizer, callbacks)
