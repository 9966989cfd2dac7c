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
from chalicelib.service.details.traffic import MAX_TRAFFIC_RUNS
from chalicelib.service.errors import Malformed
from chalicelib.service.ports.definitions import Kind
from chalicelib.service.security.roles import Role

if TYPE_CHECKING:
    from chalicelib.diagrams import Edge, Graph

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

    With `visits=N` it shows what the newest N runs did: `visits` counts how often a step was left and a route taken,
    `counted` how many runs that were, and `taken` of an edge has a number for each of its labels. With `live=N` every
    node has `there`: how many tokens of the newest N live runs are at the step. Runs of every version are counted by
    the names of their steps, unless `version` is given.
    """
    from chalicelib import diagrams

    version = request.query.number("version", 0, 1, 10**9) or None
    form, has_layout = _form_of(request)
    found = request.services.reader.definition(request.namespace, Kind.FLOW, name, version)
    visits, live = (request.query.number(one, 0, 1, MAX_TRAFFIC_RUNS) for one in ("visits", "live"))
    if visits or live:
        flow = json_values.decode(found.value, Flow)
        return _with_traffic(request, flow, version, (visits, live), form, has_layout=has_layout)
    tag = f'"{found.uuid}.{found.version}.{form}{".layout" if has_layout else ""}.{__version__}"'
    cache = "no-cache" if version is None else f"private, max-age={YEAR_S}, immutable"
    headers = {"ETag": tag, "Cache-Control": cache}
    if tag in _tags(request):
        return Response("", 304, headers)
    return _drawn(diagrams.graph_of(json_values.decode(found.value, Flow)), form, has_layout=has_layout, **headers)


def _with_traffic(
    request: Request, flow: Flow, version: int | None, limits: tuple[int, int], form: str, *, has_layout: bool
) -> Json:
    """Return the graph of the flow with what its runs did, of at most so many runs, and of so many live ones."""
    from chalicelib import diagrams
    from chalicelib.service.details.traffic import Traffic

    visits, live = limits
    reader, place = request.services.traffic, (request.namespace, flow.name, version)
    taken = reader.taken(*place, visits) if visits else Traffic()
    graph = diagrams.graph_of(flow, diagrams.Path(taken.steps, taken.moves, there=taken.there))
    if form != "json":
        return _drawn(graph, form, has_layout=has_layout)
    made = diagrams.as_json(graph, has_layout=has_layout)
    if visits:
        taken_by = diagrams.labels_taken(flow, taken.routes)
        for drawn, edge in zip(made["edges"], graph.edges, strict=True):
            drawn["taken"] = taken_by.get(_route_of(edge), [])
        made["counted"] = {"runs": taken.runs, "more": taken.more, "partial": taken.partial}
    if live:
        standing = reader.live(*place, live)
        made["live"] = {"runs": standing.runs, "more": standing.more}
        for node in made["nodes"]:
            node["there"] = standing.there.get(node["name"], 0)
    return Response(made)


def _route_of(edge: Edge) -> tuple[str, str]:
    """Return the step that the edge leaves, and its target as routes name it."""
    kind, _, name = edge.target.partition(":")
    return edge.source.removeprefix("step:"), name if kind == "step" else kind


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
_TRAFFIC: Final = parameters.integer(1, MAX_TRAFFIC_RUNS)
_VISITS: Final = Parameter("visits", "Count what at most so many of the flow's newest runs did.", _TRAFFIC)
_LIVE: Final = Parameter("live", "Count where at most so many of the flow's newest live runs are.", _TRAFFIC)
ROUTES: Final = (
    Route(
        method="GET",
        path="/flow/{name}/graph",
        view=of_flow,
        group="definitions",
        role=Role.VIEWER,
        query=(_FORMAT, _LAYOUT, parameters.VERSION, _VISITS, _LIVE),
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
