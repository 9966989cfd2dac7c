"""Limits and breakers as the HTTP API shows them."""

from __future__ import annotations

import pytest

from chalicelib.service.ports.actions import NotTaken
from tests.entrypoints.gateway import call
from tests.hosts import Host, accept

WORK = 'action work addr = "http://work.test/"; return = (OK); retry = (max = 1); BREAKER action_end'
FLOW = """
flow f
    description = "One at a time.";
    keep        = 2d;
    input       = (str customer);
    limit       = (concurrent = 1, key = ${ $input.customer }, overflow = OVERFLOW);
    step One => (OK -> done) { action = work; };
flow_end
"""


def started(host: Host, name: str) -> tuple[int, dict[str, object]]:
    reply = call("POST", "/flow/f/runs", {"name": name, "input": {"customer": "c-1"}})
    host.settle()
    return reply.status, reply.json


def test_a_run_over_the_limit_is_pending_and_says_what_it_waits_for(host: Host) -> None:
    host.actions.script = accept
    host.submit(f"{WORK.replace('BREAKER', '')}\n/\n{FLOW.replace('OVERFLOW', 'queue')}")
    for name in ("a", "b"):
        assert started(host, name)[0] == 201
    shown = [call("GET", f"/flowrun/{name}").json["spec"] for name in ("a", "b")]
    assert [(spec["status"], spec["waits_for"]) for spec in shown] == [
        ("running", ""),
        ("pending", "the limit of flow 'f' for key 'c-1'"),
    ]
    assert shown[1]["current_state"] == "ready"
    assert call("POST", "/flowrun/b/stop").json["spec"]["status"] == "canceled"


def test_a_run_that_is_skipped_is_409(host: Host) -> None:
    host.actions.script = accept
    host.submit(f"{WORK.replace('BREAKER', '')}\n/\n{FLOW.replace('OVERFLOW', 'skip')}")
    assert started(host, "a")[0] == 201
    status, body = started(host, "b")
    assert status == 409
    assert body["error"]["code"] == "limit-reached"  # type: ignore[index]
    assert call("GET", "/flowrun/b").status == 404


def test_a_flow_shows_its_description_and_how_long_its_runs_are_kept(host: Host) -> None:
    host.submit(f"{WORK.replace('BREAKER', '')}\n/\n{FLOW.replace('OVERFLOW', 'skip')}")
    spec = call("GET", "/flow/f").json["spec"]
    assert (spec["description"], spec["keep"]) == ("One at a time.", 2 * 86_400_000)


@pytest.mark.parametrize("breaker", ["", "breaker = (failures = 2, pause = 10m);"])
def test_an_action_shows_its_breaker(host: Host, breaker: str) -> None:
    host.actions.script = lambda request: NotTaken("503", final=False, status=503)
    host.submit(f"{WORK.replace('BREAKER', breaker)}\n/\n{FLOW.replace('OVERFLOW', 'queue')}")
    opened = []
    for name in ("a", "b", "c"):
        started(host, name)
        opened.append(call("GET", "/action/work").json["status"]["breaker"])
    if not breaker:
        assert opened == [None, None, None]
        return
    assert opened[0] == {"failures": 1, "open_until": None}
    assert opened[1] == opened[2]
    assert opened[1]["failures"] == 2
    assert opened[1]["open_until"].endswith("Z")
    assert call("GET", "/action").json[0]["status"]["breaker"] == opened[2]
