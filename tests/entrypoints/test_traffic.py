"""What the runs of a flow did, in its graph: `GET /flow/{name}/graph?visits=&live=`."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from chalicelib.model.history import Entries, Entry, Page
from chalicelib.service.runs.entries import MAX_READ_ENTRIES
from tests.entrypoints.gateway import call
from tests.hosts import NS, Host

FLOW = """flow choose
    input = (int n = 0);
    deci A => (when ${ $input.n > 0 } -> B | else -> C);
    wait B => (DONE -> done) { for = 1h; };
    set C => (DONE -> done);
flow_end"""


def graph(query: str) -> Any:
    reply = call("GET", f"/flow/choose/graph?{query}")
    assert reply.status == 200, reply.text
    return reply.json


def numbers(found: Any, name: str) -> dict[str, int]:
    return {node["name"]: node[name] for node in found["nodes"] if node["name"]}


def taken(found: Any) -> dict[tuple[str, str], int]:
    return {(edge["source"], edge["target"]): edge["visits"] for edge in found["edges"]}


@pytest.fixture
def chosen(host: Host) -> Host:
    """Start three runs: one waits at B, two have passed C."""
    host.submit(FLOW)
    for name, n in (("r1", 1), ("r2", 0), ("r3", 0)):
        host.start("choose", name, n=n)
    host.settle()
    return host


def test_routes_that_runs_took_are_counted(chosen: Host) -> None:
    found = graph("visits=1000")
    assert numbers(found, "visits") == {"A": 3, "B": 0, "C": 2}
    ways = taken(found)
    assert (ways["step:A", "step:B"], ways["step:A", "step:C"], ways["step:B", "done:"]) == (1, 2, 0)
    assert ways["begin:", "step:A"] == 3
    assert found["counted"] == {"runs": 3, "more": False, "partial": 0}
    labels = {
        label: times for edge in found["edges"] for label, times in zip(edge["labels"], edge["taken"], strict=True)
    }
    assert labels == {"when $input.n > 0": 1, "else": 2, "DONE": 2}
    assert "live" not in found
    assert not any(node["current"] or node["failed"] for node in found["nodes"])


def test_routes_to_the_same_target_are_told_apart(host: Host) -> None:
    """By state, and by which of the routes with the same state it is."""
    host.submit(
        "action a method = human; args = (str x); return = (YES | NO | LATER); action_end\n/\n"
        "flow choose input = (int n = 0);\n"
        "    step A => (YES when ${ $input.n > 9 } -> done | YES -> done | NO -> done | LATER -> stopped) "
        '{ action = a; args = (x = "1"); };\nflow_end'
    )
    for name, n, state in (("r1", 10, "YES"), ("r2", 1, "YES"), ("r3", 1, "YES"), ("r4", 1, "LATER")):
        host.start("choose", name, n=n)
        host.settle()
        host.answer("A", state, name)
    ways = {(edge["source"], edge["target"]): edge["taken"] for edge in graph("visits=9")["edges"]}
    assert ways == {("begin:", "step:A"): [], ("step:A", "done:"): [1, 2, 0], ("step:A", "stopped:"): [1]}


def test_the_newest_runs_are_counted_first(chosen: Host) -> None:
    found = graph("visits=2")
    assert numbers(found, "visits") == {"A": 2, "B": 0, "C": 2}
    assert found["counted"] == {"runs": 2, "more": True, "partial": 0}


def test_where_live_runs_are(chosen: Host) -> None:
    chosen.start("choose", "r4", n=5)
    chosen.settle()
    found = graph("live=1000&layout=true")
    assert numbers(found, "there") == {"A": 0, "B": 2, "C": 0}
    assert found["live"] == {"runs": 2, "more": False}
    assert "layout" in found
    assert "counted" not in found
    assert graph("live=1")["live"] == {"runs": 1, "more": True}


def test_a_version_is_counted_by_itself_if_it_is_given(chosen: Host) -> None:
    chosen.submit(FLOW.replace("for = 1h", "for = 2h"))
    chosen.start("choose", "r4", n=5)
    chosen.settle()
    assert numbers(graph("visits=1000&live=9"), "visits")["A"] == 4
    second = graph("visits=1000&live=9&version=2")
    assert (numbers(second, "visits"), numbers(second, "there")["B"]) == ({"A": 1, "B": 0, "C": 0}, 1)
    assert numbers(graph("visits=9&version=1"), "visits")["A"] == 3


def test_runs_of_other_flows_are_not_counted(chosen: Host) -> None:
    chosen.submit("flow other set A => (DONE -> done); flow_end")
    chosen.start("other", "o1")
    chosen.settle()
    assert numbers(graph("visits=1000"), "visits")["A"] == 3


def test_the_graph_without_counts_is_as_before(chosen: Host) -> None:
    reply = call("GET", "/flow/choose/graph")
    assert "ETag" in reply.headers
    assert not {"counted", "live"} & reply.json.keys()
    assert "there" not in reply.json["nodes"][0]
    assert "ETag" not in call("GET", "/flow/choose/graph?visits=1").headers
    assert "2 times" in call("GET", "/flow/choose/graph?visits=9&format=svg").text


@pytest.mark.parametrize("query", ["visits=0", "visits=1001", "live=1001", "live=x", "visits=-1"])
def test_at_most_a_thousand_runs_are_counted(chosen: Host, query: str) -> None:
    assert call("GET", f"/flow/choose/graph?{query}").status == 400


def test_older_history_is_counted_up_to_a_bound(chosen: Host) -> None:
    """The tail in the head costs nothing; older pages are read until the bound is reached."""

    def passed(seq: int) -> Entry:
        return Entry(seq=seq, at=seq, event="StepAcked", step="A", origin="A", target="C", state="DONE")

    half = MAX_READ_ENTRIES // 2
    for name, older in (("r1", half), ("r2", half + 1), ("r3", half)):
        run = chosen.store.runs.load(NS, name)
        assert run is not None
        for first in range(1, older + 1, 1_000):
            entries = tuple(passed(seq) for seq in range(first, min(first + 1_000, older + 1)))
            chosen.store.runs.put_page(run, Page(stored=Entries.of(entries)))
        tail = (passed(older + 1),)
        chosen.store.runs.save(replace(run, version=run.version + 1, stored_tail=Entries.of(tail)), seen=run.version)
    found = graph("visits=1000")
    assert found["counted"] == {"runs": 3, "more": False, "partial": 1}
    assert taken(found)["step:A", "step:C"] == 2 * half + 3


def test_an_unknown_flow_has_no_traffic(host: Host) -> None:
    assert call("GET", "/flow/none/graph?visits=9").status == 404
