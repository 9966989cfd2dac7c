"""Edits of texts that are not as they should be: they are refused, or the text can still be read."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chalicelib.authoring.edit.emit import edit
from chalicelib.authoring.edit.errors import EditRefused, FlowUnreadable
from chalicelib.authoring.edit.operations import Operation
from chalicelib.authoring.edit.outline import step_at
from chalicelib.expressions import problem_in
from chalicelib.language import parse
from tests.authoring.edit.test_programs import PROGRAMS, steps_of

problem_in("1")
"""The first expression raises Python's recursion limit, which Hypothesis reports if it happens in a test."""

NAMES = st.sampled_from(["A", "step", "done", "Z z", 'q"', "😀", ""])
CUTS = (
    "",
    " ",
    "(",
    ")",
    "{",
    "}",
    ";",
    "|",
    "->",
    "=>",
    '"',
    "#",
    "/*",
    "*/",
    "${",
    "}",
    "\n",
    "/",
    "step",
    "flow",
    "x = 1",
)


@st.composite
def operations(draw: st.DrawFn, names: list[str]) -> dict[str, Any]:
    """Draw an operation, which may be a wrong one."""
    step = draw(st.sampled_from([*names, "nothing"]))
    match draw(st.sampled_from(["add", "rename", "route", "unroute", "set", "delete"])):
        case "add":
            kind = draw(st.sampled_from(["step", "set", "each", "fork", "branch"]))
            place = draw(st.sampled_from(["after", "before", "into"]))
            return {"op": "add", "kind": kind, "name": draw(NAMES), place: step}
        case "rename":
            return {"op": "rename", "step": step, "to": draw(NAMES)}
        case "route":
            state = draw(st.sampled_from(["OK", "DONE", "else", "A b", ["X", "Y"]]))
            when = draw(st.sampled_from([None, "1 = 1", "}"]))
            return {
                "op": "route",
                "step": step,
                "state": state,
                "when": when,
                "to": draw(st.sampled_from([*names, "done"])),
            }
        case "unroute":
            return {"op": "unroute", "step": step, "state": draw(st.sampled_from(["OK", "DONE", "else"]))}
        case "set":
            value = draw(st.sampled_from([None, 1, "10m", "(a = 1", "x; y", {"a": [1, "${ 1 }"]}, '"', '`"', [None]]))
            return {
                "op": "set",
                "step": step,
                "property": draw(st.sampled_from(["save", "timeout", "args"])),
                "value": value,
            }
        case _:
            return {"op": "delete", "step": step, "heal": draw(st.booleans())}


@st.composite
def cases(draw: st.DrawFn) -> tuple[str, str, list[dict[str, Any]]]:
    """Draw a program with some damage, a flow and operations."""
    text = draw(st.sampled_from(PROGRAMS)).read_text()
    found = steps_of(text)
    statement = draw(st.sampled_from(found))[0]
    names = [step.name.text for one, step in found if one is statement]
    ops = [draw(operations(names)) for _ in range(draw(st.integers(1, 3)))]
    for _ in range(draw(st.integers(0, 2))):
        at = draw(st.integers(0, len(text) - 1))
        text = text[:at] + draw(st.sampled_from(CUTS)) + text[at + draw(st.integers(0, 3)) :]
    return text, statement.name.text, ops


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(cases(), st.integers(0, 10_000))
def test_an_edit_is_refused_or_its_text_can_be_read(case: tuple[str, str, list[dict[str, Any]]], at: int) -> None:
    text, flow, ops = case
    step_at(text, at % len(text))
    try:
        found = edit(text, flow, msgspec.convert(ops, list[Operation])).text
    except (EditRefused, FlowUnreadable):
        return
    assert [one.code for one in parse(found)[1]] == [one.code for one in parse(text)[1]], (found, ops)


@pytest.mark.parametrize("routes", ["", "=> (a = 1)"])
def test_a_step_without_routes_that_can_be_read_is_not_routed(routes: str) -> None:
    text = f"flow f step A {routes} {{ action = a; }}; set B => (); flow_end"
    for op in (
        {"op": "route", "step": "A", "state": "X", "to": "B"},
        {"op": "add", "kind": "set", "name": "N", "after": "A"},
    ):
        with pytest.raises(EditRefused, match="has no routes that can be read"):
            edit(text, "f", msgspec.convert([op], list[Operation]))
