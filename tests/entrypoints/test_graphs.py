"""State diagrams over HTTP."""

from __future__ import annotations

import pytest

from tests.entrypoints.gateway import call
from tests.entrypoints.steps import started
from tests.hosts import Host


@pytest.mark.parametrize(
    ("wanted", "content_type", "begins"),
    [
        ("mermaid", "text/plain; charset=utf-8", "stateDiagram-v2"),
        ("dot", "text/vnd.graphviz; charset=utf-8", "digraph"),
        ("svg", "image/svg+xml; charset=utf-8", "<svg"),
    ],
)
def test_a_run_is_drawn_in_every_format(host: Host, wanted: str, content_type: str, begins: str) -> None:
    started()
    reply = call("GET", f"/flowrun/r/graph?format={wanted}")
    assert (reply.status, reply.headers["Content-Type"]) == (200, content_type)
    assert begins in reply.text[:200]


def test_json_is_what_is_given_where_nothing_is_said(host: Host) -> None:
    started()
    assert {"nodes", "edges", "scopes"} <= call("GET", "/flowrun/r/graph").json.keys()


def test_an_impossible_drawing_is_an_error(host: Host) -> None:
    started()
    assert call("GET", "/flowrun/r/graph?format=gif").status == 400
    assert call("GET", "/flow/nothing/graph").status == 404
    assert call("GET", "/flowrun/nothing/graph").status == 404
