"""Edits of drawn flows: the text means what the operations mean, and everything outside the edits stays as it is."""

from __future__ import annotations

import copy

import msgspec
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from chalicelib.authoring.edit.emit import Edited, edit
from chalicelib.authoring.edit.operations import Operation
from chalicelib.authoring.edit.patch import applied
from chalicelib.expressions import problem_in
from chalicelib.language import parse
from tests.authoring.edit.drawn import Writer, flows, operations
from tests.authoring.edit.model import Op, Step, apply, read

problem_in("1")
"""The first expression raises Python's recursion limit, which Hypothesis reports if it happens in a test."""


def edited(text: str, ops: list[Op]) -> Edited:
    """Return what operations make of the flow `f`."""
    return edit(text, "f", msgspec.convert(ops, list[Operation]))


@st.composite
def cases(draw: st.DrawFn) -> tuple[str, Step, list[Op], Step]:
    """Draw a text, the flow in it, operations, and the flow after them."""
    flow = draw(flows())
    text = Writer(draw).text(flow)
    after, ops = copy.deepcopy(flow), []
    for _ in range(draw(st.integers(1, 4))):
        op = draw(operations(after))
        ops.append(op)
        apply(after, op)
    return text, flow, ops, after


@settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    phases=[Phase.generate],
)
@given(cases())
def test_an_edited_text_is_the_edited_flow(case: tuple[str, Step, list[Op], Step]) -> None:
    text, flow, ops, after = case
    assert read(text).plain() == flow.plain()
    found = edited(text, ops)
    assert read(found.text).plain() == after.plain()
    assert applied(text, found.edits) == found.text
    ends = [0, *(one.end for one in found.edits)]
    assert all(end <= one.start <= one.end for end, one in zip(ends, found.edits, strict=False))
    assert all(text[one.start : one.end] != one.insert for one in found.edits)
    if not any(op["op"] in ("delete", "set", "unroute") for op in ops):
        kept = [one.text for one in parse(text)[0].comments]
        assert [one.text for one in parse(found.text)[0].comments] == kept
