"""Whether a machine is valid: the verdicts of AWS and of two projects' tests, see VALIDITY.md."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

import pytest

from chalicelib.asl.check import check
from chalicelib.asl.imported import import_machine
from chalicelib.asl.problems import has_errors
from chalicelib.asl.read import read_json

CASES: Final[dict[str, dict[str, Any]]] = {
    case["id"]: case
    for case in map(json.loads, (Path(__file__).parent / "validity.jsonl").read_text("utf-8").splitlines())
}

EXPRESS: Final = {
    "localstack/test_sfn_api_express.py::TestSfnApiExpress::test_illegal_callbacks[SYNC]#creation_error",
    "localstack/test_sfn_api_express.py::TestSfnApiExpress::test_illegal_activity_task#creation_error",
    "localstack/test_sfn_api_validation.py::TestSfnApiValidation::test_validate_state_machine_definition_type_express"
    "[ILLEGAL_WFTT]#validation_response",
}
"""Missed: the definition is valid, and only wrong as an Express workflow, which the definition itself does not say."""


def is_valid(case: dict[str, Any], *, express: bool = False) -> bool:
    """Return the verdict of this project."""
    definition = case["definition"]
    reading = read_json(definition if isinstance(definition, str) else json.dumps(definition))
    problems = [*reading.problems, *check(reading.machine, express=express)]
    return not has_errors(problems)


@pytest.mark.parametrize("name", sorted(CASES.keys() - EXPRESS))
def test_the_verdict_is_the_recorded_one(name: str) -> None:
    assert is_valid(CASES[name]) is CASES[name]["valid"]


@pytest.mark.parametrize("name", sorted(EXPRESS))
def test_a_verdict_on_an_express_workflow_is_the_recorded_one_where_it_is_known_to_be_one(name: str) -> None:
    assert is_valid(CASES[name]) is not CASES[name]["valid"]
    assert is_valid(CASES[name], express=True) is CASES[name]["valid"]


def test_at_least_97_of_100_verdicts_match() -> None:
    matching = sum(is_valid(case) is case["valid"] for case in CASES.values())
    assert matching >= 0.97 * len(CASES)


@pytest.mark.parametrize("name", sorted(CASES.keys() - EXPRESS))
def test_what_is_valid_is_imported_without_an_error(name: str) -> None:
    definition = CASES[name]["definition"]
    reading = read_json(definition if isinstance(definition, str) else json.dumps(definition))
    assert has_errors(import_machine(reading, "machine").problems) is not CASES[name]["valid"]
