"""Pages of a history: order, filters, short values, and entries of any size."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from msgspec.structs import replace

from chalicelib.entrypoints.http.exchange import MAX_RESPONSE_BYTES
from chalicelib.entrypoints.http.presenters.values import MAX_SHORT_BYTES
from chalicelib.service.runs.history import HistoryQuery
from tests.entrypoints.gateway import Reply, call
from tests.entrypoints.steps import answered, defined, started
from tests.hosts import NS, Host, answer_at_once

LOOP = """flow loop
    input = (int left);
    vars = (n = 0);
    step S => (OK -> T) { action = work; save = (n = ${ $vars.n + 1 }); };
    deci T => (when ${ $vars.n < $input.left } -> S | else -> done);
flow_end"""
EACH = """flow spread
    input = (list items);
    each E => (OK -> done | ERROR -> stopped) { items = ${ $input.items }; max = 5; flow = (
        step I => (OK -> done) { action = work; };
    ); };
flow_end"""
ACTION = 'action work addr = "http://work.test/"; return = (OK); action_end'


def looped(host: Host, left: int) -> int:
    """Run a loop to its end, and return how many entries its history has."""
    defined(ACTION, LOOP)
    call("POST", "/flow/loop/runs", {"name": "r", "input": {"left": left}})
    host.actions.script = answer_at_once
    host.settle()
    assert call("GET", "/flowrun/r?view=summary").json["spec"]["status"] == "succeeded"
    seq: int = call("GET", "/flowrun/r?view=summary").json["spec"]["seq"]
    return seq


def every_page(query: str) -> list[list[dict[str, Any]]]:
    found: list[list[dict[str, Any]]] = []
    cursor = ""
    while True:
        reply = call("GET", f"/flowrun/r/history?{query}&cursor={cursor}")
        assert reply.status == 200, reply.text
        found.append(reply.json)
        cursor = reply.headers.get("x-next-cursor", "")
        if not cursor:
            return found


def seqs(query: str) -> list[int]:
    return [entry["seq"] for page in every_page(query) for entry in page]


def test_a_history_is_read_forwards_and_backwards(host: Host) -> None:
    last = looped(host, 300)
    assert last > 500
    assert seqs("limit=7") == list(range(1, last + 1))
    assert seqs("limit=7&order=asc&after=20&before=40") == list(range(21, 40))
    assert seqs("limit=70&order=desc") == list(range(last, 0, -1))
    assert seqs("limit=7&order=desc&after=20&before=40") == list(range(39, 20, -1))
    assert [len(page) for page in every_page("limit=100&order=desc&before=251")] == [100, 100, 50]


def test_a_history_is_filtered(host: Host) -> None:
    looped(host, 20)
    everything = [entry for page in every_page("") for entry in page]
    cases: list[tuple[str, Callable[[dict[str, Any]], bool]]] = [
        ("step=T", lambda entry: "T" in (entry["step"], entry["to"])),
        ("event=StepAcked", lambda entry: entry["event"] == "StepAcked"),
        ("step=T&event=StepAcked", lambda entry: entry["event"] == "StepAcked" and "T" in (entry["step"], entry["to"])),
        ("token=0", lambda entry: entry["token"] == "0"),
        ("token=1", lambda entry: False),
        ("failed=true", lambda entry: bool(entry["error"])),
        ("find=stepACK", lambda entry: "StepAck" in entry["event"]),
        ("find=t&event=StepAcked", lambda entry: entry["event"] == "StepAcked"),
        ("find=nowhere", lambda entry: False),
    ]
    for query, matches in cases:
        expected = [entry["seq"] for entry in everything if matches(entry)]
        assert seqs(f"{query}&limit=3") == expected
        assert seqs(f"{query}&limit=3&order=desc") == expected[::-1]
    reply = call("GET", "/flowrun/r/history?step=none")
    assert (reply.json, reply.headers["x-read"]) == ([], str(len(everything)))
    assert "x-read" not in call("GET", "/flowrun/r/history").headers


@pytest.mark.parametrize("newest_first", [False, True])
def test_a_filter_looks_through_so_many_entries_at_once(host: Host, newest_first: bool) -> None:
    last = looped(host, 30)
    query = HistoryQuery(event="RunStarted", newest_first=newest_first, most=10)
    found: list[int] = []
    read = 0
    while True:
        page = host.services.reader.history_page(NS, "r", query)
        found += [entry.seq for entry in page.entries]
        read += page.read
        assert page.read <= 10
        if page.next is None:
            break
        query = replace(query, before=page.next) if newest_first else replace(query, after=page.next)
    assert (found, read) == ([1], last)


def test_failed_entries_are_found(host: Host) -> None:
    run = started("r")
    call("POST", "/step", answered(run, ackState="FAIL", error={"name": "OutOfStock", "cause": "none left"}))
    found = [entry for page in every_page("failed=true") for entry in page]
    assert {entry["error_name"] for entry in found} == {"OutOfStock"}


def test_values_may_be_short(host: Host) -> None:
    run = started("r")
    data = {"text": "x" * MAX_SHORT_BYTES}
    large = ["y" * 100] * 500
    call("POST", "/step", answered(run, data=data, globalVariables={"a": 1, "b": large}))
    entry = call("GET", "/flowrun/r/history?values=short").json[1]
    sizes = {"data": len(json.dumps(data, separators=(",", ":"))), "b": len(json.dumps(large, separators=(",", ":")))}
    assert entry["data"] == {"$cut": {"type": "map", "bytes": sizes["data"]}}
    assert entry["vars"] == {"a": 1, "b": {"$cut": {"type": "list", "bytes": sizes["b"]}}}
    assert call("GET", "/flowrun/r/watch?values=short").json[1] == entry


def test_a_run_may_have_short_values(host: Host) -> None:
    host.submit(
        "flow f input = (any big, any small); vars = (kept = 1); wait W => (DONE -> done) { for = 1h; }; flow_end"
    )
    host.start("f", big="x" * 2_000, small="y")
    call("POST", "/flowrun/r/vars", {"vars": {"list": list(range(1_000)), "large": "z" * 30_000}})
    spec = call("GET", "/flowrun/r?values=short").json["spec"]
    assert spec["input"] == {"big": {"$cut": {"type": "str", "bytes": 2_002}}, "small": "y"}
    assert spec["global_variable"] == {
        "kept": 1,
        "list": {"$cut": {"type": "list", "bytes": 3_891}},
        "large": {"$cut": {"type": "str", "bytes": 30_002}},
    }
    assert spec["tokens"][0]["waits_for"]["kind"] == "timer"
    whole = call("GET", "/flowrun/r").json["spec"]
    assert (whole["input"]["big"], whole["global_variable"]["list"]) == ("x" * 2_000, list(range(1_000)))
    assert call("GET", "/flowrun/r?values=long").status == 400


def test_a_page_ends_before_it_is_too_large(host: Host) -> None:
    run = started("r")
    for _ in range(40):
        call(
            "POST",
            "/step",
            answered(run, done=False, data="z" * 100, globalVariables=dict.fromkeys("abcdefghijklmno", '"' * 7_000)),
        )
    replies = every_page("limit=1000")
    assert [entry["seq"] for page in replies for entry in page] == list(range(1, 42))
    assert len(replies) > 1


def test_an_entry_that_is_too_large_has_no_values(host: Host) -> None:
    run = started("r")
    many = {f"v{number:04}": '"' * 1_000 for number in range(2_400)}
    assert call("POST", "/step", answered(run, data=1, globalVariables=many)).status == 200
    reply: Reply = call("GET", "/flowrun/r/history?after=1")
    assert len(json.dumps(reply.text)) < MAX_RESPONSE_BYTES
    entry = reply.json[0]
    assert (entry["cut"], entry["data"], entry["vars"], entry["to"]) == (True, None, {}, "B")
    assert call("GET", "/flowrun/r/watch?after=1").json[0] == entry
    assert call("GET", "/flowrun/r/value?of=entry&seq=2&path=/vars&count=1").json["length"] == 2_400


@pytest.mark.parametrize("query", ["order=up", "before=0", "before=x", "failed=maybe", "values=long"])
def test_a_query_that_cannot_be_is_refused(host: Host, query: str) -> None:
    started("r")
    assert call("GET", f"/flowrun/r/history?{query}").code == "malformed"
