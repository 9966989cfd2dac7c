"""`fsl check`: without a server."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from fsl.cli.main import main
from tests.fsl.conftest import RELEASE

ACTION = 'action ci addr = "http://x/ci"; return = (OK | BAD); action_end\n/\n'
RUN = 'flow_run r\n  step A => (OK -> done | BAD -> A) { action = "ci"; };\nflow_run_end\n'


def check(*words: str, text: str | None = None) -> Result:
    return CliRunner().invoke(main, ["check", *words], input=text, env={"ECHOER_URL": "http://127.0.0.1:1"})


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "ci.fsl").write_text(ACTION)
    (tmp_path / "run.fsl").write_text(RUN)
    (tmp_path / "typo.fsl").write_text(RUN.replace("-> A", "-> B"))
    return tmp_path


def test_the_example_is_right() -> None:
    """Standard input is `-`; standard error is empty."""
    result = check("-", text=RELEASE)
    assert (result.exit_code, result.stdout, result.stderr) == (0, "1 file: no problems\n", "")


def test_files_know_each_other(folder: Path) -> None:
    """An action of one file is known in the other, in any order; without it, it is unknown."""
    both = [str(folder / "run.fsl"), str(folder / "ci.fsl")]
    assert check(*both).exit_code == 0
    assert check(*reversed(both)).exit_code == 0
    alone = check(both[0])
    assert alone.exit_code == 1
    assert "FSL203" in alone.stderr


def test_a_problem_is_shown_where_it_is(folder: Path) -> None:
    """File, line, column, the line itself, a caret; exit code 1."""
    result = check(str(folder / "ci.fsl"), str(folder / "typo.fsl"))
    assert result.exit_code == 1
    head, line, caret, summary = result.stderr.splitlines()
    assert head.startswith(f"{folder / 'typo.fsl'}:2:")
    assert "error FSL204 unknown-target" in head
    assert line.endswith('step A => (OK -> done | BAD -> B) { action = "ci"; };')
    assert caret.index("^") == line.index("BAD -> B") + len("BAD -> ")
    assert summary == "2 files: 1 error"
    assert result.stdout == ""


def test_warnings_are_no_errors(folder: Path) -> None:
    """They are printed on standard error, and the exit code is 0."""
    result = check("-", text=ACTION + RUN.replace(" | BAD -> A", ""))
    assert (result.exit_code, result.stdout) == (0, "1 file: 1 warning\n")
    assert "stdin:" in result.stderr
    assert "warning FSL301" in result.stderr


def test_json_holds_everything(folder: Path) -> None:
    """Only JSON on standard output, nothing on standard error."""
    result = check("--json", str(folder / "ci.fsl"), str(folder / "typo.fsl"))
    output = json.loads(result.stdout)
    assert (result.exit_code, result.stderr, output["ok"]) == (1, "", False)
    (found,) = output["diagnostics"]
    assert (found["file"], found["code"], found["line"]) == (str(folder / "typo.fsl"), "FSL204", 2)
    assert json.loads(check("--json", "-", text=RELEASE).stdout) == {"ok": True, "diagnostics": []}


def test_files_that_cannot_be_read(folder: Path) -> None:
    """A file that is not there is a usage error; one that is no text fails."""
    assert check(str(folder / "nothing.fsl")).exit_code == 2
    (folder / "noise.fsl").write_bytes(b"\xff\xfe\x00")
    noise = check(str(folder / "noise.fsl"))
    assert noise.exit_code == 1
    assert "not UTF-8" in noise.stderr


def test_the_summary_says_how_many_problems_are_hidden(folder: Path) -> None:
    """Both the hidden problems of the syntax and those of the checker are counted."""
    wrong = "action a addr = 1; return = (OK); action_end"
    (folder / "many.fsl").write_text("@ " * 80 + " / ".join([wrong] * 60))
    found = check(str(folder / "many.fsl"), str(folder / "ci.fsl"))
    assert found.exit_code == 1
    hidden = re.search(r"2 files: 100 errors, (\d+) hidden problems", found.stderr)
    assert hidden
    assert f"{hidden[1]} more problems are not shown: the limit is 100" in found.stdout + found.stderr


def test_a_file_that_is_missing_does_not_hide_the_problems_of_others(folder: Path) -> None:
    (folder / "bad.fsl").write_text("action b addr = 1; return = (OK); action_end")
    found = check(str(folder / "nothing.fsl"), str(folder / "bad.fsl"))
    assert found.exit_code == 2
    assert "cannot read" in found.stderr
    assert "wrong-value" in found.stdout + found.stderr
