"""State diagrams over HTTP."""

from __future__ import annotations

import time
from typing import Any

import pytest

from chalicelib.diagrams import as_json, graph_of, path_of, svg
from chalicelib.service.ports.actions import NotTaken, Reply, Taken
from tests.entrypoints.gateway import call
from tests.entrypoints.steps import started
from tests.hosts import NS, Host, answer_at_once


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


DECIDES = """flow decides
    input = (int n);
    set A => (DONE -> B) { save = (n = ${ $input.n }); };
    deci B => (when ${ $vars.n > 0 } -> C | else -> done);
    set C => (DONE -> B) { save = (n = ${ $vars.n - 1 }); };
flow_end"""


def _visits(graph: dict[str, Any]) -> tuple[dict[str, int], dict[tuple[str, str], int]]:
    nodes = {node["name"]: node["visits"] for node in graph["nodes"] if node["name"]}
    edges = {(edge["source"], edge["target"]): edge["visits"] for edge in graph["edges"]}
    return nodes, edges


def test_decisions_by_data_are_counted(host: Host) -> None:
    host.submit(DECIDES)
    host.start("decides", n=3)
    host.settle()
    graph = call("GET", "/flowrun/r/graph").json
    nodes, edges = _visits(graph)
    assert nodes == {"A": 1, "B": 4, "C": 3}
    assert edges["begin:", "step:A"] == 1
    assert (edges["step:B", "step:C"], edges["step:B", "done:"]) == (3, 1)
    assert (graph["name"], graph["run"]) == ("decides", "r")
    assert "partial" not in graph


@pytest.mark.parametrize(
    ("routes", "reply", "visits"),
    [
        ("OK -> done | NO -> stopped", NotTaken("no", final=True), 0),
        ("OK -> done | NO -> stopped | ERROR -> stopped", NotTaken("no", final=True), 1),
        ("OK -> done | NO -> stopped", Taken({"ackState": "NO"}), 1),
    ],
)
def test_a_failure_that_no_route_takes_is_drawn_on_no_route(host: Host, routes: str, reply: Reply, visits: int) -> None:
    """`stopped` has the edge of NO; a delivery that is refused returns ERROR."""
    host.actions.script = lambda _request: reply
    host.submit(f"""action work method = http; addr = "http://work.test/"; return = (OK | NO); action_end
    /
    flow f step A => ({routes}) {{ action = work; }}; flow_end""")
    host.start("f")
    host.settle()
    graph = call("GET", "/flowrun/r/graph").json
    nodes, edges = _visits(graph)
    assert (nodes, edges["step:A", "stopped:"]) == ({"A": 1}, visits)
    assert [one["failed"] for one in graph["nodes"] if one["name"]] == [True]
    counted = call("GET", "/flow/f/graph?visits=10").json
    assert _visits(counted)[1]["step:A", "stopped:"] == visits


def test_all_visits_of_many_items_are_counted_quickly(host: Host) -> None:
    host.submit("flow many each E => (DONE -> done) { items = ${ [1..10000] }; set S => (DONE -> done); }; flow_end")
    host.start("many")
    host.settle()
    started_at = time.process_time()
    graph = call("GET", "/flowrun/r/graph").json
    assert time.process_time() - started_at < 3
    nodes, edges = _visits(graph)
    assert nodes == {"E": 1, "S": 10_000}
    assert edges["begin:E/", "step:S"] == 10_000
    assert edges["begin:", "step:E"] == 1


def test_a_longer_history_is_partial_and_says_from_where(host: Host) -> None:
    host.submit(DECIDES)
    host.start("decides", n=150)
    host.settle()
    view = host.services.reader.view(NS, "r")
    path = path_of(view.run, view.entries[-100:])
    graph = as_json(graph_of(view.definition.flow, path))
    assert graph["partial"] == {"from": view.run.seq - 99}
    assert f"from entry {view.run.seq - 99} on" in svg(graph_of(view.definition.flow, path))


def test_work_that_was_undone_is_marked(host: Host) -> None:
    host.submit(
        'action book addr = "http://book.test/"; return = (OK); undo = cancel; action_end\n/\n'
        'action cancel addr = "http://cancel.test/"; return = (OK); action_end\n/\n'
        "flow trip step Book => (OK -> Fail) { action = book; };"
        " deci Fail => (else -> stopped); flow_end"
    )
    host.actions.script = answer_at_once
    host.start("trip")
    host.settle()
    nodes = {node["name"]: node for node in call("GET", "/flowrun/r/graph").json["nodes"]}
    assert (nodes["Book"]["undone"], nodes["Book"]["undoing"], nodes["Book"]["visits"]) == (1, False, 1)
    assert "undone" in call("GET", "/flowrun/r/graph?format=svg").text


def test_positions_are_there_on_request(host: Host) -> None:
    started()
    for path in ("/flow/two/graph", "/flowrun/r/graph"):
        assert "layout" not in call("GET", path).json
        layout = call("GET", f"{path}?layout=true").json["layout"]
        assert {box["id"] for box in layout["boxes"]} >= {"step:A", "step:B", "begin:"}
        assert len(layout["ways"]) == len(call("GET", path).json["edges"])
        assert all(box["x"] + box["w"] <= layout["width"] + 0.2 for box in layout["boxes"])


def test_the_graph_of_a_version_is_cached(host: Host) -> None:
    started()
    first = call("GET", "/flow/two/graph?version=1&layout=true")
    assert first.headers["Cache-Control"] == "private, max-age=31536000, immutable"
    tag = first.headers["ETag"]
    again = call("GET", "/flow/two/graph?version=1&layout=true", headers={"If-None-Match": f'"x", {tag}'})
    assert (again.status, again.text, again.headers["ETag"]) == (304, "", tag)
    newest = call("GET", "/flow/two/graph?layout=true")
    assert (newest.headers["Cache-Control"], newest.headers["ETag"]) == ("no-cache", tag)
    assert call("GET", "/flow/two/graph", headers={"If-None-Match": tag}).status == 200
