"""`fsl schedule`, against a server in this process."""

from __future__ import annotations

import pytest

from fsl.client import Client
from tests.fsl.conftest import Cli

PROGRAM = """
flow rest  input = (str day = "-");  wait Rest => (DONE -> done) { for = 90m; };  flow_end
/
schedule daily
    flow = rest;  cron = "0 2 * * *";  zone = "Europe/Berlin";  input = (day = ${ $scheduled });
schedule_end
/
schedule hourly  flow = rest;  every = 1h;  schedule_end
"""


@pytest.fixture(autouse=True)
def program(client: Client) -> None:
    client.submit(PROGRAM)


def test_schedules_are_listed(fsl: Cli) -> None:
    lines = fsl("schedule", "list").stdout.splitlines()
    assert lines[0].split() == ["name", "flow", "times", "next"]
    assert lines[1].split()[:8] == ["daily", "rest", "0", "2", "*", "*", "*", "Europe/Berlin"]
    assert lines[2].split()[:4] == ["hourly", "rest", "every", "1h"]
    assert [one["metadata"]["name"] for one in fsl.json("schedule", "list")] == ["daily", "hourly"]
    assert fsl.json("list", "schedule") == fsl.json("schedule", "list")


def test_a_schedule_is_shown_with_its_next_slots(fsl: Cli) -> None:
    text = fsl("schedule", "show", "daily", "--next", "3").stdout
    assert 'cron = "0 2 * * *"' in text
    assert text.count("T02:00:00+0") == 3
    assert len(fsl.json("schedule", "show", "daily")["next"]) == 10


def test_a_schedule_is_paused_and_continued(fsl: Cli) -> None:
    assert fsl("schedule", "pause", "hourly").stdout.split()[-1] == "paused"
    assert fsl.json("schedule", "continue", "hourly")["spec"]["paused"] is False


def test_runs_of_a_schedule_are_started(fsl: Cli) -> None:
    run = fsl.json("schedule", "run", "hourly")["run"]
    assert fsl.json("get", "flowrun", run)["spec"]["status"] == "running"
    past = ("schedule", "backfill", "hourly", "2026-01-01T00:00:00Z", "2026-01-01T01:00:00Z")
    assert fsl(*past).stdout.splitlines()[1:] == [
        "2026-01-01T00:00:00Z  started  hourly@2026-01-01T00:00:00Z",
        "2026-01-01T01:00:00Z  started  hourly@2026-01-01T01:00:00Z",
    ]
    assert [one["slot"] for one in fsl.json(*past)["existed"]] == ["2026-01-01T00:00:00Z", "2026-01-01T01:00:00Z"]
    assert "started" in fsl("schedule", "show", "hourly").stdout


def test_errors_are_those_of_the_server(fsl: Cli) -> None:
    refused = fsl("schedule", "show", "none")
    assert refused.exit_code == 1
    assert "there is no schedule 'none'" in refused.stderr
