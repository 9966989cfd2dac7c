"""Every run of every test of the programs, replayed from its history: the same decisions, and the same head."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import pytest

import fsl
from chalicelib.play.case_text import case_text
from chalicelib.play.recorded import CannotReplay
from chalicelib.play.session import Play, play
from fsl.testing.execute import run_case
from fsl.testing.suite import Suite
from tests.play.test_case_text import outcome

PROGRAMS = sorted((Path(fsl.__file__).parent / "programs").glob("*.test.yaml"))


NOT_REPLAYED = {
    "call": "a called flow that the test replaces has no run",
    "deci_data": "it decides by a secret",
    "secrets": "it decides by a secret",
}
"""The programs of which not every run can be replayed, and why."""


@pytest.mark.parametrize("path", PROGRAMS, ids=lambda path: path.name.partition(".")[0])
def test_a_replay_gives_the_recorded_run(path: Path) -> None:
    suite = Suite(path)
    for case in suite.tests.tests:
        done = run_case(suite.program, suite.tests, case)
        for run in done.host.runs():
            allowed = (CannotReplay,) if path.name.partition(".")[0] in NOT_REPLAYED else ()
            with suppress(*allowed):
                found = play(done.host.services, done.host.namespace, Play(run=run.name))
                assert found.differs is None, f"{case.name}: {run.name}: {found.differs}"
                assert (found.run.status, found.run.vars.keys()) == (run.status, run.vars.keys())


@pytest.mark.parametrize(
    "name", ["approval", "call", "each", "event", "fork_any", "human", "operating", "retry", "repeats", "turns"]
)
def test_a_recorded_run_becomes_a_test_that_passes(name: str, tmp_path: Path) -> None:
    suite = Suite(next(path for path in PROGRAMS if path.name == f"{name}.test.yaml"))
    program = "\n/\n".join(path.read_text() for path in suite.program_files)
    done = run_case(suite.program, suite.tests, suite.tests.tests[0])
    case = case_text(done.host.services, done.host.namespace, Play(run=done.name))
    assert not outcome(tmp_path, program, case)
