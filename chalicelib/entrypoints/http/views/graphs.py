"""Calls that draw state diagrams: of a flow, and of a run with the path that it took."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from chalicelib import __version__
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


YEAR_S: Final = 31_536_000


def of_flow(request: Request, name: str) -> Json:
    """Draw the state diagram of a flow.

    With `layout=true` the JSON says where boxes and lines are. The diagram of a version never changes: the response
    has an `ETag`, and with `version` it may be cached for a year.
    """
    from chalicelib import diagrams

    version = request.query.number("version", 0, 1, 10**9) or None
    form, has_layout = _form_of(request)
    found = request.services.reader.definition(request.namespace, Kind.FLOW, name, version)
    tag = f'"{found.uuid}.{found.version}.{form}{".layout" if has_layout else ""}.{__version__}"'
    cache = "no-cache" if version is None else f"private, max-age={YEAR_S}, immutable"
    headers = {"ETag": tag, "Cache-Control": cache}
    if tag in _tags(request):
        return Response("", 304, headers)
    return _drawn(diagrams.graph_of(json_values.decode(found.value, Flow)), form, has_layout=has_layout, **headers)


def of_run(request: Request, name: str) -> Json:
    """Draw the state diagram of a run's flow, with the path that the run took.

    Every visit is counted, but for entries of the history before the newest 20,000: `partial` says so.
    """
    from chalicelib import diagrams

    form, has_layout = _form_of(request)
    view = request.services.reader.path(request.namespace, name)
    path = diagrams.path_of(view.run, view.entries)
    return _drawn(diagrams.graph_of(view.definition.flow, path), form, has_layout=has_layout)


def _form_of(request: Request) -> tuple[str, bool]:
    """Return the format, and whether positions are asked for. Raises Malformed."""
    wanted = (request.query.text("format") or "json").lower()
    if wanted not in CONTENT_TYPES:
        raise Malformed(f"`format` must be one of {', '.join(CONTENT_TYPES)}, not {wanted!r:.60}")
    return wanted, request.query.flag("layout") and wanted == "json"


def _tags(request: Request) -> Sequence[str]:
    """Return the tags in `If-None-Match` (RFC 9110, 13.1.2)."""
    found = (one.strip().removeprefix("W/") for one in request.headers.get("if-none-match", "").split(","))
    return [one for one in found if one]


def _drawn(graph: Graph, form: str, *, has_layout: bool, **headers: str) -> Response:
    from chalicelib import diagrams

    if form == "json":
        return Response(diagrams.as_json(graph, has_layout=has_layout), headers=headers)
    draw = {"mermaid": diagrams.mermaid, "dot": diagrams.dot, "svg": diagrams.svg}[form]
    return Response(draw(graph), headers={"Content-Type": CONTENT_TYPES[form], **headers})


_MEDIA: Final = {media.partition(";")[0]: {"type": "string"} for media in CONTENT_TYPES.values() if media != JSON}
_FORMAT: Final = Parameter(
    "format", "The format of the diagram.", {"type": "string", "enum": [*CONTENT_TYPES], "default": "json"}
)
_LAYOUT: Final = Parameter(
    "layout", "Return where boxes and lines are, too. Only JSON has them.", {"type": "boolean", "default": False}
)
ROUTES: Final = (
    Route(
        method="GET",
        path="/flow/{name}/graph",
        view=of_flow,
        group="definitions",
        role=Role.VIEWER,
        query=(_FORMAT, _LAYOUT, parameters.VERSION),
        answers={200: responses.Graph},
        media=_MEDIA,
        errors=(404,),
        tagged=True,
    ),
    Route(
        method="GET",
        path="/flowrun/{name}/graph",
        view=of_run,
        group="runs",
        role=Role.VIEWER,
        query=(_FORMAT, _LAYOUT),
        answers={200: responses.Graph},
        media=_MEDIA,
        errors=(404,),
    ),
)
