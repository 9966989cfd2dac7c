"""Machines that AWS answered, imported, exported and imported again: they still do what AWS recorded."""

from __future__ import annotations

import pytest

from chalicelib.adapters.operations import ALL_OPERATIONS
from chalicelib.asl.check import check
from chalicelib.asl.convert import convert
from chalicelib.asl.export import export
from chalicelib.asl.problems import has_errors
from chalicelib.authoring.analyze import analyze_all, source_file
from chalicelib.model.actions import Action
from chalicelib.model.flow import Flow
from tests.conformance.asl.cases import Case, Kind, load
from tests.conformance.asl.runner import run_text

CASES = [case for case in load() if case.kind is Kind.PURE][::5] + [
    case for case in load() if case.kind is Kind.TASK and case.group != "activities"
][::2]
"""An activity becomes a task of the inbox, and on the way back a function with a task token: it is asked for others."""


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id.rpartition("::")[2])
def test_a_machine_that_went_both_ways_does_what_was_recorded(case: Case) -> None:
    first = convert(case.definition, "machine")
    if has_errors(first.problems) or run_text(case, first.text, first.name):
        return  # a miss of the import, which tests/conformance lists
    [(_, checked)] = analyze_all([source_file("machine", first.text)], ALL_OPERATIONS("default"))
    values = [one.value for one in checked.statements]
    flow = next(value for value in values if isinstance(value, Flow))
    exported = export(flow, {value.name: value for value in values if isinstance(value, Action)})
    if any("$step.token" in problem.message for problem in exported.problems):
        return  # a task that reads a token without waiting for it
    assert not has_errors(exported.problems), exported.problems
    assert not has_errors(check(exported.machine)), check(exported.machine)
    second = convert(exported.machine, "machine")
    assert not has_errors(second.problems), second.problems
    assert not run_text(case, second.text, second.name), second.text
