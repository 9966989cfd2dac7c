"""Documents, and the actions and flows that they define."""

from __future__ import annotations

import sys
from types import FrameType

import pytest

from chalicelib import language
from chalicelib.service.ports.queues import QueueName
from tests.entrypoints.flows import DIRECT, RELEASE, TWO, WORK
from tests.entrypoints.gateway import call
from tests.entrypoints.steps import NEVER, defined
from tests.hosts import Host

# ── documents ────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_document_returns_the_result_of_each_statement(host: Host) -> None:
    """Statements are created, then unchanged, then updated, and listed in the order of the text."""
    first = call("POST", "/fsl", f"{WORK}\n/\n{TWO}").json
    again = call("POST", "/fsl", {"data": f"{TWO}\n/\n{WORK}"}).json
    changed = call("POST", "/fsl", WORK.replace("work.test", "other.test")).json
    told = [
        [(one["kind"], one["name"], one["version"], one["change"]) for one in found["results"]]
        for found in (first, again, changed)
    ]
    assert told == [
        [("action", "work", 1, "created"), ("flow", "two", 1, "created")],
        [("flow", "two", 1, "unchanged"), ("action", "work", 1, "unchanged")],
        [("action", "work", 2, "updated")],
    ]
    assert first["diagnostics"] == []
    assert all(len(one["uuid"]) == 36 for one in first["results"])


def test_a_dry_run_changes_nothing(host: Host) -> None:
    assert call("POST", "/fsl?dry_run=true", RELEASE).json["results"][-1]["kind"] == "flow_run"
    assert call("GET", "/action").json == []
    assert call("GET", "/flowrun").json == []


@pytest.mark.parametrize(
    ("text", "status", "code"),
    [
        ("action x", 400, "fsl-malformed"),
        ("", 400, "fsl-malformed"),
        (TWO, 422, "fsl-refused"),
        (WORK.replace("http://work.test/", "ftp://work.test/"), 422, "fsl-refused"),
    ],
)
def test_a_bad_document_is_answered_with_all_its_diagnostics(host: Host, text: str, status: int, code: str) -> None:
    reply = call("POST", "/fsl", text)
    assert (reply.status, reply.code) == (status, code)
    found = reply.json["error"]["diagnostics"]
    assert found
    assert {"severity", "code", "message", "line", "column", "end_line", "end_column", "hint"} <= found[0].keys()


def test_a_run_that_exists_is_a_conflict(host: Host) -> None:
    defined(WORK, DIRECT)
    reply = call("POST", "/fsl", DIRECT)
    assert (reply.status, reply.code) == (409, "run-exists")


@pytest.mark.parametrize(
    "headers", [{}, {"Content-Type": "application/x-www-form-urlencoded"}, {"Content-Type": "x/y"}]
)
def test_the_content_type_of_a_request_does_not_matter(host: Host, headers: dict[str, str]) -> None:
    assert call("POST", "/action", {"data": WORK}, headers=headers).status == 200


def test_each_path_takes_statements_of_its_kind(host: Host) -> None:
    """The response to one statement is its resource, and to several a list."""
    action = call("POST", "/action", {"data": WORK})
    flow = call("POST", "/flow", {"data": TWO})
    run = call("POST", "/flowrun", {"data": DIRECT})
    both = call("POST", "/action", {"data": f"{WORK}\n/\n{WORK.replace('work', 'play')}"})
    assert [one.json["metadata"]["kind"] for one in (action, flow, run)] == ["action", "flow", "flowrun"]
    assert [one["metadata"]["name"] for one in both.json] == ["work", "play"]


@pytest.mark.parametrize(
    ("path", "text", "named"),
    [("/action", DIRECT, "flow_run 'direct'"), ("/flow", WORK, "action 'work'"), ("/flowrun", TWO, "flow 'two'")],
)
def test_a_statement_of_another_kind_is_refused_by_name(host: Host, path: str, text: str, named: str) -> None:
    defined(WORK)
    reply = call("POST", path, {"data": text})
    assert (reply.status, reply.code) == (422, "wrong-statement")
    assert named in reply.json["message"]
    assert call("GET", "/flow").json == []


def test_nothing_is_sent_for_a_run_that_was_refused(host: Host) -> None:
    """A document is all or nothing: its run does not start if another statement is wrong."""
    call("POST", "/fsl", f"{WORK}\n/\n{DIRECT}\n/\n{TWO.replace('-> B', '-> Z')}")
    assert host.queue.receive(QueueName.DELIVERIES, 10, 0) == []


# ── definitions ──────────────────────────────────────────────────────────────────────────────────────────────────────


def test_an_action_has_the_shape_that_echoer_gave_it(host: Host) -> None:
    defined(WORK)
    found = call("GET", "/action/work").json
    uuid = found["metadata"]["uuid"]
    assert found["metadata"] == {
        "name": "work", "kind": "action", "namespace": "default", "version": 1, "uuid": uuid, "labels": {},
    }  # fmt: skip
    assert found["spec"] == {
        "system": "",
        "serve_type": 0,
        "method": "http",
        "endpoints": ["http://work.test/"],
        "params": {"order": 0, "times": 1},
        "args": {"order": "str", "times": "int"},
        "return_states": ["OK", "FAIL"],
        "text": WORK,
        "created_at": "2027-01-15T08:00:00.000Z",
    }


def test_an_input_shows_what_is_secret_and_a_whole_input_its_type(host: Host) -> None:
    defined("flow one input = (secret str pin, int n = 1); wait W => (DONE -> done) { for = 1h; }; flow_end")
    defined("flow whole input = list; wait W => (DONE -> done) { for = 1h; }; flow_end")
    assert call("GET", "/flow/one").json["spec"]["input"] == [
        {"name": "pin", "type": "str", "required": True, "secret": True},
        {"name": "n", "type": "int", "required": False, "default": 1},
    ]
    assert call("GET", "/flow/whole").json["spec"]["input"] == [{"name": "", "type": "list", "required": True}]


def test_a_flow_shows_its_steps_its_text_and_its_input(host: Host) -> None:
    defined(WORK, TWO)
    spec = call("GET", "/flow/two").json["spec"]
    assert spec["steps"] == [
        {"name": "A", "action_name": "work", "returns": {"OK": "B", "FAIL": "stopped"}},
        {"name": "B", "action_name": "work", "returns": {"OK": "done", "FAIL": "stopped"}},
    ]
    assert spec["input"] == [{"name": "order", "type": "str", "required": True}]
    assert spec["text"] == TWO


def test_definitions_are_listed_by_name_and_paged(host: Host) -> None:
    defined(*(WORK.replace("work", name, 1) for name in ("c", "a", "b")))
    first = call("GET", "/action?limit=2")
    rest = call("GET", f"/action?limit=2&cursor={first.headers['x-next-cursor']}")
    assert [one["metadata"]["name"] for one in first.json] == ["a", "b"]
    assert [one["metadata"]["name"] for one in rest.json] == ["c"]
    assert "x-next-cursor" not in rest.headers
    assert [one["metadata"]["name"] for one in call("GET", "/action?metadata.name=b").json] == ["b"]
    assert call("GET", "/action?metadata.name=nope").json == []


def test_older_versions_stay_readable(host: Host) -> None:
    defined(WORK)
    defined(WORK.replace("work.test", "other.test"))
    assert call("GET", "/action/work?version=1").json["spec"]["endpoints"] == ["http://work.test/"]
    assert call("GET", "/action/work").json["metadata"]["version"] == 2
    assert call("GET", "/action/work?version=3").status == 404


def test_names_in_a_path_are_decoded(host: Host) -> None:
    defined(WORK.replace("work", '"größe 1"', 1))
    assert call("GET", "/action/gr%C3%B6%C3%9Fe%201").json["metadata"]["name"] == "größe 1"


def test_a_definition_that_something_refers_to_stays(host: Host) -> None:
    defined(WORK, TWO)
    reply = call("DELETE", "/action/work")
    assert (reply.status, reply.code) == (409, "still-referred")
    uuid = call("GET", "/flow/two").json["metadata"]["uuid"]
    assert call("DELETE", f"/flow/two/{NEVER}").status == 404
    assert call("DELETE", f"/flow/two/{uuid}").json["metadata"]["name"] == "two"
    assert call("DELETE", "/action/work").status == 200
    assert call("GET", "/action/work").status == 404


@pytest.mark.parametrize(
    ("path", "text"),
    [("/fsl", WORK), ("/action", WORK), ("/flow", TWO), ("/flowrun", DIRECT)],
)
def test_a_text_is_scanned_once(host: Host, path: str, text: str) -> None:
    defined(WORK)
    scans = []

    def trace(frame: FrameType, event: str, _: object) -> None:
        if event == "call" and frame.f_code is language.parse.__code__:
            scans.append(path)

    sys.setprofile(trace)
    try:
        reply = call("POST", path, {"data": text})
    finally:
        sys.setprofile(None)
    assert reply.status == 200, reply.text
    assert len(scans) == 1
