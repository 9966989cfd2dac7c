"""All routes of the HTTP interface, and the calls about the server itself."""

from __future__ import annotations

from typing import Final, Literal

from chalice.app import Authorizer, Blueprint

from chalicelib.config import Access
from chalicelib.entrypoints.http import adapter, responses
from chalicelib.entrypoints.http.request import Request, Response
from chalicelib.entrypoints.http.route import Route
from chalicelib.entrypoints.http.views import (
    aws_sdk,
    command,
    definitions,
    doctor,
    events,
    graphs,
    runs,
    schedules,
    secrets,
    steps,
    tokens,
    watch,
)
from chalicelib.model.json_values import Json
from chalicelib.service.ports.definitions import Kind


def root(_: Request) -> Json:
    """Get the name of the service."""
    return "echoer"


def healthz(request: Request) -> Json:
    """Check that the server and its store work. On one machine something is stored, on AWS something is read."""
    request.services.adapters.check_store()
    request.services.reader.definitions(request.namespace, Kind.ACTION, 1, "")
    return {"status": "ok"}


def openapi_document(request: Request) -> Json:
    """Get this interface as an OpenAPI 3.1 document."""
    from chalicelib.entrypoints.http.openapi import document  # loaded on first use: a cold start does not pay for it

    return document.document(ROUTES, request.services.settings)


def openapi_page(request: Request) -> Json:
    """Get this interface as an HTML page."""
    from chalicelib.entrypoints.http.openapi import document, examples, page

    text = page.page(document.document(ROUTES, request.services.settings), ROUTES, examples.exchanges())
    return Response(text, headers={"Content-Type": "text/html; charset=utf-8"})


SERVER: Final = (
    Route(method="GET", path="/", view=root, group="server", role=None, answers={200: Literal["echoer"]}),
    Route(method="GET", path="/healthz", view=healthz, group="server", role=None, answers={200: responses.Health}),
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
    *graphs.ROUTES,
    *runs.ROUTES,
    *steps.ROUTES,
    *events.ROUTES,
    *schedules.ROUTES,
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
