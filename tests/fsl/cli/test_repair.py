"""`fsl retry`, `migrate` and `goto`, against a server in this process."""

from __future__ import annotations

import pytest

from fsl.client import Client
from tests.fsl.conftest import Cli

ACTION = """
action ask addr = "http://127.0.0.1:9/never"; args = (str question = "?"); return = (YES | NO);
    retry = (max = 50, delay = 1h); action_end
/
"""
FLOW = """
flow mended
    input = (str who = "anna");  vars = (tries = 1);
    step First => (YES -> Second | NO -> stopped) { action = ask; };
    step Second => (YES -> done | NO -> stopped) { action = ask; };
flow_end
"""


@pytest.fixture
def run(client: Client, request: pytest.FixtureRequest) -> str:
    """The name of a run that waits at First of version 1, or of a later one."""
    client.submit(ACTION + FLOW)
    name: str = client.start("mended", {"name": request.node.name})["metadata"]["name"]
    return name


def test_a_run_is_retried_mended(fsl: Cli, client: Client, run: str) -> None:
    client.submit(ACTION + FLOW.replace("tries = 1", "tries = 1, more = 2"))
    fsl("stop", run)
    options = ("--version", "latest", "--var", "tries=7", "-i", "who=ben", "--step", "Second", "--reason", "late")
    spec = fsl.json("retry", run, *options)["spec"]
    assert (spec["current_state"], spec["status"]) == ("Second", "running")
    assert (spec["global_variable"], spec["input"]) == ({"tries": 7, "more": 2}, {"who": "ben"})
    assert [entry["data"] for entry in client.history(run) if entry["event"] == "RunRetried"] == [{"reason": "late"}]


def test_versions_and_options_are_checked(fsl: Cli, run: str) -> None:
    assert fsl("retry", run, "--version", "newest").exit_code == 2
    assert "exclude each other" in fsl("retry", run, "--undo", "--step", "First").stderr
    assert fsl("migrate", run, "latest", "--step", "First").exit_code == 2


def test_a_run_migrates(fsl: Cli, client: Client, run: str) -> None:
    client.submit(ACTION + FLOW.replace("First", "Begin"))
    result = fsl("migrate", run, "latest", "--dry-run")
    assert (result.exit_code, "has no step 'First'" in result.stdout) == (1, True)
    assert "has no step 'First'" in fsl("migrate", run, "latest").stderr
    result = fsl("migrate", run, "latest", "--step", "First=Begin")
    assert (result.exit_code, result.stdout.splitlines()[1].split()) == (0, ["0", "First", "Begin", "fits"])
    assert client.get("flowrun", run)["spec"]["current_state"] == "Begin"


def test_a_run_goes_to_a_step(fsl: Cli, run: str) -> None:
    result = fsl("goto", run, "Second", "--reason", "answered by mail")
    assert result.stdout.splitlines()[1].split() == [run, "running", "Second"]
    assert fsl("goto", run, "Nowhere").exit_code == 1
