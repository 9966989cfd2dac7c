"""Two programs that used to have different results in `fsl test` and on the server."""

from __future__ import annotations

from pathlib import Path

from chalicelib.service.runs.children import MAX_CALL_DEPTH
from fsl.testing.coverage import Coverage
from fsl.testing.suite import Suite
from tests.fsl.testing.files import written
from tests.hosting.programs import nested

PACED = """
action work addr = "http://work.example"; args = (int item); return = (OK); limit = (per_second = 1); action_end
/
flow f
    each E => () { items = [1, 2, 3, 4, 5]; step A => (OK -> done) { action = work; args = (item = ${ $item }); }; };
flow_end
"""


def failures(folder: Path, program: str, tests: str) -> list[str]:
    suite = Suite(written(folder, p_fsl=program, p_test_yaml=tests) / "p.test.yaml")
    return [failure.message for result in suite.run(Coverage()) for failure in result.failures]


def test_deliveries_are_limited_per_second(tmp_path: Path) -> None:
    tests = "actions: {work: OK}\ntests: [{name: a, expect: {status: succeeded, takes: 4s}}]"
    assert failures(tmp_path, PACED, tests) == []


def test_calls_are_not_nested_deeper_than_the_service_allows(tmp_path: Path) -> None:
    tests = "flow: f0\ntests: [{name: a, expect: {status: STATUS}}]"
    assert failures(tmp_path, nested(40), tests.replace("STATUS", "failed, last_err: nested more than 32 deep")) == []
    assert failures(tmp_path, nested(MAX_CALL_DEPTH), tests.replace("STATUS", "succeeded")) == []
