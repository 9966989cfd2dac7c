"""Views of state diagrams: of a flow, and of a run with the path that it took."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from chalicelib import diagrams
from chalicelib.diagrams import Graph
from chalicelib.entrypoints.http.adapter import Answer, Request
from chalicelib.model import json_values
from chalicelib.model.flow import Flow
from chalicelib.model.json_values import Json
from chalicelib.service.errors import Malformed
from chalicelib.service.ports.definitions import Kind

FORMATS: Final[dict[str, tuple[str, Callable[[Graph], Json]]]] = {
    "json": ("application/json", diagrams.as_json),
    "mermaid": ("text/plain; charset=utf-8", diagrams.mermaid),
    "dot": ("text/vnd.graphviz; charset=utf-8", diagrams.dot),
    "svg": ("image/svg+xml; charset=utf-8", diagrams.svg),
}
"""Format -> content type, and what draws it."""


def of_flow(request: Request, name: str) -> Json:
    """The flow's state diagram."""
    version = request.query.number("version", 0, 1, 10**9) or None
    found = request.services.reader.definition(request.namespace, Kind.FLOW, name, version)
    return _drawn(request, diagrams.graph_of(json_values.decode(found.value, Flow)))


def of_run(request: Request, name: str) -> Json:
    """The state diagram of the run's flow, with its path."""
    view = request.services.reader.view(request.namespace, name)
    return _drawn(request, diagrams.graph_of(view.definition.flow, diagrams.path_of(view.run, view.entries)))


def _drawn(request: Request, found: Graph) -> Answer:
    wanted = (request.query.text("format") or "json").lower()
    if wanted not in FORMATS:
        raise Malformed(f"`format` must be among {', '.join(FORMATS)}, not {wanted!r:.60}")
    content_type, draw = FORMATS[wanted]
    return Answer(draw(found), headers={"Content-Type": content_type})
