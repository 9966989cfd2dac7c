"""Checks of single documents, and of several together."""

from __future__ import annotations

import itertools

import pytest

from chalicelib.authoring.analyze import MAX_ROUNDS, analyze, analyze_all, diagnostics_of, source_file
from chalicelib.language import KnownNames

ACTION = "action ci method = human; return = (OK); action_end"
INNER = "flow inner step A => (OK -> done) { action = ci; }; flow_end"
OUTER = "flow outer call B => () { flow = inner; }; flow_end"


def problems(*texts: str) -> list[list[str]]:
    """Return the codes of the errors of each document."""
    results = analyze_all([source_file(f"{number}.fsl", text) for number, text in enumerate(texts)])
    return [[one.code for one in diagnostics_of(*result) if one.severity == "error"] for result in results]


@pytest.mark.parametrize("texts", list(itertools.permutations((ACTION, INNER, OUTER))))
def test_documents_use_the_definitions_of_each_other_in_any_order(texts: tuple[str, ...]) -> None:
    assert problems(*texts) == [[], [], []]


def test_a_missing_definition_is_reported_where_it_is_used() -> None:
    assert problems(INNER, OUTER) == [["FSL203"], ["FSL205"]]


def test_expressions_are_checked() -> None:
    text = "flow f set A => () { save = (x = ${ 1 + }); }; flow_end"
    assert [one.code for one in analyze(text, KnownNames()).diagnostics] == ["FSL116"]
    assert problems(text) == [["FSL116"]]


def test_syntax_errors_and_other_problems_are_in_order_of_position() -> None:
    text = "flow f step A => (OK -> done) { action = none; }; step B => (OK -> ) { action = none; }; flow_end"
    (result,) = analyze_all([source_file("a.fsl", text)])
    found = diagnostics_of(*result)
    assert [one.column for one in found] == sorted(one.column for one in found)
    assert {"FSL110", "FSL203"} <= {one.code for one in found}


def test_calls_may_lead_through_several_documents() -> None:
    count = MAX_ROUNDS - 2
    calls = [f"flow f{n} call A => () {{ flow = f{n + 1}; }}; flow_end" for n in range(count)]
    last = f"flow f{count} wait W => () {{ for = 1s; }}; flow_end"
    assert problems(*calls, last) == [[] for _ in range(count + 1)]
