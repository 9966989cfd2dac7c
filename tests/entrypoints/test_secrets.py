"""Secrets in the API: no call, list, stream or table shows one, and no request can pass a value as encrypted."""

from __future__ import annotations

import json
import logging
from typing import Any

import pytest

from tests.entrypoints.gateway import call
from tests.entrypoints.steps import answered
from tests.hosts import Host

CARD = "4111-1111-1111-1111"
TEXT = """
action pay addr = "http://pay/"; args = (secret str card); return = (PAID | DECLINED); data = secret; action_end
/
action ask method = human; args = (secret str card, str order); return = (YES | NO); action_end
/
flow checkout
    input  = (secret str card, str order);
    vars   = (secret pin = ${ $input.card }, n = 1);
    output = ${ { "card": $input.card, "order": $input.order } };
    step Pay => (PAID -> Ask | DECLINED -> stopped) { action = pay; };
    deci Ask => (YES -> done | NO -> stopped) { action = ask; };
flow_end
"""
SHOWN = (
    "/flowrun",
    "/flowrun/c-1",
    "/flowrun/c-1/history",
    "/flowrun/c-1/watch?after=0",
    "/flowrun/c-1/graph",
    "/flowrun/c-1/graph?format=svg",
    "/step",
    "/step/c-1.Pay",
    "/task",
    "/watch?resource=flowrun&resource=step&version=1",
    "/doctor?silent=1ms",
    "/flow/checkout",
)
COMMANDS = ("list flowrun", "get flowrun c-1", "get step c-1.Pay", "history c-1", "list step", "get flow checkout")


def begun(host: Host) -> Any:
    assert call("POST", "/fsl", TEXT).status == 200
    made = call("POST", "/flow/checkout/runs", {"name": "c-1", "input": {"card": CARD, "order": "o-1"}})
    assert made.status == 201
    host.work()
    return made


def test_no_response_contains_a_secret(host: Host, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        made = begun(host)
        told = [made.text]
        for state in ("a report", "an answer", "the end"):
            host.clock.advance(1_000)
            told += [call("GET", url).text for url in SHOWN]
            told += [call("POST", "/command", {"command": command}).text for command in COMMANDS]
            if state == "a report":
                data = {"receipt": CARD}
                reply = call("POST", "/step", answered(made.json, done=False, ackState=None, data=data))
                told += [reply.text, call("POST", "/step", answered(made.json, ackState="PAID", data=data)).text]
            elif state == "an answer":
                (task,) = call("GET", "/task").json
                named = {name: task[name] for name in ("flowId", "stepName", "uuid")}
                told.append(call("POST", "/step", {**named, "ackState": "YES", "done": True}).text)
    assert json.loads(host.actions.calls[0].body)["card"] == CARD
    assert not [text for text in told if CARD in text or "sealed" in text]
    assert CARD not in caplog.text
    run = call("GET", "/flowrun/c-1").json["spec"]
    assert (run["status"], run["output"]) == ("succeeded", {"card": "***", "order": "o-1"})
    assert (run["input"], run["global_variable"]) == ({"card": "***", "order": "o-1"}, {"pin": "***", "n": 1})
    entries = call("GET", "/flowrun/c-1/history").json
    assert [entry["data"] for entry in entries if entry["step"] == "Pay" and entry["state"]] == ["***"]


def test_a_person_sees_that_there_is_a_secret(host: Host) -> None:
    made = begun(host)
    call("POST", "/step", answered(made.json, ackState="PAID"))
    (task,) = call("GET", "/task").json
    assert task["args"] == {"card": "***", "order": "o-1"}


@pytest.mark.parametrize("key", ["\\u0000sealed", "\\u0000\\u0073ealed"])
@pytest.mark.parametrize(
    ("method", "url", "body"),
    [
        ("POST", "/flow/checkout/runs", '{"input": {"card": {"KEY": "x.y"}, "order": "o"}}'),
        ("POST", "/flowrun/c-1/vars", '{"vars": {"n": [{"KEY": "x.y"}]}}'),
        ("POST", "/event", '{"name": "e", "data": {"a": {"KEY": "x.y"}}}'),
        ("POST", "/step", '{"flowId": "c-1", "stepName": "Pay", "uuid": "u", "data": {"KEY": "x.y"}}'),
    ],
)
def test_no_request_can_pass_a_value_as_encrypted(host: Host, key: str, method: str, url: str, body: str) -> None:
    begun(host)
    before = call("GET", "/flowrun/c-1").json
    reply = call(method, url, body.replace("KEY", key))
    assert (reply.status, "the form of an encrypted secret" in reply.text) == (400, True)
    assert call("GET", "/flowrun/c-1").json == before


def test_text_that_holds_such_json_stays_text(host: Host) -> None:
    assert call("POST", "/fsl", TEXT.replace("data = secret; ", "")).status == 200
    made = call("POST", "/flow/checkout/runs", {"name": "c-1", "input": {"card": CARD, "order": "o-1"}})
    host.work()
    forged = '{"\\u0000sealed": "x.y"}'
    assert call("POST", "/step", answered(made.json, ackState="PAID", data=forged)).json == {"outcome": "advanced"}
    assert call("GET", "/flowrun/c-1").json["spec"]["current_state"] == "Ask"


def test_named_secrets_are_never_returned(host: Host) -> None:
    made = call("PUT", "/secret/ci.token", {"value": "t0p-s3cret"})
    assert (made.status, made.json.keys()) == (200, {"name", "set_at", "set_by"})
    assert [one["name"] for one in call("GET", "/secret").json] == ["ci.token"]
    assert not any("t0p" in repr(value) for value in vars(host.store.versioned_values).values())
    assert call("DELETE", "/secret/ci.token").json["name"] == "ci.token"
    assert call("DELETE", "/secret/ci.token").status == 404


@pytest.mark.parametrize(
    ("name", "body", "status"),
    [("a b", {"value": "x"}, 422), ("a", {"value": ""}, 400), ("a", {"value": "é" * 16_000}, 422), ("a", {}, 400)],
)
def test_a_secret_must_be_set_rightly(host: Host, name: str, body: Any, status: int) -> None:
    assert call("PUT", f"/secret/{name.replace(' ', '%20')}", body).status == status
    assert call("GET", "/secret").json == []


SCOPES = """
action ask method = human; args = (str order); return = (YES | NO); action_end
/
flow scoped
    input = (secret str card);
    fork Both => (DONE -> done) {
        vars = (secret pin = ${ $input.card }, votes = 0);
        branch one {
            vars = (secret token = ${ $input.card }, n = 7);
            step Ask => (YES -> done | NO -> stopped) { action = ask; args = (order = "o-1"); };
        };
    };
flow_end
"""


def test_the_variables_of_scopes_are_shown_with_their_tokens_and_secret_ones_masked(host: Host) -> None:
    assert call("POST", "/fsl", SCOPES).status == 200
    assert call("POST", "/flow/scoped/runs", {"name": "s-1", "input": {"card": CARD}}).status == 201
    host.work()
    found = call("GET", "/flowrun/s-1")
    assert CARD not in found.text
    shown = {token["id"]: token.get("vars") for token in found.json["spec"]["tokens"]}
    assert shown == {"0": {"pin": "***", "votes": 0}, "0.one": {"token": "***", "n": 7}}
