"""The changes of all runs, as `fsl watch` follows them."""

from __future__ import annotations

import time
from datetime import datetime

import click
import pytest

from fsl.changes import _position_now, transitions
from fsl.cli.runs import follow
from fsl.client import Client, Resource

DOCUMENT = """
action ask addr = "http://127.0.0.1:9/never"; return = (YES | NO); retry = (max = 50, delay = 1h); action_end
/
flow one step Ask => (YES -> done | NO -> stopped) { action = ask; }; flow_end
/
flow two set S => (DONE -> done); flow_end
"""


def started(client: Client, flow: str, name: str) -> int:
    """Start a run, and return a time just before that: milliseconds since 1970."""
    run = client.start(flow, {"name": name})
    return int(datetime.fromisoformat(run["spec"]["created_at"]).timestamp() * 1000) - 1


def test_new_transitions_of_all_runs_are_yielded_once(client: Client) -> None:
    client.submit(DOCUMENT)
    before = started(client, "two", "c-1")
    watched = transitions(client, since=before)
    run, entries = next(watched)
    assert (run["metadata"]["name"], [one["to"] for one in entries]) == ("c-1", ["S", "done"])
    started(client, "one", "c-2")
    run, entries = next(watched)
    assert (run["metadata"]["name"], entries[0]["to"]) == ("c-2", "Ask")
    client.order("c-2", "stop")
    after = entries[-1]["seq"]
    while entries[-1]["to"] != "stopped":
        run, entries = next(watched)
        assert entries[0]["seq"] == after + 1
        after = entries[-1]["seq"]
    assert run["metadata"]["name"] == "c-2"


def test_only_runs_of_a_flow(client: Client) -> None:
    client.submit(DOCUMENT)
    before = started(client, "two", "c-3")
    started(client, "one", "c-4")
    run, _ = next(transitions(client, "one", before))
    assert run["metadata"]["name"] == "c-4"


def _millis(run: Resource) -> int:
    """Return when the run was changed last, in milliseconds since 1970."""
    return int(datetime.fromisoformat(run["spec"]["updated_at"]).timestamp() * 1000)


def test_what_happened_before_is_left_out(client: Client) -> None:
    client.submit(DOCUMENT)
    begun = _millis(client.start("one", {"name": "c-5"}))
    while time.time() * 1000 < begun + 2:
        pass  # times have milliseconds
    _, entries = next(transitions(client, "one", _millis(client.order("c-5", "pause")) - 1))
    events = [one["event"] for one in entries]
    assert ("RunPaused" in events, "RunStarted" in events) == (True, False)


def test_the_stream_begins_now_by_the_clock_of_the_server(client: Client) -> None:
    assert abs(_position_now(client) / 1000 - time.time()) < 5


def test_the_end_of_a_run_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    entry = {"seq": 2, "at": "2026-01-01T00:00:00Z", "from": "S", "to": "done", "event": "StepPassed", "token": "0"}
    run: Resource = {
        "metadata": {"name": "r"},
        "spec": {"seq": 2, "status": "failed", "last_err": "no luck", "ended_at": "2026-01-01T00:00:00Z"},
    }
    with click.Context(click.Command("watch")):
        follow._show_changes(run, [entry], as_json=False)
    assert capsys.readouterr().out.splitlines()[-1] == "r failed: no luck"
