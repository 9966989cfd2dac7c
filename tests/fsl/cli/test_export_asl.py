"""`fsl export --asl`: flows for AWS Step Functions, from files and from a server."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from fsl.client import Client
from tests.fsl.conftest import Cli

FLOWS = """config LIMIT = 3;
/
action charge addr = "charge-card"; method = lambda; callback = none; args = any; return = (OK); action_end
/
flow pay
    input = any;
    step Charge => (OK -> done) { action = charge; args = ${ { "order": $input, "limit": $config.LIMIT } }; };
flow_end
/
flow waits
    input = any;
    step Charge => (OK -> Paid) { action = charge; args = ${ $input }; };
    wait Paid => (PAID -> done | TIMEOUT -> stopped) {
        events = (PAID = "paid");
    };
flow_end
"""
MISSING = "step Paid: Step Functions has no such step: an execution waits for time, tasks and task tokens only"


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    found = tmp_path_factory.mktemp("asl") / "flows.fsl"
    found.write_text(FLOWS)
    return found


@pytest.fixture(scope="module", autouse=True)
def defined(client: Client) -> None:
    client.submit(FLOWS)


def test_a_flow_of_a_file_and_of_the_server_is_the_same_machine(fsl: Cli, file: Path, tmp_path: Path) -> None:
    shown = fsl("export", "--asl", str(file), "--name", "pay")
    assert (shown.exit_code, shown.stderr) == (0, "")
    machine = json.loads(shown.stdout)
    assert machine["States"]["Charge"]["Arguments"]["Payload"] == (
        '{% { "order": $states.context.Execution.Input, "limit": (3) } %}'
    )
    assert json.loads(fsl("export", "--asl", "pay").stdout) == machine
    output = tmp_path / "pay.asl.json"
    assert fsl("export", "--asl", "pay", "--output", str(output)).stdout == ""
    assert json.loads(output.read_text()) == machine
    assert fsl.json("export", "--asl", "pay") == {"asl": machine, "problems": []}


def test_what_cannot_be_expressed_is_listed_with_its_lines(fsl: Cli, file: Path) -> None:
    shown = fsl("export", "--asl", str(file), "--name", "waits")
    assert (shown.exit_code, shown.stdout) == (1, "")
    assert shown.stderr.splitlines() == [f"{file}:13: error: {MISSING}"]
    shown = fsl("export", "--asl", "waits")
    assert shown.exit_code == 1
    assert shown.stderr.splitlines() == [f"waits:4: error: {MISSING}"]


def test_wrong_names(fsl: Cli, file: Path) -> None:
    several = fsl("export", "--asl", str(file))
    assert several.exit_code == 2
    assert "choose a flow with --name NAME; the files define: pay, waits" in several.stderr
    missing = fsl("export", "--asl", "nothing")
    assert missing.exit_code == 1
    assert "there is no flow 'nothing'" in missing.stderr


def test_the_definitions_are_written_to_a_file_too(fsl: Cli, file: Path, tmp_path: Path) -> None:
    output = tmp_path / "all.json"
    assert fsl("export", str(file), "-o", str(output)).exit_code == 0
    assert json.loads(output.read_text()) == json.loads(fsl("export", str(file)).stdout)
