"""Nothing that a run holds makes a list, a run or a watch unreadable."""

from __future__ import annotations

import json
import tracemalloc
from typing import Any

import pytest

from chalicelib.entrypoints.http import pages
from chalicelib.entrypoints.http.exchange import MAX_RESPONSE_BYTES
from chalicelib.entrypoints.http.pages import MAX_PAGE_BYTES
from chalicelib.entrypoints.http.presenters.run_steps import MAX_REPEATED_BYTES
from chalicelib.entrypoints.http.presenters.summaries import MAX_ERROR_CHARACTERS
from chalicelib.entrypoints.http.views.run_lists import SMALL_LIST_BYTES
from chalicelib.service.runs.references import MAX_SHOWN_BYTES, PREVIEW_CHARACTERS
from tests.entrypoints.gateway import Reply, call
from tests.entrypoints.steps import answered, defined, started
from tests.entrypoints.test_echoer_types import RUN, STEP, decode
from tests.hosts import Host

BIG = """flow big
    input = (any x = null, any y = null);
    wait W => (DONE -> done) { for = 1h; };
flow_end"""
MANY_STEPS = 30
CHAIN = (
    "flow chain "
    + " ".join(
        f"step S{n} => (OK -> {f'S{n + 1}' if n + 1 < MANY_STEPS else 'done'}) {{ action = work; }};"
        for n in range(MANY_STEPS)
    )
    + " flow_end"
)
ACTION = 'action work addr = "http://work.test/"; return = (OK); action_end'


def begin(name: str, **given: Any) -> Reply:
    return call("POST", "/flow/big/runs", {"name": name, "input": given})


def within_lambda(reply: Reply) -> bool:
    return len(json.dumps(reply.text)) <= MAX_RESPONSE_BYTES


# ── summaries ────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_summary_has_what_a_list_shows(host: Host) -> None:
    run = started("r", labels={"team": "a"})
    (listed,) = call("GET", "/flowrun?view=summary").json
    input_bytes = len(json.dumps(run["spec"]["input"], separators=(",", ":")))
    assert {**listed, "ended": False} == call("GET", "/flowrun/r?view=summary").json
    assert listed == {
        "metadata": run["metadata"],
        "spec": {
            "flow": "two",
            "flow_version": 1,
            "status": "running",
            "current_state": "A",
            "last_state": "ready",
            "last_event": "start",
            "last_err": "",
            "error": None,
            "seq": 1,
            "writes": 1,
            "tokens": 1,
            "next_deadline": "2027-01-22T08:00:00.000Z",
            "created_at": "2027-01-15T08:00:00.000Z",
            "updated_at": "2027-01-15T08:00:00.000Z",
            "ended_at": None,
            "parent": None,
            "sizes": {"input": input_bytes, "global_variable": 2, "output": 0},
        },
    }
    decode(RUN, listed)


def test_a_summary_says_why_a_run_failed_and_no_more_than_fits(host: Host) -> None:
    run = started("r")
    cause = "no stock " * 100
    call("POST", "/step", answered(run, ackState="FAIL", error={"name": "OutOfStock", "cause": cause}))
    spec = call("GET", "/flowrun/r?view=summary").json["spec"]
    assert (spec["status"], spec["next_deadline"]) == ("failed", None)
    assert spec["error"]["name"] == "OutOfStock"
    assert spec["error"]["cause"] == cause[:MAX_ERROR_CHARACTERS]
    assert len(spec["last_err"]) == MAX_ERROR_CHARACTERS


@pytest.mark.parametrize("view", ["summery", "brief", "1"])
def test_a_shape_that_is_none_is_refused(host: Host, view: str) -> None:
    reply = call("GET", f"/flowrun?view={view}")
    assert reply.code == "malformed"
    assert "summary or full" in reply.json["message"]


def test_a_list_is_whole_only_while_it_is_small(host: Host) -> None:
    defined(BIG)
    value = ["x" * 1_000] * 15
    for number in range(5):
        begin(f"r{number}", x=value)
    whole = call("GET", "/flowrun").json
    assert [run["spec"]["input"]["x"] for run in whole] == [value] * 5
    for number in range(5, SMALL_LIST_BYTES // 15_000 + 5):
        begin(f"r{number}", x=value)
    brief = call("GET", "/flowrun?limit=200").json
    assert {run["spec"].get("cut") for run in brief} == {True}
    assert len(brief) > 5
    decode([RUN], brief)
    full = call("GET", "/flowrun?limit=200&view=full").json
    assert [run["metadata"] for run in full] == [run["metadata"] for run in brief]
    assert all(run["spec"]["input"]["x"] == value for run in full)


def test_a_list_of_whole_runs_ends_before_it_is_too_large(host: Host) -> None:
    defined(BIG)
    names = [f"r{number:02}" for number in range(12)]
    for name in names:
        begin(name, x={f"k{n}": '"' * 10_000 for n in range(1)}, y=['"' * 40] * 100)
        host.clock.advance(1)
    for name in names:
        call("POST", f"/flowrun/{name}/vars", {"vars": {f"v{n}": '"' * 7_000 for n in range(40)}})
    seen: list[str] = []
    cursor, pages_read = "", 0
    while True:
        reply = call("GET", f"/flowrun?view=full&cursor={cursor}")
        assert reply.status == 200
        assert within_lambda(reply)
        seen += [run["metadata"]["name"] for run in reply.json]
        assert all("cut" not in run["spec"] for run in reply.json)
        pages_read += 1
        cursor = reply.headers.get("x-next-cursor", "")
        if not cursor:
            break
    assert seen == names[::-1]
    assert pages_read > 1


# ── large values ─────────────────────────────────────────────────────────────────────────────────────────────────────


def fat_run(host: Host) -> dict[str, Any]:
    """Return the size of each answer about a run of 30 steps that sends a variable of 210 KB on from step to step."""
    defined(ACTION, CHAIN)
    run: dict[str, Any] = call("POST", "/flow/chain/runs", {"name": "fat", "labels": {"a": 1}}).json
    for _ in range(MANY_STEPS - 1):
        assert call("POST", "/step", answered(run, globalVariables={"fat": "f" * 210_000})).status == 200
        run = call("GET", "/flowrun/fat").json
    return dict(run)


def test_one_run_takes_the_list_from_no_one(host: Host) -> None:
    started("other")
    run = fat_run(host)
    for url in ("/flowrun?limit=1", "/flowrun/fat", "/flowrun?view=full", "/flowrun?view=summary", "/step", "/flowrun"):
        reply = call("GET", url)
        assert reply.status == 200
        assert len(reply.text) < 100_000
    decode(RUN, run)
    decode([STEP], call("GET", "/step").json)
    assert call("GET", "/flowrun/fat/history?limit=1000").status == 200
    stream = call("GET", "/watch?resource=flowrun&version=1").text
    assert '"name":"fat"' in stream
    assert len(stream) < 200_000


def test_a_large_value_is_shown_by_its_beginning(host: Host) -> None:
    defined(BIG)
    value = {"rows": ["x" * 100] * 1_000}
    encoded = json.dumps(value, separators=(",", ":"))
    given = begin("r r", x=value, y="small").json
    shown = call("GET", "/flowrun/r%20r").json["spec"]["input"]
    assert shown == given["spec"]["input"]
    assert shown["y"] == "small"
    assert shown["x"]["bytes"] == len(encoded)
    assert shown["x"]["preview"] == encoded[:PREVIEW_CHARACTERS]
    assert shown["x"]["$ref"].startswith("/flowrun/r%20r/value/")


@pytest.mark.parametrize("size", [MAX_SHOWN_BYTES, MAX_SHOWN_BYTES + 1])
def test_a_value_is_shown_up_to_its_limit(host: Host, size: int) -> None:
    defined(BIG)
    text = "x" * (size - 2)
    assert (begin("r", x=text).json["spec"]["input"]["x"] == text) == (size <= MAX_SHOWN_BYTES)
    assert (call("GET", "/flowrun/r").json["spec"]["input"]["x"] == text) == (size <= MAX_SHOWN_BYTES)


def test_variables_are_not_repeated_for_each_step(host: Host) -> None:
    run = started("r")
    many = {f"v{n}": "x" * 50 for n in range(MAX_REPEATED_BYTES // 50)}
    call("POST", "/step", answered(run, globalVariables=many))
    run = call("GET", "/flowrun/r").json
    assert run["spec"]["global_variable"] == many
    assert run["spec"]["steps"][0]["spec"]["global_variables"] == {}
    assert call("GET", "/step/r.A").json["spec"]["global_variables"] == many


def test_a_run_that_is_too_large_by_itself_is_in_brief(host: Host) -> None:
    defined(BIG)
    many = {f"v{number:04}": '"' * 1_000 for number in range(2_400)}
    begin("r")
    changed = call("POST", "/flowrun/r/vars", {"vars": many})
    for reply in (changed, call("GET", "/flowrun/r"), call("GET", "/flowrun/r?view=full")):
        assert reply.status == 200
        assert reply.json["spec"]["cut"] is True
        decode(RUN, reply.json)
    (listed,) = call("GET", "/flowrun").json
    assert listed["spec"]["cut"] is True
    assert listed["spec"]["sizes"]["global_variable"] > MAX_PAGE_BYTES // 3
    assert call("GET", "/watch?resource=flowrun&version=1").status == 200


def test_quotes_count_as_lambda_counts_them() -> None:
    value = {"text": 'a"b\\c\n' * 100, "more": "ä"}
    item = pages.item(value, "")
    assert item.size + 2 == len(json.dumps(item.text.decode(), ensure_ascii=False).encode())


def test_a_reference_leads_to_the_value(host: Host) -> None:
    defined(BIG)
    rows = [{"n": n, "text": "x" * 100} for n in range(1_000)]
    shown = begin("r r", x=rows).json["spec"]["input"]["x"]
    assert call("GET", shown["$ref"]).json == rows
    assert call("GET", f"{shown['$ref']}?path=/3/n").json == 3
    assert call("GET", f"{shown['$ref']}?from=998&count=5").json == rows[998:]
    assert call("GET", f"{shown['$ref']}?path=/1000").code == "not-found"
    assert call("GET", f"{shown['$ref']}?path=3").code == "not-found"
    assert call("GET", "/flowrun/r%20r/value/nothing").code == "not-found"
    assert call("GET", shown["$ref"].replace("r%20r", "other")).code == "not-found"


def test_the_largest_value_is_read_in_parts_if_lambda_would_not_pass_it_on(host: Host) -> None:
    defined(BIG)
    text = 'a"' * 1_500_000
    begin("r", x=text)
    ref = call("GET", "/flowrun/r").json["spec"]["input"]["x"]["$ref"]
    refused = call("GET", ref)
    assert (refused.status, refused.code) == (413, "too-large")
    assert "`from` and `count`" in refused.json["message"]
    parts = [call("GET", f"{ref}?from={first}&count=1000000").json for first in range(0, 3_000_000, 1_000_000)]
    assert "".join(parts) == text


def test_large_data_of_an_entry_is_shown_by_its_beginning(host: Host) -> None:
    run = started("r")
    call("POST", "/step", answered(run, data=["x" * 100] * 500, globalVariables={"v": ["y" * 100] * 500}))
    step = call("GET", "/flowrun/r").json["spec"]["steps"][0]["spec"]
    entry = call("GET", "/flowrun/r/history").json[1]
    assert step["result"] == entry["data"]
    assert json.loads(step["data"]) == entry["data"]
    assert call("GET", entry["data"]["$ref"]).json == ["x" * 100] * 500
    assert call("GET", entry["vars"]["v"]["$ref"]).json == ["y" * 100] * 500


# ── parts of values ──────────────────────────────────────────────────────────────────────────────────────────────────


def value(query: str) -> Any:
    reply = call("GET", f"/flowrun/r/value?{query}")
    assert reply.status == 200, reply.text
    return reply.json


def test_a_part_of_a_value_is_read(host: Host) -> None:
    defined(BIG)
    rows = [{"n": n, "text": "t" * 3_000, "deep": {"er": [1]}} for n in range(300)]
    begin("r", x=rows)
    part = value("of=input&path=/x&from=100&count=2")
    assert (part["type"], part["length"], part["next"]) == ("list", 300, 102)
    assert part["bytes"] == len(json.dumps(rows, separators=(",", ":")))
    assert part["value"] == [{"n": n, "text": "t" * 2_000, "deep": {}} for n in (100, 101)]
    assert part["cut"][:2] == [
        {"path": "/100/text", "type": "str", "bytes": 3_002},
        {"path": "/100/deep", "type": "map", "bytes": 10},
    ]
    assert value("of=input&path=/x/7/deep&depth=9") == {
        "type": "map", "length": 1, "bytes": 10, "value": {"er": [1]}, "cut": [], "next": None,
    }  # fmt: skip
    assert value("of=input&path=/x&from=299")["next"] is None
    assert list(value("of=input")["value"]) == ["x", "y"]
    assert value("of=output") == {"type": "null", "length": None, "bytes": 4, "value": None, "cut": [], "next": None}


def test_a_part_has_a_bound_whatever_is_asked_for(host: Host) -> None:
    defined(BIG)
    begin("r", x=[["x" * 1_900] * 40 for _ in range(50)])
    reply = call("GET", "/flowrun/r/value?of=input&path=/x&depth=64&count=1000")
    assert len(reply.text) < 700_000
    assert 0 < reply.json["next"] < 50


def test_a_whole_value_is_saved_as_a_file(host: Host) -> None:
    run = started("r")
    call("POST", "/step", answered(run, data={"a": 1}, globalVariables={"v": "x" * 20_000}))
    saved = call("GET", "/flowrun/r/value?of=vars&raw=true")
    assert saved.json == {"v": "x" * 20_000}
    assert saved.headers["Content-Disposition"] == 'attachment; filename="vars.json"'
    assert value("of=entry&seq=2&raw=true") == {"data": {"a": 1}, "vars": {"v": "x" * 20_000}}
    assert value("of=entry&seq=2&path=/data/a&raw=true") == 1


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("", 400),
        ("of=steps", 400),
        ("of=entry", 400),
        ("of=input&seq=1", 400),
        ("of=entry&seq=99", 404),
        ("of=vars&path=/nothing", 404),
        ("of=vars&depth=0", 400),
        ("of=vars&count=1001", 400),
    ],
)
def test_a_part_that_cannot_be_says_why(host: Host, query: str, status: int) -> None:
    started("r")
    assert call("GET", f"/flowrun/r/value?{query}").status == status


def test_secrets_are_masked_in_every_form(host: Host) -> None:
    defined("flow kept input = (any x, secret str key); wait W => (DONE -> done) { for = 1h; }; flow_end")
    reply = call("POST", "/flow/kept/runs", {"name": "r", "input": {"x": 1, "key": "hush" * 10_000}})
    assert reply.status == 201, reply.text
    texts = [reply.text] + [
        call("GET", url).text
        for url in (
            "/flowrun/r",
            "/flowrun?view=full",
            "/flowrun/r/value?of=input",
            "/flowrun/r/value?of=input&raw=true",
            "/flowrun/r/value?of=input&path=/key",
        )
    ]
    for shown in texts:
        assert "hush" not in shown
        assert "sealed" not in shown
    assert value("of=input&path=/key")["value"] == "***"
    ref = call("GET", "/flowrun/r").json["spec"]["input"]["key"]
    if isinstance(ref, dict):
        assert call("GET", ref["$ref"]).json == "***"


# ── everything that shows runs, with the largest values ──────────────────────────────────────────────────────────────

SPREAD = """flow spread
    input = (list items);
    each E => (DONE -> done) {
        items = ${ $input.items }; max = 50;
        step I => (OK -> done) { action = note; args = (x = ${ $item }); };
    };
flow_end"""
NOTE = 'action note addr = "http://note.test/"; args = (any x); return = (OK); action_end'
URLS = (
    "/flowrun/{run}",
    "/flowrun/{run}?view=full",
    "/flowrun/{run}?view=summary",
    "/flowrun/{run}/history?limit=1000",
    "/flowrun/{run}/history?limit=1000&order=desc",
    "/flowrun/{run}/watch?after=0&wait=0",
    "/flowrun/{run}/graph",
    "/flowrun",
    "/flowrun?view=full&limit=1000",
    "/flowrun?view=summary&limit=1000",
    "/step?limit=1000",
    "/event?limit=1000",
    "/flow",
    "/watch?resource=flowrun&version=1",
    "/watch?resource=flowrun&version=1&view=summary",
    "/watch?resource=step&version=1",
)


@pytest.mark.parametrize("value", ["x" * 4_500_000, '"' * 2_200_000], ids=["letters", "quotes"])
def test_the_largest_values_hide_nothing(host: Host, value: str) -> None:
    run = started("r")
    for name in "ab":
        call("POST", "/event", {"name": name, "data": value})
    call("POST", "/step", answered(run, done=False, data=value, globalVariables={"v": value}))
    answer = answered(run, data=value, globalVariables={"w": "small"}, error={"name": "E", "cause": "x" * 1_000})
    assert call("POST", "/step", answer).status == 200
    host.clock.advance(1_000)
    for url in URLS:
        reply = call("GET", url.format(run="r"))
        assert reply.status == 200, (url, reply.text[:300])
        assert within_lambda(reply), url
    for command in ("pause", "continue", "stop", "retry"):
        assert call("POST", f"/flowrun/r/{command}").status == 200
    (shown,) = call("GET", "/flowrun").json
    assert shown["spec"]["global_variable"]["v"]["bytes"] == len(json.dumps(value))
    assert call("GET", "/step/r.A").json["spec"]["response"] == {"state": "OK"}


@pytest.mark.parametrize("url", ["/flowrun?limit=1000", "/flowrun?view=full", "/watch?resource=flowrun&version=1"])
def test_a_request_needs_little_memory_however_large_runs_are(host: Host, url: str) -> None:
    defined(BIG)
    for number in range(8):
        begin(f"r{number}", x=["x" * 100] * 43_000)
    host.clock.advance(1_000)
    assert call("GET", url).status == 200
    tracemalloc.start()
    try:
        assert call("GET", url).status == 200
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 4_500_000


def test_ten_thousand_items_hide_nothing(host: Host) -> None:
    defined(NOTE, SPREAD)
    items = [{"n": number, "text": "x" * 100} for number in range(10_000)]
    assert call("POST", "/flow/spread/runs", {"name": "e", "input": {"items": items}}).status == 201
    host.settle()
    host.clock.advance(1_000)
    assert call("GET", "/flowrun/e?view=summary").json["spec"]["tokens"] == 51
    for url in URLS:
        reply = call("GET", url.format(run="e"))
        assert reply.status == 200, (url, reply.text[:300])
        assert within_lambda(reply), url


def test_many_small_values_hide_nothing(host: Host) -> None:
    """The head of such a run is stored as blobs as a whole."""
    run = started("r")
    many = {f"v{number:04}": '"' * 1_000 for number in range(2_400)}
    assert call("POST", "/step", answered(run, data="d", globalVariables=many)).status == 200
    host.clock.advance(1_000)
    for url in URLS:
        reply = call("GET", url.format(run="r"))
        assert reply.status == 200, (url, reply.text[:300])
        assert within_lambda(reply), url
    spec = call("GET", "/flowrun/r?view=summary").json["spec"]
    assert (spec["tokens"], spec["current_state"]) == (1, "B")
    assert spec["sizes"]["global_variable"] > 4_000_000
    assert call("GET", "/step/r.A").json["spec"]["response"] == {"state": "OK"}


def test_events_are_paged(host: Host) -> None:
    for number in range(30):
        call("POST", "/event", {"name": f"e{number:02}", "data": "x" * (400_000 if number % 2 else 10)})
        host.clock.advance(1)
    seen: list[str] = []
    cursor = ""
    while True:
        reply = call("GET", f"/event?limit=20&cursor={cursor}")
        assert within_lambda(reply)
        seen += [event["spec"]["name"] for event in reply.json]
        cursor = reply.headers.get("x-next-cursor", "")
        if not cursor:
            break
    assert seen == [f"e{number:02}" for number in range(29, -1, -1)]


def test_long_definitions_are_paged(host: Host) -> None:
    names = [f"a{number:02}" for number in range(30)]
    for name in names:
        note = "/*" + "x" * 250_000 + "*/"
        defined(f'action {name} {note} addr = "http://work.test/"; return = (OK); action_end')
    seen: list[str] = []
    cursor = ""
    while True:
        reply = call("GET", f"/action?cursor={cursor}")
        assert within_lambda(reply)
        seen += [action["metadata"]["name"] for action in reply.json]
        cursor = reply.headers.get("x-next-cursor", "")
        if not cursor:
            break
    assert seen == names
