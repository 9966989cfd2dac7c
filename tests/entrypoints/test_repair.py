"""`retry`, `migrate` and `goto` over HTTP: bodies, refusals, what the history says, and what is masked."""

from __future__ import annotations

from typing import Any

import pytest

from tests.entrypoints.gateway import call
from tests.entrypoints.steps import answered, defined
from tests.hosts import Host, accept

ACTION = 'action work addr = "http://a.test/"; args = (int n, secret str card = null); return = (OK | BAD); action_end'
FLOW = """flow f
    input = (int amount, secret str card);
    vars = (rate = 2);
    step A => (OK -> B | BAD -> stopped) {
        action = work; args = (n = ${ $input.amount * $vars.rate }, card = ${ $input.card });
    };
    step B => (OK -> done | BAD -> stopped) { action = work; args = (n = 0); };
flow_end"""


@pytest.fixture
def waiting(host: Host) -> dict[str, Any]:
    """Run `r`, which waits at A."""
    host.actions.script = accept
    defined(ACTION, FLOW)
    run: dict[str, Any] = call("POST", "/flow/f/runs", {"name": "r", "input": {"amount": 7, "card": "0815"}}).json
    host.settle()
    return run


@pytest.fixture
def failed(waiting: dict[str, Any], host: Host) -> Host:
    """The host, on which `r` has failed at A."""
    assert call("POST", "/step", answered(waiting, ackState="BAD")).status == 200
    return host


def history(event: str) -> list[dict[str, Any]]:
    return [entry for entry in call("GET", "/flowrun/r/history").json if entry["event"] == event]


def test_a_run_is_retried_with_all_at_once(failed: Host) -> None:
    defined(ACTION, FLOW.replace("step B", "step C").replace("-> B", "-> C"))
    body = {
        "version": "latest",
        "step": "A",
        "input": {"amount": 5, "card": "4711"},
        "vars": {"rate": 10},
        "reason": "wrong rate",
    }
    reply = call("POST", "/flowrun/r/retry", body)
    assert (reply.status, reply.json["spec"]["status"], reply.json["spec"]["flow_version"]) == (200, "running", 2)
    failed.settle()
    assert failed.actions.requests[-1]["n"] == 50
    assert failed.actions.requests[-1]["card"] == "4711"
    assert history("VersionChanged")[0]["data"] == {"from": 1, "to": 2, "reason": "wrong rate"}
    assert history("InputChanged")[0]["data"] == {"input": {"amount": 5, "card": "***"}, "reason": "wrong rate"}
    assert history("VarsSet")[0]["vars"] == {"rate": 10}
    assert history("RunRetried")[0]["data"] == {"reason": "wrong rate"}
    assert "4711" not in call("GET", "/flowrun/r/history").text + call("GET", "/flowrun/r").text


@pytest.mark.parametrize(
    ("body", "status", "message"),
    [
        ({"version": 9}, 404, "there is no flow 'f version 9'"),
        ({"version": "newest"}, 400, "`version`"),
        ({"version": 0}, 400, "`version`"),
        ({"steps": "A"}, 400, "`steps`"),
        ({"step": "Z"}, 422, "has no step 'Z'"),
        ({"token": "0.1"}, 422, "has no token '0.1'"),
        ({"input": {"amout": 5}}, 422, "did you mean 'amount'"),
        ({"input": 5}, 422, "must be a map"),
        ({"undo": True, "version": 1}, 400, "exclude each other"),
        ({"undo": True, "input": {}}, 400, "exclude each other"),
    ],
)
def test_a_bad_retry_is_refused_and_changes_nothing(
    failed: Host, body: dict[str, Any], status: int, message: str
) -> None:
    before = call("GET", "/flowrun/r").json
    reply = call("POST", "/flowrun/r/retry", body)
    assert (reply.status, message in reply.json["message"]) == (status, True), reply.text
    assert call("GET", "/flowrun/r").json == before


def test_a_run_migrates_and_what_does_not_fit_is_said_per_token(waiting: dict[str, Any], host: Host) -> None:
    defined(ACTION, FLOW.replace("step A", "step First"))
    reply = call("POST", "/flowrun/r/migrate", {"version": "latest"})
    assert (reply.status, reply.json["error"]["code"]) == (409, "does-not-fit")
    why = "version 2 has no step 'A'"
    assert reply.json["error"]["tokens"] == [{"token": "0", "step": "A", "to": "A", "fits": False, "why": why}]
    dry = call("POST", "/flowrun/r/migrate", {"version": 2, "dry_run": True})
    assert (dry.status, dry.json["fits"], dry.json["tokens"]) == (200, False, reply.json["error"]["tokens"])
    reply = call("POST", "/flowrun/r/migrate", {"version": 2, "steps": {"A": "First"}, "reason": "renamed"})
    assert reply.json == {
        "name": "r",
        "from": 1,
        "to": 2,
        "dry_run": False,
        "moved": True,
        "fits": True,
        "tokens": [{"token": "0", "step": "A", "to": "First", "fits": True}],
        "problems": [],
    }
    data = {"from": 1, "to": 2, "steps": {"A": "First"}, "reason": "renamed"}
    assert history("VersionChanged")[0]["data"] == data
    assert call("POST", "/step", answered(waiting)).json == {"outcome": "advanced"}
    host.settle()
    assert call("GET", "/flowrun/r").json["spec"]["current_state"] == "B"
    assert call("POST", "/step", answered(waiting)).json == {"outcome": "duplicate"}
    assert call("GET", "/flowrun/r/graph?format=mermaid").status == 200
    assert call("GET", "/step").status == 200


def test_a_token_goes_to_a_step(waiting: dict[str, Any], host: Host) -> None:
    assert call("POST", "/flowrun/r/goto", {}).status == 400
    assert call("POST", "/flowrun/r/goto", {"step": "Z"}).status == 422
    assert call("POST", "/flowrun/x/goto", {"step": "B"}).status == 404
    reply = call("POST", "/flowrun/r/goto", {"step": "B", "reason": "paid by hand"})
    assert (reply.status, reply.json["spec"]["current_state"]) == (200, "B")
    (entry,) = history("TokenMoved")
    assert (entry["from"], entry["to"], entry["data"]) == ("A", "B", {"reason": "paid by hand"})
    assert call("POST", "/step", answered(waiting)).json == {"outcome": "duplicate"}
    (entry,) = history("LateAnswer")
    assert (entry["late"], entry["state"], entry["step"]) == (True, "OK", "A")


def test_a_failed_run_does_not_go_to_a_step_or_migrate(failed: Host) -> None:
    for command, body in (("goto", {"step": "B"}), ("migrate", {"version": 1})):
        reply = call("POST", f"/flowrun/r/{command}", body)
        assert (reply.status, reply.json["error"]["code"]) == (409, "order-refused")
