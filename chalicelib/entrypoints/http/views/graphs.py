"""Calls that draw state diagrams: of a flow, and of a run with the path that it took."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from chalicelib.entrypoints.http import parameters, responses
from chalicelib.entrypoints.http.parameters import Parameter
from chalicelib.entrypoints.http.request import JSON, Request, Response
from chalicelib.entrypoints.http.route import Route
from chalicelib.model import json_values
from chalicelib.model.flow import Flow
from chalicelib.model.json_values import Json
from chalicelib.service.errors import Malformed
from chalicelib.service.ports.definitions import Kind
from chalicelib.service.security.roles import Role

if TYPE_CHECKING:
    from chalicelib.diagrams import Graph

# Views import `chalicelib.diagrams` when they are called: a cold start does not pay for it.

CONTENT_TYPES: Final = {
    "json": JSON,
    "mermaid": "text/plain; charset=utf-8",
    "dot": "text/vnd.graphviz; charset=utf-8",
    "svg": "image/svg+xml; charset=utf-8",
}


def of_flow(request: Request, name: str) -> Json:
    """Draw the state diagram of a flow."""
    from chalicelib import diagrams

    version = request.query.number("version", 0, 1, 10**9) or None
    found = request.services.reader.definition(request.namespace, Kind.FLOW, name, version)
    return _drawn(request, diagrams.graph_of(json_values.decode(found.value, Flow)))


def of_run(request: Request, name: str) -> Json:
    """Draw the state diagram of a run's flow, with the path that the run took."""
    from chalicelib import diagrams

    view = request.services.reader.outline(request.namespace, name)
    return _drawn(request, diagrams.graph_of(view.definition.flow, diagrams.path_of(view.run, view.entries)))


def _drawn(request: Request, graph: Graph) -> Response:
    from chalicelib import diagrams

    wanted = (request.query.text("format") or "json").lower()
    if wanted not in CONTENT_TYPES:
        raise Malformed(f"`format` must be one of {', '.join(CONTENT_TYPES)}, not {wanted!r:.60}")
    draw = {"json": diagrams.as_json, "mermaid": diagrams.mermaid, "dot": diagrams.dot, "svg": diagrams.svg}[wanted]
    return Response(draw(graph), headers={"Content-Type": CONTENT_TYPES[wanted]})


_MEDIA: Final = {media.partition(";")[0]: {"type": "string"} for media in CONTENT_TYPES.values() if media != JSON}
_FORMAT: Final = Parameter(
    "format", "The format of the diagram.", {"type": "string", "enum": [*CONTENT_TYPES], "default": "json"}
)
ROUTES: Final = (
    Route(
        method="GET",
        path="/flow/{name}/graph",
        view=of_flow,
        group="definitions",
        role=Role.VIEWER,
        query=(_FORMAT, parameters.VERSION),
        answers={200: responses.Graph},
        media=_MEDIA,
        errors=(404,),
    ),
    Route(
        method="GET",
        path="/flowrun/{name}/graph",
        view=of_run,
        group="runs",
        role=Role.VIEWER,
        query=(_FORMAT,),
        answers={200: responses.Graph},
        media=_MEDIA,
        errors=(404,),
    ),
)
