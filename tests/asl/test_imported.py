"""A machine as FSL: what the check and the conversion find, together."""

from __future__ import annotations

from typing import Any

from chalicelib.asl.imported import Imported, import_machine
from chalicelib.asl.problems import Level
from chalicelib.asl.read import read_json, reading_of
from tests.asl.machines import LAMBDA, TASK, machine


def imported(value: Any, **values: str) -> Imported:
    """Return a machine as FSL."""
    return import_machine(reading_of(value), "order", values)


def levels(found: Imported) -> list[tuple[str, Level]]:
    """Return where the problems are, and their levels, without notes on the whole flow."""
    return [(problem.pointer, problem.level) for problem in found.problems if problem.pointer]


def test_a_machine_has_its_text_its_name_and_no_problem() -> None:
    found = imported(machine(TASK))
    assert (found.name, levels(found)) == ("order", [])
    assert "flow order" in found.fsl


def test_values_are_filled_in_before_the_check() -> None:
    state = {**TASK, "Resource": "${F}", "TimeoutSeconds": "${T}"}
    assert [level for _, level in levels(imported(machine(state)))] == [Level.ERROR, Level.NOTE]
    found = imported(machine(state), F=LAMBDA, T="7")
    assert levels(found) == []
    assert "timeout = 7s" in found.fsl


def test_the_problems_of_the_text_the_machine_and_the_conversion_are_listed_once() -> None:
    text = '{"StartAt": "A", "StartAt": "A", "States": {"A": {"Type": "Nap"}}}'
    found = import_machine(read_json(text), "order")
    listed = levels(found)
    assert ("/StartAt", Level.ERROR) in listed
    assert ("/States/A/Type", Level.ERROR) in listed
    assert len(set(found.problems)) == len(found.problems)
    assert "NOT IMPORTED" in found.fsl


def test_a_resource_that_nothing_calls_is_a_warning() -> None:
    found = imported(machine({**TASK, "Resource": "arn:aws:swf:us-east-1:123456789012:task:X"}))
    assert levels(found) == [("/States/A/Resource", Level.WARNING)]
    assert "method   = lambda" in found.fsl


def test_an_index_that_counts_from_the_end_is_converted() -> None:
    found = imported(machine({"Type": "Pass", "OutputPath": "$.a[(@.length-2)].b", "End": True}))
    assert levels(found) == []
    assert "$input.a[-2].b" in found.fsl


def test_a_state_within_a_map_takes_the_query_language_of_the_machine() -> None:
    inner = {"StartAt": "I", "States": {"I": {"Type": "Pass", "Parameters": {"a.$": "$.b"}, "End": True}}}
    state = {"Type": "Map", "QueryLanguage": "JSONata", "Items": [1], "ItemProcessor": inner, "End": True}
    found = imported(machine(state))
    assert [problem for problem in found.problems if problem.level is Level.ERROR] == []
    assert '"a"' in found.fsl


def test_what_has_no_state_to_begin_with_has_no_text() -> None:
    values: list[Any] = [{}, {"StartAt": "A"}, {"StartAt": "B", "States": {"A": TASK}}, {"StartAt": [], "States": {}}]
    for value in values:
        found = imported(value)
        assert found.fsl == ""
        assert found.problems
