"""`fsl play --run` and `fsl play --save-test`."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from fsl.cli.main import main
from fsl.client import Client
from tests.fsl.cli.test_play import PROGRAM, play
from tests.fsl.conftest import Cli, until

FLOW = """
action review method = human; return = (AGREE | REJECT); timeout = 1d; action_end
/
flow replayed
    step Review => (AGREE -> done | REJECT -> stopped | TIMEOUT -> stopped) { action = review; };
flow_end
"""


@pytest.fixture
def run(client: Client, request: pytest.FixtureRequest) -> str:
    """The name of a run whose person has refused."""
    client.submit(FLOW)
    name: str = request.node.name
    client.start("replayed", {"name": name})
    client.answer(f"{name}.Review", {"ackState": "REJECT", "done": True})
    until(lambda: client.get("flowrun", name)["spec"]["status"] == "failed")
    return name


@pytest.fixture
def mended(tmp_path: Path) -> Path:
    file = tmp_path / "mended.fsl"
    file.write_text(FLOW.replace("REJECT -> stopped", "REJECT -> Review"))
    return file


def test_a_replay_says_that_nothing_differs(fsl: Cli, run: str) -> None:
    shown = fsl("play", "--run", run).stdout
    assert "entries 1 to 2 are decided as they were recorded" in shown
    assert "failed" in shown


def test_a_replay_against_a_file_shows_the_first_difference(fsl: Cli, run: str, mended: Path) -> None:
    shown = fsl("play", "--run", run, str(mended)).stdout.splitlines()
    assert shown[0] == "entry 2 is decided otherwise"
    assert "Review -> stopped by StepAcked REJECT" in shown[1]
    assert "Review -> Review by StepAcked REJECT" in shown[2]
    assert fsl.json("play", "--run", run, str(mended))["differs"]["seq"] == 2


def test_a_look_ahead_lists_what_happens_if_nothing_is_done(fsl: Cli, run: str) -> None:
    shown = fsl("play", "--run", run, "--upto", "1", "--ahead").stdout
    assert "the deadline of step Review" in shown
    assert "Review -> stopped by StepTimedOut TIMEOUT" in shown


def test_a_recorded_run_becomes_a_test(fsl: Cli, run: str, tmp_path: Path) -> None:
    (tmp_path / "replayed.fsl").write_text(FLOW)
    case = tmp_path / "replayed.test.yaml"
    fsl("play", "--run", run, "--save-test", str(case))
    assert "REJECT" in case.read_text()
    assert CliRunner().invoke(main, ["test", str(case)]).exit_code == 0


def test_a_play_becomes_a_test(tmp_path: Path) -> None:
    file, case = tmp_path / "order.fsl", tmp_path / "tests" / "paid.test.yaml"
    file.write_text(PROGRAM)
    case.parent.mkdir()
    result = play(
        file, "fail Charge 503", "next", 'PAID {"note": "x"}', "event sent 1", words=("--save-test", str(case))
    )
    assert result.exit_code == 0, result.output
    assert "program: " in case.read_text()
    tested = CliRunner().invoke(main, ["test", str(case)])
    assert tested.exit_code == 0, tested.output
    again = play(file, words=("--save-test", str(case)))
    assert (again.exit_code, "exists already" in again.output) == (2, True)


@pytest.mark.parametrize(
    ("words", "why"),
    [
        ((), "name FSL files, or a run with --run"),
        (("--run", "x", "-i", "a=1"), "a recorded run has its own input"),
    ],
)
def test_a_command_that_makes_no_sense_says_why(words: tuple[str, ...], why: str) -> None:
    result = CliRunner().invoke(main, ["play", "--utc", *words])
    assert (result.exit_code, why in result.output) == (2, True)
