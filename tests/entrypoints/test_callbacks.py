"""Answers of actions: in time, late, repeated, forged and concurrent."""

from __future__ import annotations

import json
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

import pytest
from msgspec.structs import replace
from standardwebhooks.webhooks import Webhook

from chalicelib.config import DEVELOPMENT_KEY
from chalicelib.model.actions import Action
from chalicelib.model.json_values import decode, encode
from chalicelib.service.ports.actions import NotTaken, Reply, Taken
from chalicelib.service.ports.definitions import Kind
from chalicelib.service.security.webhooks import secrets_for
from tests.entrypoints.flows import RELEASE, TWO, WORK
from tests.entrypoints.gateway import call
from tests.entrypoints.steps import NEVER, answered, defined, started, uuid_of
from tests.hosts import Host

(SECRET,) = secrets_for(DEVELOPMENT_KEY.encode(), "default")


def test_an_example_runs_to_its_end_by_handler_calls_alone(host: Host) -> None:
    """Run release.fsl: each action calls back with its first state."""
    assert call("POST", "/fsl", RELEASE).status == 200
    for step in "ADBC":
        assert host.work() == []
        request = host.actions.requests[-1]
        assert (request["flowId"], request["stepName"]) == ("my_flow_run", step)
        reply = call(
            "POST",
            "/step",
            {
                "flowId": request["flowId"],
                "stepName": step,
                "ackState": request["ackStates"][0],
                "uuid": request["uuid"],
                "done": True,
            },
        )
        assert (reply.status, reply.json) == (200, {"outcome": "advanced"})
    spec = call("GET", "/flowrun/my_flow_run").json["spec"]
    assert spec["history_states"] == ["ready", "A", "D", "B", "C", "done"]
    assert (spec["current_state"], spec["status"], spec["tokens"]) == ("done", "succeeded", [])
    assert host.work() == []
    assert len(host.actions.calls) == 4


def test_an_example_runs_to_its_end_by_answers_in_the_answer(host: Host) -> None:
    """A 2xx body with an answer makes a callback unnecessary."""

    def in_the_answer(request: dict[str, list[str]]) -> Reply:
        return Taken({"ackState": request["ackStates"][0]})

    host.actions.script = in_the_answer
    call("POST", "/fsl", RELEASE)
    for _ in range(4):
        assert host.work() == []
    assert call("GET", "/flowrun/my_flow_run").json["spec"]["current_state"] == "done"


def test_progress_is_kept_and_does_not_end_the_step(host: Host) -> None:
    run = started()
    reply = call("POST", "/step", answered(run, done=False, ackState=None, data="half", globalVariables={"n": 1}))
    assert reply.json == {"outcome": "progress"}
    spec = call("GET", "/flowrun/r").json["spec"]
    assert (spec["current_state"], spec["global_variable"]) == ("A", {"n": 1})
    assert spec["steps"][0]["spec"]["data"] == "half"
    assert uuid_of({"spec": spec}) == uuid_of(run)


def test_an_answer_without_done_is_final_if_it_has_a_state(host: Host) -> None:
    body = answered(started())
    del body["done"]
    assert call("POST", "/step", {**body, "ackState": None, "data": "half"}).json == {"outcome": "progress"}
    assert call("POST", "/step", {**body, "done": None}).json == {"outcome": "advanced"}


def test_a_uuid_is_compared_without_regard_to_case(host: Host) -> None:
    run = started()
    body = answered(run, uuid=uuid_of(run).upper())
    assert call("GET", f"/step/{uuid_of(run).upper()}").json["metadata"]["uuid"] == uuid_of(run)
    assert call("POST", "/step", body).json == {"outcome": "advanced"}
    assert call("POST", "/step", body).json == {"outcome": "duplicate"}
    uuid = uuid_of(call("GET", "/flowrun/r").json)
    call("POST", "/step", {**body, "stepName": "B", "uuid": uuid.upper()})
    assert call("GET", "/flowrun/r").json["spec"]["status"] == "succeeded"
    assert call("DELETE", f"/flowrun/r/{run['metadata']['uuid'].upper()}").status == 200
    flow = call("GET", "/flow/two").json
    assert call("DELETE", f"/flow/two/{flow['metadata']['uuid'].upper()}").status == 200


def test_an_answer_says_why_in_an_error(host: Host) -> None:
    run = started()
    error = {"name": "CardExpired", "cause": "the card expired in 2026"}
    assert call("POST", "/step", answered(run, ackState="ERROR")).code == "state-not-routed"
    assert call("POST", "/step", answered(run, ackState="ERROR", error=error)).json == {"outcome": "advanced"}
    spec = call("GET", "/flowrun/r").json["spec"]
    assert spec["last_err"] == "CardExpired: the card expired in 2026"
    assert spec["error"] == {**error, "step": "A", "state": "ERROR", "status": None, "data": None}
    entry = next(one for one in call("GET", "/flowrun/r/history").json if one["event"] == "StepAcked")
    assert (entry["error"], entry["error_name"]) == (error["cause"], error["name"])


@pytest.mark.parametrize(
    ("declared", "state", "has_error", "is_taken"),
    [
        ("OK", "ERROR", False, False),
        ("OK", "ERROR", True, True),
        ("OK", "TIMEOUT", False, False),
        ("OK", "TIMEOUT", True, False),
        ("OK | ERROR", "ERROR", False, True),
        ("OK | TIMEOUT", "TIMEOUT", False, True),
    ],
)
def test_a_built_in_state_is_answered_if_it_is_declared_or_is_an_error_that_says_why(
    host: Host, declared: str, state: str, *, has_error: bool, is_taken: bool
) -> None:
    """The step routes both, which does not make them states of the action."""
    routes = "OK -> done | ERROR -> done | TIMEOUT -> done"
    defined(f'action work addr = "http://work.test/"; return = ({declared}); action_end')
    defined(f"flow_run r step A => ({routes}) {{ action = work; }}; flow_run_end")
    body = answered(call("GET", "/flowrun/r").json, ackState=state)
    reply = call("POST", "/step", {**body, **({"error": {"name": "X"}} if has_error else {})})
    run = call("GET", "/flowrun/r").json["spec"]
    if is_taken:
        assert (reply.json, run["status"]) == ({"outcome": "advanced"}, "succeeded")
        return
    assert (reply.status, reply.code, run["status"]) == (422, "state-not-routed", "running")
    assert call("POST", "/step", {**body, "ackState": "OK"}).json == {"outcome": "advanced"}


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"error": "broken"}, "`error` must be an object or null, not a string"),
        ({"error": {"cause": "no name"}}, "`error.name` is missing"),
        ({"error": {"name": ""}}, "`error.name` must be a string of at least 1 character"),
        ({"error": {"name": "X"}, "done": False}, "`error` needs an `ackState`, and `done` must not be false"),
        ({"error": {"name": "X"}, "done": None, "ackState": None}, "`error` needs an `ackState`, and `done` must not"),
    ],
)
def test_an_error_of_the_wrong_shape_is_malformed(host: Host, changed: dict[str, Any], message: str) -> None:
    run = started()
    reply = call("POST", "/step", answered(run, **changed))
    assert (reply.status, reply.code) == (400, "malformed")
    assert message in reply.json["message"]
    assert call("GET", "/flowrun/r").json["spec"]["seq"] == 1


def test_a_byte_order_mark_before_a_body_is_skipped(host: Host) -> None:
    mark = b"\xef\xbb\xbf"
    assert call("POST", "/fsl", raw=mark + f"{WORK}/{TWO}".encode()).status == 200
    assert call("POST", "/fsl", raw=mark + json.dumps({"data": "\ufeff" + WORK}).encode()).status == 200
    start = {"name": "r", "input": {"order": "o-1"}}
    run = call("POST", "/flow/two/runs", raw=mark + json.dumps(start).encode()).json
    assert call("POST", "/flowrun/r/pause", raw=mark).status == 200
    assert call("POST", "/step", raw=mark + json.dumps(answered(run)).encode()).json == {"outcome": "advanced"}
    command = json.dumps({"command": "\ufeff" + WORK})
    assert "unchanged" in call("POST", "/command", command).json["raw"]
    assert call("POST", "/step", raw=mark + mark + b"{}").status == 400


def test_ack_states_are_all_that_the_action_declares(host: Host) -> None:
    """Services of echoer take them by their index; the step routes one of them only."""
    flow = "flow one step A => (FAIL -> done) { action = work; args = (times = 1); }; flow_end"
    defined(WORK.replace("str order, ", ""), flow)
    run = call("POST", "/flow/one/runs", {"name": "r"}).json
    host.work()
    assert host.actions.requests[-1]["ackStates"] == ["OK", "FAIL"]
    assert call("POST", "/step", answered(run, data=7)).json == {"outcome": "advanced"}
    spec = call("GET", "/flowrun/r").json["spec"]
    assert (spec["status"], spec["error"]["name"], spec["error"]["data"]) == ("failed", "NotRouted", 7)


# ── answers in HTTP responses ────────────────────────────────────────────────────────────────────────────────────────


def test_an_answer_in_an_http_response_may_have_an_error(host: Host) -> None:
    started()
    host.actions.script = lambda _: Taken({"ackState": "ERROR", "error": {"name": "NoStock", "cause": "sold out"}})
    host.work()
    assert call("GET", "/flowrun/r").json["spec"]["last_err"] == "NoStock: sold out"


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        (Taken(None, "it is not JSON"), "it is not JSON"),
        (Taken({"ackState": "MAYBE"}), "does not accept state 'MAYBE'"),
        (Taken({"ackState": 1}), "Expected `str`, got `int` - at `$.ackState`"),
        (Taken({"ackState": ""}), "length >= 1"),
        (Taken({"ackState": "ERROR"}), "does not accept state 'ERROR'"),
        (Taken({"ackState": "OK", "done": "yes"}), "$.done"),
        (Taken({"ackState": "OK", "globalVariables": [1]}), "$.globalVariables"),
        (Taken({"ackState": "OK", "error": "broken"}), "$.error"),
        (Taken({"ackState": "OK", "data": "x" * (6 << 20)}), "5242880"),
    ],
)
def test_a_response_that_is_no_valid_answer_is_recorded_and_the_step_waits(
    host: Host, reply: Taken, reason: str
) -> None:
    run = started()
    host.actions.script = lambda _: reply
    assert host.work() == []
    entry = call("GET", "/flowrun/r/history").json[-1]
    assert (entry["event"], entry["step"], entry["uuid"], entry["to"]) == ("IgnoredReply", "A", uuid_of(run), "")
    assert reason in entry["error"]
    report = call("GET", "/doctor").json
    (found,) = report["findings"]
    assert (found["ailment"], found["run"], found["step"], found["uuid"]) == ("reply", "r", "A", uuid_of(run))
    assert entry["error"] in found["detail"]
    assert call("POST", "/doctor/repair").json["findings"] == [found]
    assert call("POST", "/step", answered(run)).json == {"outcome": "advanced"}
    assert call("GET", "/doctor").json["findings"] == []


@pytest.mark.parametrize("answer", [None, {}, {"status": "queued"}, {"state": "OK", "done": True}])
def test_a_response_that_is_no_answer_at_all_leaves_no_trace(host: Host, answer: dict[str, Any] | None) -> None:
    run = started()
    host.actions.script = lambda _: Taken(answer)
    host.work()
    assert call("GET", "/flowrun/r").json == run
    assert call("GET", "/doctor").json["findings"] == []


def signing(host: Host) -> None:
    """Require signed answers from the action `work`."""
    kept = host.store.definitions.latest("default", Kind.ACTION, ["work"])["work"]
    action = decode(kept.value, Action)
    signed = encode(replace(action, options=replace(action.options, signed=True)))
    host.store.definitions.submit("default", [replace(kept, version=kept.version + 1, value=signed)], [])
    host.clock.advance(60_000)


def headers(host: Host, body: str, secret: str = SECRET) -> dict[str, str]:
    """Return headers signed by the standard's library."""
    seconds = host.clock.now() // 1000
    text = Webhook(secret).sign("msg_1", datetime.fromtimestamp(seconds, UTC), body)
    return {"Webhook-Id": "msg_1", "Webhook-Timestamp": str(seconds), "Webhook-Signature": text}


def test_an_answer_that_must_be_signed_counts_with_a_signature_alone(host: Host) -> None:
    started("before")
    signing(host)
    run = call("POST", "/flow/two/runs", {"name": "r", "input": {"order": "o"}}).json
    body = json.dumps(answered(run, data="\u00e9"), ensure_ascii=False)
    before = call("GET", "/flowrun/r").json
    forged = headers(host, body, secrets_for(b"another", "default")[0])
    for wrong in ({}, forged, {**headers(host, body), "Webhook-Timestamp": "1"}):
        reply = call("POST", "/step", body, headers=wrong)
        assert (reply.status, reply.code) == (401, "unsigned")
        assert reply.headers["WWW-Authenticate"] == "StandardWebhooks"
    assert call("POST", "/step", body[:-1] + " }", headers=headers(host, body)).code == "unsigned"
    assert call("GET", "/flowrun/r").json == before
    assert call("POST", "/step", body, headers=headers(host, body)).json == {"outcome": "advanced"}
    assert call("POST", "/step", body, headers=headers(host, body)).json == {"outcome": "duplicate"}
    assert call("POST", "/step", body).code == "unsigned"


def test_what_arrives_as_bytes_is_verified_as_bytes(host: Host) -> None:
    """API Gateway passes binary types as base64."""
    started("before")
    signing(host)
    run = call("POST", "/flow/two/runs", {"name": "r", "input": {"order": "o"}}).json
    body = json.dumps(answered(run, data="\u00e9"), ensure_ascii=False)
    reply = call("POST", "/step", raw=body.encode(), headers=headers(host, body))
    assert reply.json == {"outcome": "advanced"}


@pytest.mark.parametrize("state", ["OK", "FAIL", "WHATEVER"])
def test_a_repeated_answer_with_any_content_changes_nothing(host: Host, state: str) -> None:
    run = started()
    call("POST", "/step", answered(run))
    before = call("GET", "/flowrun/r").json
    reply = call("POST", "/step", answered(run, ackState=state, globalVariables={"n": 2}))
    assert (reply.status, reply.json) == (200, {"outcome": "duplicate"})
    assert call("GET", "/flowrun/r").json == before


@pytest.mark.parametrize(
    "forged", [{"uuid": NEVER}, {"uuid": ""}, {"uuid": "x"}, {"stepName": "B"}, {"flowId": "other"}]
)
def test_a_forged_answer_is_a_404(host: Host, forged: dict[str, str]) -> None:
    reply = call("POST", "/step", answered(started(), **forged))
    assert (reply.status, reply.code) == (404, "never-issued")
    assert call("GET", "/flowrun/r").json["spec"]["seq"] == 1


def test_an_answer_that_the_step_does_not_route_leaves_it_waiting(host: Host) -> None:
    run = started()
    reply = call("POST", "/step", answered(run, ackState="MAYBE"))
    assert (reply.status, reply.code) == (422, "state-not-routed")
    assert "OK, FAIL" in reply.json["message"]
    assert call("POST", "/step", answered(run)).json == {"outcome": "advanced"}


def test_an_answer_to_a_stopped_run_is_a_conflict(host: Host) -> None:
    run = started()
    call("POST", "/flowrun/r/stop", {"reason": "wrong order"})
    reply = call("POST", "/step", answered(run))
    assert (reply.status, reply.code) == (409, "run-is-stopped")
    assert "wrong order" in reply.json["message"]


def test_an_answer_to_a_step_that_was_timed_out_is_late(host: Host) -> None:
    run = started()
    host.actions.script = lambda _: NotTaken("refused", final=True)
    host.work()
    assert call("GET", "/flowrun/r").json["spec"]["status"] == "failed"
    assert call("POST", "/step", answered(run)).status in (200, 409)


def test_a_paused_run_takes_answers_and_sends_nothing(host: Host) -> None:
    run = started()
    host.work()
    call("POST", "/flowrun/r/pause")
    assert call("POST", "/step", answered(run)).json == {"outcome": "advanced"}
    host.work()
    assert len(host.actions.calls) == 1
    call("POST", "/flowrun/r/continue")
    host.work()
    assert host.actions.requests[-1]["stepName"] == "B"


def test_of_answers_at_once_exactly_one_wins(host: Host) -> None:
    """One app object serves concurrent requests, and each has its own body and query."""
    run = started()
    bodies = [answered(run, data=number, globalVariables={"winner": number}) for number in range(16)]
    with ThreadPoolExecutor(16) as pool:
        replies = list(pool.map(lambda body: call("POST", "/step", body), bodies))
    outcomes = Counter(reply.json["outcome"] for reply in replies)
    assert outcomes == {"advanced": 1, "duplicate": 15}
    winner = next(number for number, reply in enumerate(replies) if reply.json["outcome"] == "advanced")
    assert call("GET", "/flowrun/r").json["spec"]["global_variable"] == {"winner": winner}


def test_requests_side_by_side_do_not_mix(host: Host) -> None:
    for number in range(8):
        started(f"r{number}")
    names = [f"r{number % 8}" for number in range(200)]
    with ThreadPoolExecutor(8) as pool:
        replies = list(pool.map(lambda name: call("GET", f"/flowrun?metadata.name={name}"), names))
    assert [reply.json[0]["metadata"]["name"] for reply in replies] == names
