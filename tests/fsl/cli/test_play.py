"""`fsl play`: lines are moves on a virtual clock."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from chalicelib.play.waiting import Waiting
from chalicelib.service.details.kinds import WaitKind
from fsl.cli.main import main
from fsl.cli.play.moves import BadMove, move_of

PROGRAM = """
action charge addr = "http://x/"; args = (str order); return = (PAID | BAD); timeout = 10m; action_end
/
action review method = human; args = (str order); return = (AGREE | REJECT); timeout = 1d; action_end
/
flow order
    input = (str order, int amount);
    vars  = (note = "");
    deci Size   => (when ${ $input.amount > 1000 } -> Review | else -> Charge);
    deci Review => (AGREE -> Charge | REJECT -> stopped | TIMEOUT -> stopped) { action = review; };
    step Charge => (
          PAID -> Sent (note = ${ $result.note }) | BAD -> stopped | TIMEOUT -> Sent | ERROR -> stopped
    ) { action = charge; };
    wait Sent => (SENT -> done | TIMEOUT -> stopped) {
        events = (SENT = "sent"); key = ${ $input.order }; timeout = 2d;
    };
flow_end
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "order.fsl"
    path.write_text(PROGRAM)
    return path


def play(file: Path, *lines: str, amount: int = 5, words: tuple[str, ...] = ()) -> Result:
    given = ("-i", "order=1", "-i", f"amount={amount}", "--utc", *words)
    return CliRunner().invoke(main, ["play", str(file), *given], input="\n".join(lines))


def end(file: Path, *lines: str, amount: int = 5) -> Any:
    return json.loads(play(file, *lines, amount=amount, words=("--json",)).stdout)


def test_a_play_shows_what_the_run_waits_for(file: Path) -> None:
    shown = [line.split("  ") for line in play(file).stdout.splitlines()]
    assert shown[1] == ["2027-01-15 08:00:00 UTC", "Size -> Charge by StepPassed"]
    assert [cell.strip() for cell in shown[3] if cell] == [
        "Charge", "action charge", "PAID | BAD", "2027-01-15 08:10:00 UTC", '{"order": "1"}'
    ]  # fmt: skip


def test_answers_events_and_time_lead_to_the_end(file: Path) -> None:
    lines = ["AGREE", 'Charge PAID {"note": "fine"}', "wait 1d", "event sent 1"]
    result = play(file, *lines, amount=5_000)
    assert result.exit_code == 0
    assert result.stdout.splitlines()[-1] == "2027-01-16 08:00:00 UTC  succeeded"
    found = end(file, *lines, amount=5_000)
    assert (found["status"], found["vars"]) == ("succeeded", {"note": "fine"})


def test_a_move_is_taken_back(file: Path) -> None:
    found = end(file, "BAD", "undo", "PAID", "undo", "fail Charge 404")
    assert (found["status"], found["last_err"]) == ("failed", "Refused: charge: HTTP 404")


def test_time_passes_to_what_happens_next(file: Path) -> None:
    assert [end(file, *["next"] * count)["status"] for count in (1, 2)] == ["running", "failed"]
    assert end(file, "until 2027-01-15T08:10:00Z", "event sent 1")["status"] == "succeeded"


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("NONSENSE", "is no move, no step that waits, and no state of one"),
        ("Charge", "write: STEP STATE"),
        ("Charge SENT", "is not a state of 'charge'"),
        ("wait", "write: wait DURATION"),
        ("wait soon", "the clock cannot go to"),
        ("set x", "write: set NAME=VALUE"),
        ("undo", "there is no move to take back"),
        ("answer Review AGREE", "no token waits at step 'Review'"),
    ],
)
def test_what_is_refused_changes_nothing(file: Path, line: str, why: str) -> None:
    result = play(file, line, "PAID", "event sent 1")
    assert (result.exit_code, why in result.stdout) == (1, True), result.stdout
    assert result.stdout.splitlines()[-1].endswith("succeeded")


def test_a_person_commands_the_run(file: Path) -> None:
    found = end(file, "pause", "set note=[1]", "continue", "stop enough", "retry", "PAID", "signal sent")
    assert (found["status"], found["vars"]) == ("succeeded", {"note": None})
    printed = play(file, "set note=[1]", "vars", "history", "runs", "help", "quit", "BAD")
    assert (printed.exit_code, "BAD" in printed.stdout.splitlines()[-1]) == (0, False)
    assert "note      [1]" in printed.stdout


def test_one_of_several_tokens(tmp_path: Path) -> None:
    program = tmp_path / "each.fsl"
    program.write_text(
        'action a addr = "http://x/"; return = (OK | NO); action_end / flow f '
        "each E => (DONE -> done | FAIL -> stopped) { items = [1, 2]; "
        "step One => (OK -> done | NO -> stopped) { action = a; }; }; flow_end"
    )
    result = CliRunner().invoke(main, ["play", str(program)], input="One@0.1 OK\nOne ERROR Broken by hand\n")
    assert "One@0.0" in result.stdout
    assert result.stdout.splitlines()[-1].endswith("failed: Broken: by hand")


def test_programs_that_cannot_be_played(file: Path) -> None:
    """Without input, with a wrong flow, with errors."""
    runner = CliRunner()
    assert "order: is missing" in runner.invoke(main, ["play", str(file)]).stderr
    assert "there is no flow 'x'" in runner.invoke(main, ["play", str(file), "--flow", "x"]).stderr
    assert runner.invoke(main, ["play", str(file), "--at", "soon"]).exit_code == 2
    file.write_text("flow f")
    assert "FSL1" in runner.invoke(main, ["play", str(file)]).stderr


def test_a_state_of_several_steps_needs_the_step() -> None:
    waits = [Waiting(run="run", step=step, token="0", uuid=step, kind=WaitKind.ACTION, states=("OK",)) for step in "AB"]
    with pytest.raises(BadMove, match="name one of A, B, as in A OK"):
        move_of("OK", waits)
    found = move_of("B OK", waits).answer
    assert found is not None
    assert found.step == "B"
