"""Runs: their representation, queries and commands; steps and events."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import pytest
from msgspec.structs import replace

from chalicelib import hosting
from chalicelib.service.errors import Busy
from tests.entrypoints.flows import TWO, WORK
from tests.entrypoints.gateway import call
from tests.entrypoints.steps import NEVER, answered, defined, started, uuid_of
from tests.hosts import Host

# ── runs ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_run_has_the_shape_that_echoer_gave_it(host: Host) -> None:
    run = started(labels={"team": "x"})
    uuid = uuid_of(run)
    assert run["metadata"]["labels"] == {"team": "x"}
    spec = run["spec"]
    steps = spec.pop("steps")
    assert spec == {
        "history_states": ["ready", "A"],
        "current_state": "A",
        "last_state": "ready",
        "last_event": "start",
        "last_err": "",
        "error": None,
        "global_variable": {},
        "status": "running",
        "waits_for": "",
        "flow": "two",
        "flow_version": 1,
        "input": {"order": "o-1"},
        "output": None,
        "tokens": [
            {
                "id": "0",
                "step": "A",
                "uuid": uuid,
                "since": "2027-01-15T08:00:00.000Z",
                "deadline": "2027-01-22T08:00:00.000Z",
                "attempt": 0,
                "retry_at": None,
                "held": False,
                "waits_for": {
                    "kind": "action",
                    "until": "2027-01-22T08:00:00.000Z",
                    "action": "work",
                    "event": "",
                    "events": [],
                    "key": "",
                    "child": "",
                    "person": False,
                    "states": ["OK", "FAIL"],
                    "retry_at": None,
                    "left": 0,
                },
            }
        ],
        "failed_undos": [],
        "parent": None,
        "children": [],
        "each": [],
        "cost": {
            "writes": 1,
            "reads": 1,
            "messages": 1,
            "pages": 0,
            "steps": 1,
            "answers": 0,
            "bytes": 482,
            "usd": 0.000009181,
            "usd_by_service": {
                "dynamodb": 0.000003875,
                "sqs": 0.0000012,
                "lambda": 0.000000606,
                "api_gateway": 0.0000035,
            },
            "step_functions_usd": 0.000025,
            "prices": "us-east-1 2026-11",
        },
        "start_at": None,
        "created_at": "2027-01-15T08:00:00.000Z",
        "updated_at": "2027-01-15T08:00:00.000Z",
        "ended_at": None,
        "seq": 1,
    }
    assert steps[0] == {
        "metadata": {
            "name": "A", "kind": "step", "namespace": "default", "version": 1, "uuid": uuid, "labels": {},
        },
        "spec": {
            "flow_id": "r",
            "flow_run_uuid": run["metadata"]["uuid"],
            "action_run": {
                "action_name": "work",
                "action_params": {"times": 2, "order": "${$input.order}"},
                "return_state_map": {"OK": "B", "FAIL": "stopped"},
                "done": False,
            },
            "response": {"state": ""},
            "data": "",
            "result": None,
            "retry_count": 0,
            "global_variables": {},
        },
    }  # fmt: skip
    assert call("GET", "/flowrun/r").json == {**run, "spec": {**spec, "steps": steps}}


def test_a_finished_step_shows_what_was_answered(host: Host) -> None:
    run = started()
    call("POST", "/step", answered(run, data={"n": 1}, globalVariables={"seen": True}))
    step = call("GET", "/flowrun/r").json["spec"]["steps"][0]
    assert step["metadata"]["uuid"] == uuid_of(run)
    assert step["spec"]["action_run"]["done"] is True
    assert step["spec"]["response"] == {"state": "OK"}
    assert step["spec"]["data"] == '{"n":1}'
    assert step["spec"]["result"] == {"n": 1}
    assert step["spec"]["global_variables"] == {"seen": True}


def test_the_same_key_gives_the_same_run_back(host: Host) -> None:
    defined(WORK, TWO)
    body = {"input": {"order": "o"}, "key": "k-1"}
    first, again = call("POST", "/flow/two/runs", body), call("POST", "/flow/two/runs", body)
    other = call("POST", "/flow/two/runs", {**body, "input": {"order": "p"}})
    assert (first.status, again.status, other.status) == (201, 200, 409)
    assert first.json["metadata"] == again.json["metadata"]
    assert other.code == "key-taken"


@pytest.mark.parametrize(
    ("flow", "body", "status", "code"),
    [
        ("two", {}, 422, "input-refused"),
        ("two", {"input": {"order": 3}}, 422, "input-refused"),
        ("two", {"input": {"order": "o", "oder": 1}}, 422, "input-refused"),
        ("two", {"input": {"order": "o"}, "name": "r"}, 409, "run-exists"),
        ("three", {"input": {}}, 404, "not-found"),
    ],
)
def test_a_run_that_cannot_be_started_says_why(
    host: Host, flow: str, body: dict[str, Any], status: int, code: str
) -> None:
    started("r")
    reply = call("POST", f"/flow/{flow}/runs", body)
    assert (reply.status, reply.code) == (status, code)


def test_a_refused_input_names_every_field(host: Host) -> None:
    started("r")
    reply = call("POST", "/flow/two/runs", {"input": {"order": 3, "oder": 1}})
    assert reply.json["error"]["fields"] == [
        {"path": "oder", "problem": "is not an input of the flow; did you mean 'order'?"},
        {"path": "order", "problem": "must be of type str"},
    ]


def test_runs_are_listed_newest_first_filtered_and_paged(host: Host) -> None:
    for number in range(4):
        started(f"r{number}", labels={"n": number})
        host.clock.advance(1000)
    call("POST", "/flowrun/r1/stop")

    def names(query: str) -> list[str]:
        return [run["metadata"]["name"] for run in call("GET", f"/flowrun?{query}").json]

    assert names("") == ["r3", "r2", "r1", "r0"]
    assert names("status=canceled") == ["r1"]
    assert names("status=running,canceled&flow=two") == ["r3", "r2", "r1", "r0"]
    assert names("flow=other") == []
    assert names("label=n:2") == ["r2"]
    assert names("since=2027-01-15T08:00:02Z") == ["r3", "r2"]
    assert names("since=2027-01-15T09:00:02%2B01:00") == ["r3", "r2"]
    assert names("metadata.name=r0") == ["r0"]
    assert names("metadata.name=nope") == []
    first = call("GET", "/flowrun?limit=3")
    assert [one["metadata"]["name"] for one in first.json] == ["r3", "r2", "r1"]
    assert names(f"cursor={first.headers['x-next-cursor']}") == ["r0"]


def test_the_history_is_paged_and_complete(host: Host) -> None:
    run = started()
    call("POST", "/step", answered(run, data="x", globalVariables={"v": 1}))
    entries = call("GET", "/flowrun/r/history").json
    assert [(one["seq"], one["event"], one["from"], one["to"]) for one in entries] == [
        (1, "RunStarted", "ready", "A"),
        (2, "StepAcked", "A", "B"),
    ]
    assert entries[1] == {
        "seq": 2,
        "at": "2027-01-15T08:00:00.000Z",
        "event": "StepAcked",
        "late": False,
        "step": "A",
        "token": "0",
        "from": "A",
        "to": "B",
        "state": "OK",
        "data": "x",
        "by": "action",
        "uuid": uuid_of(run),
        "error": "",
        "error_name": "",
        "vars": {"v": 1},
        "removed": [],
        "branch": "",
        "item": None,
        "undo": False,
        "sent": None,
        "rule": None,
    }
    first = call("GET", "/flowrun/r/history?limit=1")
    assert first.headers["x-next-cursor"] == "1"
    assert call("GET", f"/flowrun/r/history?cursor={first.headers['x-next-cursor']}").json == entries[1:]
    assert call("GET", "/flowrun/r/history?after=2").json == []


def test_watching_a_run_ends_with_the_first_news_or_with_the_wait(host: Host) -> None:
    started()
    before = host.clock.now()
    assert len(call("GET", "/flowrun/r/watch?after=0").json) == 1
    assert host.clock.now() == before
    assert call("GET", "/flowrun/r/watch?after=1&wait=3").json == []
    assert host.clock.now() == before + 3000


def test_a_person_pauses_continues_stops_and_retries_a_run(host: Host) -> None:
    started()

    def state(order: str, body: Any = None) -> tuple[str, str]:
        spec = call("POST", f"/flowrun/r/{order}", body).json["spec"]
        return spec["status"], spec["current_state"]

    assert state("pause") == ("paused", "suspend")
    assert state("continue", {}) == ("running", "A")
    uuid = call("GET", "/flowrun/r").json["spec"]["steps"][0]["metadata"]["uuid"]
    assert state("stop", {"reason": "enough"}) == ("canceled", "stopped")
    stopped = call("GET", "/flowrun/r").json["spec"]["steps"][0]
    assert (stopped["metadata"]["uuid"], stopped["spec"]["action_run"]["done"]) == (uuid, False)
    assert call("GET", f"/step/{uuid}").json == call("GET", "/step/r.A").json
    assert call("GET", "/flowrun/r").json["spec"]["last_err"] == "enough"
    assert state("retry", {"step": "B"}) == ("running", "B")
    refused = call("POST", "/flowrun/r/retry")
    assert (refused.status, refused.code) == (409, "order-refused")
    call("POST", "/flowrun/r/stop")
    nowhere = call("POST", "/flowrun/r/retry", {"step": "Z"})
    assert (nowhere.status, nowhere.code) == (422, "no-such-step")
    assert state("retry") == ("running", "B")


def test_null_is_a_value_of_a_variable_and_variables_can_be_removed(host: Host) -> None:
    started()

    def change(**body: Any) -> dict[str, Any]:
        reply = call("POST", "/flowrun/r/vars", body)
        assert reply.status == 200, reply.text
        found: dict[str, Any] = reply.json["spec"]["global_variable"]
        return found

    assert change(vars={"a": None, "b": 1, "c": {"d": None}}) == {"a": None, "b": 1, "c": {"d": None}}
    assert change(vars={"b": 2}, remove=["a", "a", "nothing"]) == {"b": 2, "c": {"d": None}}
    assert change(remove=["b", "c"]) == {}
    assert change() == {}
    entries = call("GET", "/flowrun/r/history?after=1").json
    assert [(one["event"], one["vars"], one["removed"]) for one in entries] == [
        ("VarsSet", {"a": None, "b": 1, "c": {"d": None}}, []),
        ("VarsSet", {"b": 2}, ["a"]),
        ("VarsSet", {}, ["b", "c"]),
        ("VarsSet", {}, []),
    ]


@pytest.mark.parametrize(
    ("body", "status", "message"),
    [
        ({"vars": {"a": 1}, "remove": ["b", "a"]}, 422, "`vars` and `remove` both have 'a'"),
        ({"vars": None}, 400, "`vars` must be an object, not null"),
        ({"remove": "a"}, 400, "`remove` must be a list, not a string"),
        ({"remove": [1]}, 400, "`remove[0]` must be a string, not an integer"),
    ],
)
def test_variables_of_the_wrong_form_change_nothing(
    host: Host, body: dict[str, Any], status: int, message: str
) -> None:
    before = started()
    reply = call("POST", "/flowrun/r/vars", body)
    assert reply.status == status
    assert message in reply.json["message"]
    assert call("GET", "/flowrun/r").json == before


def test_the_name_of_a_label_has_no_colon(host: Host) -> None:
    """`?label=a:b` finds the label a."""
    defined(WORK, TWO)
    reply = call("POST", "/flow/two/runs", {"name": "r", "input": {"order": "o"}, "labels": {"a:b": 1}})
    assert (reply.status, reply.code) == (422, "invalid")
    assert reply.json["message"] == "the name of a label must not contain a colon: 'a:b'"
    assert call("GET", "/flowrun/r").status == 404
    started("r", labels={"a": "b:c"})
    assert len(call("GET", "/flowrun?label=a:b:c").json) == 1


def test_undos_that_failed_are_asked_for_by_their_own_names(host: Host) -> None:
    started()
    call("POST", "/flowrun/r/stop")
    refused = call("POST", "/flowrun/r/retry", {"undo": True})
    assert (refused.status, refused.code) == (409, "no-failed-undo")
    both = call("POST", "/flowrun/r/retry", {"undo": True, "step": "A"})
    assert (both.status, both.code) == (400, "malformed")
    assert call("GET", "/flowrun?undo=failed").json == []
    assert call("GET", "/flowrun?undo=").json[0]["metadata"]["name"] == "r"
    assert call("GET", "/flowrun?undo=done").code == "malformed"


def test_only_a_run_that_has_ended_can_be_deleted(host: Host) -> None:
    run = started()
    uuid = run["metadata"]["uuid"]
    assert call("DELETE", f"/flowrun/r/{uuid}").code == "order-refused"
    call("POST", "/flowrun/r/stop")
    assert call("DELETE", f"/flowrun/r/{NEVER}").status == 404
    assert call("DELETE", f"/flowrun/r/{uuid}").json["metadata"]["name"] == "r"
    assert call("DELETE", "/flowrun/r").status == 404


# ── steps, events, the rest ──────────────────────────────────────────────────────────────────────────────────────────


def test_steps_are_found_by_run_by_name_and_by_uuid(host: Host) -> None:
    run = started()
    waiting = call("GET", "/step").json
    assert [one["metadata"]["name"] for one in waiting] == ["A"]
    assert call("GET", "/step?metadata.name=A").json == waiting
    assert call("GET", "/step?metadata.name=B").json == []
    assert call("GET", "/step/A").json == call("GET", "/step/r.A").json == waiting[0]
    assert call("GET", f"/step/{uuid_of(run)}").json == waiting[0]
    assert call("GET", "/step/r.B").json["spec"]["flow_id"] == "r"
    assert [call("GET", f"/step/{name}").status for name in ("Z", "r.Z", "q.A")] == [404, 404, 404]


def test_events_are_kept_until_they_expire(host: Host) -> None:
    stored = call("POST", "/event", {"name": "paid", "key": "o-1", "data": {"n": 1}, "ttl": "5s"}).json
    assert stored.pop("woken") == {"count": 0, "runs": []}
    assert stored["metadata"]["kind"] == "event"
    assert stored["spec"] == {
        "name": "paid",
        "key": "o-1",
        "data": {"n": 1},
        "run": "",
        "by": "",
        "at": "2027-01-15T08:00:00.000Z",
        "expires_at": "2027-01-15T08:00:05.000Z",
    }
    assert call("GET", "/event").json == [stored]
    host.clock.advance(5001)
    assert call("GET", "/event").json == []


def test_the_root_and_the_health_answer(host: Host) -> None:
    assert call("GET", "/").json == "echoer"
    assert call("GET", "/healthz").json == {"status": "ok"}


def test_the_health_says_what_fails(host: Host) -> None:
    def fail() -> None:
        raise Busy("nothing can be stored: the disk is full")

    hosting.use(host.services.changed(adapters=replace(host.services.adapters, check_store=fail)))
    reply = call("GET", "/healthz")
    assert (reply.status, reply.code, reply.headers["Retry-After"]) == (503, "busy", "1")
    assert reply.json["message"] == "nothing can be stored: the disk is full"


def test_a_run_that_could_not_be_read_is_not_started(host: Host) -> None:
    """`GET /flowrun/count` counts runs."""
    defined(WORK, TWO)
    refused = call("POST", "/flow/two/runs", {"name": "count", "input": {"order": "o"}})
    assert (refused.status, refused.code) == (422, "invalid")
    assert call("GET", "/flowrun/count").json["counts"] == {}
    assert call("POST", "/flow/two/runs", {"name": "counts", "input": {"order": "o"}}).status == 201


def test_a_page_of_steps_has_at_most_so_many_but_whole_runs(host: Host) -> None:
    defined(WORK, TWO)
    defined("flow one input = (str order); wait Z => (DONE -> done) { for = 1h; }; flow_end")
    for number in range(6):
        flow = "one" if number % 3 == 2 else "two"
        assert call("POST", f"/flow/{flow}/runs", {"name": f"p{number}", "input": {"order": "o"}}).status == 201

    def pages(query: str) -> list[list[str]]:
        found: list[list[str]] = []
        cursor = ""
        while not found or cursor:
            reply = call("GET", f"/step?{query}&cursor={quote(cursor)}")
            found.append([f"{one['spec']['flow_id']}.{one['metadata']['name']}" for one in reply.json])
            cursor = reply.headers.get("x-next-cursor", "")
        return [page for page in found if page]

    every = ["p5.Z", "p4.A", "p3.A", "p2.Z", "p1.A", "p0.A"]
    assert pages("limit=4") == [every[:4], every[4:]]
    assert pages("limit=1&metadata.name=A") == [["p4.A"], ["p3.A"], ["p1.A"], ["p0.A"]]
    assert pages("limit=3&metadata.name=Z") == [["p5.Z", "p2.Z"]]
    call("POST", "/flowrun/p4/goto", {"step": "B"})
    assert pages("limit=1")[:3] == [["p5.Z"], ["p4.A", "p4.B"], ["p3.A"]]
    assert pages("limit=2")[:2] == [["p5.Z"], ["p4.A", "p4.B"]]
