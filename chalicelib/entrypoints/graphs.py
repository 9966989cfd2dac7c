"""Views of state diagrams: of a flow, and of a run with the path that it took."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from chalicelib import definition as values
from chalicelib.definition import Flow, Json
from chalicelib.engine import graph
from chalicelib.engine.graph import Graph
from chalicelib.entrypoints.door import Answer, Request
from chalicelib.service.errors import Malformed
from chalicelib.service.ports import Kind

FORMATS: Final[dict[str, tuple[str, Callable[[Graph], Json]]]] = {
    "json": ("application/json", graph.as_json),
    "mermaid": ("text/plain; charset=utf-8", graph.mermaid),
    "dot": ("text/vnd.graphviz; charset=utf-8", graph.dot),
    "svg": ("image/svg+xml; charset=utf-8", graph.svg),
}
"""Format -> content type, and what draws it."""


def of_flow(request: Request, name: str) -> Json:
    """The flow's state diagram."""
    version = request.query.number("version", 0, 1, 10**9) or None
    found = request.services.reader.definition(request.namespace, Kind.FLOW, name, version)
    return _drawn(request, graph.graph_of(values.decode(found.value, Flow)))


def of_run(request: Request, name: str) -> Json:
    """The state diagram of the run's flow, with its path."""
    view = request.services.reader.view(request.namespace, name)
    return _drawn(request, graph.graph_of(view.definition.flow, graph.path_of(view.run, view.entries)))


def _drawn(request: Request, found: Graph) -> Answer:
    wanted = (request.query.text("format") or "json").lower()
    if wanted not in FORMATS:
        raise Malformed(f"`format` must be among {', '.join(FORMATS)}, not {wanted!r:.60}")
    content_type, draw = FORMATS[wanted]
    return Answer(draw(found), headers={"Content-Type": content_type})
