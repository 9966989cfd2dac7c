"""Pausing actions and flows, delayed starts, and waiting for the end of a run, over HTTP."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Final

import pytest

from tests.entrypoints.gateway import call
from tests.entrypoints.steps import answered
from tests.hosts import Host

FSL: Final = """
action work addr = "http://x/"; return = (OK | BAD); action_end
/
action guarded addr = "http://x/"; return = (OK | BAD); action_end
/
flow f step One => (OK -> done | BAD -> stopped) { action = work; }; flow_end
"""


@pytest.fixture(autouse=True)
def _flow(host: Host) -> None:
    assert call("POST", "/fsl", FSL).status == 200


def started(query: str = "", **body: Any) -> Any:
    reply = call("POST", f"/flow/f/runs{query}", {"name": "r", **body})
    assert reply.status == 201, reply.text
    return reply.json


def after(host: Host, seconds: int) -> str:
    return datetime.fromtimestamp(host.clock.now() / 1000 + seconds, UTC).isoformat()


@pytest.mark.parametrize(("kind", "name"), [("action", "work"), ("flow", "f")])
def test_what_is_paused_says_so(host: Host, kind: str, name: str) -> None:
    assert call("GET", f"/{kind}/{name}").json["status"]["paused"] is False
    paused = call("POST", f"/{kind}/{name}/pause")
    assert paused.status == 200
    assert (paused.json["kind"], paused.json["name"], paused.json["paused"]) == (kind, name, True)
    host.clock.advance(60_000)
    again = call("POST", f"/{kind}/{name}/pause").json
    assert again["paused_at"] == paused.json["paused_at"]
    assert call("GET", f"/{kind}/{name}").json["status"]["paused_at"] == paused.json["paused_at"]
    assert call("GET", f"/{kind}?metadata.name={name}").json[0]["status"]["paused"] is True
    assert call("POST", f"/{kind}/{name}/continue").json["paused"] is False
    assert [one["status"]["paused"] for one in call("GET", f"/{kind}").json] == [False] * (1 + (kind == "action"))


def test_what_is_not_defined_cannot_be_paused(host: Host) -> None:
    assert call("POST", "/action/nothing/pause").status == 404
    assert call("POST", "/flow/nothing/continue").status == 404


def test_a_run_of_a_paused_flow_is_pending_and_says_why(host: Host) -> None:
    call("POST", "/flow/f/pause")
    run = started()
    assert run["spec"]["status"] == "pending"
    assert "paused" in run["spec"]["waits_for"]
    call("POST", "/flow/f/continue")
    host.settle()
    assert call("GET", "/flowrun/r").json["spec"]["status"] == "running"


def test_a_delayed_run_is_pending_until_then(host: Host) -> None:
    run = started(start_at=after(host, 60))
    assert (run["spec"]["status"], run["spec"]["waits_for"]) == ("pending", "its start time")
    assert run["spec"]["start_at"] == after(host, 60).replace("+00:00", ".000Z")
    host.pass_time(60_000)
    assert call("GET", "/flowrun/r").json["spec"]["status"] == "running"


@pytest.mark.parametrize(("start_at", "status"), [("tomorrow", 400), (7, 400), ("2100-01-01T00:00:00Z", 422)])
def test_a_bad_moment_is_refused(host: Host, start_at: Any, status: int) -> None:
    reply = call("POST", "/flow/f/runs", {"start_at": start_at})
    assert reply.status == status
    assert "start_at" in reply.json["message"]


def test_a_start_responds_when_the_time_is_over(host: Host) -> None:
    before = host.clock.now()
    run = started("?wait=25")
    assert (run["ended"], run["spec"]["status"]) == (False, "running")
    assert 25_000 <= host.clock.now() - before <= 26_000


def test_a_run_that_has_ended_is_returned_at_once(host: Host) -> None:
    run = started()
    assert run["ended"] is False
    call("POST", "/step", answered(run, ackState="OK"))
    before = host.clock.now()
    found = call("GET", "/flowrun/r?wait=25").json
    assert (found["ended"], found["spec"]["status"]) == (True, "succeeded")
    assert host.clock.now() == before


@pytest.mark.parametrize("wait", ["26", "-1", "soon"])
def test_a_wait_is_at_most_25_seconds(host: Host, wait: str) -> None:
    started()
    assert call("GET", f"/flowrun/r?wait={wait}").status == 400
    assert call("POST", f"/flow/f/runs?wait={wait}", {}).status == 400


def test_waiting_for_no_run_is_404(host: Host) -> None:
    assert call("GET", "/flowrun/nothing?wait=5").status == 404
