"""Executions that AWS recorded: each ends here as it ended there, but for those that are listed with a reason."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any, Final

import msgspec
import pytest
from msgspec.structs import replace

from tests.conformance.asl import figures
from tests.conformance.asl.__main__ import main
from tests.conformance.asl.cases import OWN, Case, Kind, RecordedTask, load
from tests.conformance.asl.compare import difference, request_difference, same_error
from tests.conformance.asl.expected import EXPECTED, OWN_MISSES
from tests.conformance.asl.runner import Verdict, run_case, run_text

FUNCTION: Final = 'action f addr = "f"; method = lambda; args = any; return = (OK); callback = none; action_end\n/\n'


@cache
def verdicts() -> Sequence[Verdict]:
    return tuple(map(run_case, load()))


def test_every_miss_is_expected_and_every_expected_miss_misses() -> None:
    missed = {verdict.case.id: verdict.reason for verdict in verdicts() if not verdict.passed}
    assert {name: reason for name, reason in missed.items() if name not in EXPECTED} == {}
    assert set(EXPECTED) - set(missed) == set()


def test_own_cases_end_as_aws_documents_it() -> None:
    missed = {verdict.case.id: verdict.reason for verdict in map(run_case, load(OWN)) if not verdict.passed}
    assert {name: reason for name, reason in missed.items() if name not in OWN_MISSES} == {}


def test_almost_all_cases_pass() -> None:
    counted = [verdict.case.kind for verdict in verdicts()]
    assert (counted.count(Kind.PURE), counted.count(Kind.TASK)) == (463, 99)
    assert figures.share(verdicts(), Kind.PURE) >= 97
    assert figures.share(verdicts(), Kind.TASK) >= 95


def test_the_figures_of_the_documentation_are_those_of_this_version() -> None:
    page = figures.PAGE.read_text(encoding="utf-8")
    assert figures.written(page, figures.markdown(verdicts())) == page, "python -m tests.conformance.asl --markdown"


# ── the runner finds what differs ────────────────────────────────────────────────────────────────────────────────────


def case(**changes: Any) -> Case:
    made = Case(id="c", group="g", definition={}, input={"n": 1}, status="SUCCEEDED", output={"n": 1})
    return replace(made, **changes)


ECHO: Final = "flow m input = any; set A => (DONE -> done (output = ${ $input })); flow_end"
CALL: Final = FUNCTION + "flow m input = any; step A => (OK -> done) { action = f; args = ${ $input }; }; flow_end"
FAIL: Final = 'flow m input = any; deci A => (else -> stopped (error = "Odd")); flow_end'


def a_task(**changes: Any) -> dict[str, Any]:
    task = {"state": "A", "event": "TaskSucceeded", "service": "lambda:function", "request": {"n": 1}, "output": 2}
    return {"pure": False, "output": 2, "tasks": [msgspec.convert({**task, **changes}, RecordedTask)]}


@pytest.mark.parametrize(
    ("changes", "text", "found"),
    [
        ({}, ECHO, ""),
        ({"output": {"n": 2}}, ECHO, "/n: 1 is not 2"),
        ({"output": {"n": True}}, ECHO, "/n: 1 is not true"),
        ({"output": {"n": 2}, "wildcards": {"/output/n": "*"}}, ECHO, ""),
        ({"status": "FAILED", "error": "Odd"}, FAIL, ""),
        ({"status": "FAILED", "error": "Late"}, FAIL, "error Odd, recorded Late"),
        ({"status": "FAILED", "error": "Odd"}, ECHO, "recorded FAILED (Odd)"),
        ({}, FAIL, "FAILED (Odd"),
        ({}, "flow m", "refused: "),
        ({"status": "TIMED_OUT"}, "flow m input = any; timeout = 5s; wait W => () { for = 1m; }; flow_end", ""),
        ({"status": "TIMED_OUT"}, FAIL, "FAILED (Odd"),
        (a_task(), CALL, ""),
        (a_task(request={"n": 2}), CALL, "request of A/n: 1 is not 2"),
        (a_task(request={"m": 1}), CALL, "request of A (members)"),
        (a_task(state="B"), CALL, "A asked"),
        (a_task(), ECHO, "A did not ask lambda:function"),
        (a_task(event="TaskFailed", error="Odd"), CALL, "FAILED (Odd"),
    ],
)
def test_what_differs_is_found(changes: dict[str, Any], text: str, found: str) -> None:
    reason = run_text(case(**changes), text, "m")
    assert found in reason
    assert bool(found) == bool(reason)


@pytest.mark.parametrize(
    ("actual", "expected", "same"),
    [
        (1, 1.0, True),
        (0.1 + 0.2, 0.3, True),
        (1, True, False),
        (0, None, False),
        ('{"a": 1}', {"a": 1}, True),
        ('{"a": 1}', '{"a":1}', True),
        ('{"a": 1}', '{"a":2}', False),
        ("a", "b", False),
        ([1], [1, 2], False),
        ({"a": 1}, {"a": 1, "b": None}, False),
        ({"Error": "Timeout"}, {"Error": "States.Timeout"}, True),
        ({"Error": "Timeout"}, {"Error": "States.TaskFailed"}, False),
        ({"error": "Timeout"}, {"error": "States.Timeout"}, False),
    ],
)
def test_values_are_compared_as_aws_recorded_them(actual: Any, expected: Any, *, same: bool) -> None:
    assert (difference(actual, expected, {}) == "") is same


def test_only_names_that_correspond_are_the_same() -> None:
    assert same_error("ExpressionFailed", "States.Runtime")
    assert same_error("Stopped", None)
    assert not same_error("ExpressionFailed", "States.Timeout")
    assert not same_error(None, "Odd")


def test_placeholders_of_requests_stand_for_text() -> None:
    assert request_difference({"f": "a:b:c"}, {"f": "a:<x>:c"}, "") == ""
    assert request_difference({"f": "fn-1"}, {"f": "function_name"}, "") == ""
    assert request_difference({"f": "fn-1"}, {"f": "function_name"}, "the function_name of the machine") != ""
    assert request_difference({"f": "a:b:d"}, {"f": "a:<x>:c"}, "") != ""


def test_a_defect_that_raises_an_exception_is_a_miss() -> None:
    machine = {"StartAt": "A", "States": {"A": {"Type": "Pass", "End": True}}}
    assert run_case(case(definition=machine)).passed
    assert run_case(case(definition=machine, tasks=None)).reason.startswith("raised TypeError")


# ── the command ──────────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_command_runs_any_suite_and_its_exit_code_is_honest(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    definition = {"StartAt": "A", "States": {"A": {"Type": "Pass", "Result": 1, "End": True}}}
    rows = [{"id": f"c{n}", "group": "g", "definition": definition, "status": "SUCCEEDED", "output": n} for n in (1, 2)]
    suite = tmp_path / "suite.json"
    suite.write_text(json.dumps(rows), encoding="utf-8")
    assert main([str(suite), "--at-least", "50", "--verbose"]) == 0
    shown = capsys.readouterr().out
    assert "MISS [pure] c2\n     /: 1 is not 2" in shown
    assert "1 of    2" in shown or "1 of 2" in shown
    assert "| flow machine" in shown
    assert main([str(suite), "--at-least", "51"]) == 1
    assert main([str(suite), "--at-least", "100", "--case", "c1"]) == 0
    assert main([str(suite), "--group", "none"]) == 1
