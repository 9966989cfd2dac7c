"""The call that says whether the server works."""

from __future__ import annotations

from typing import Final

from chalicelib.entrypoints.http import responses
from chalicelib.entrypoints.http.request import Request
from chalicelib.entrypoints.http.route import Route
from chalicelib.model.json_values import Json
from chalicelib.service.ports.definitions import Kind


def healthz(request: Request) -> Json:
    """Check that the server and its store work. On one machine something is stored, on AWS something is read."""
    request.services.adapters.check_store()
    request.services.reader.definitions(request.namespace, Kind.ACTION, 1, "")
    return {"status": "ok"}


ROUTES: Final = (
    Route(method="GET", path="/healthz", view=healthz, group="server", role=None, answers={200: responses.Health}),
)
