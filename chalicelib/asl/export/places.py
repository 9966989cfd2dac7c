"""The places of problems: the step, and its line in the text of the flow."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from chalicelib import language
from chalicelib.asl.problems import Problem
from chalicelib.language.source import Source
from chalicelib.language.syntax.tree import steps_within
from chalicelib.model.flow import Branch, EachStep, Flow, ForkStep, Step


@dataclass(frozen=True, slots=True, kw_only=True)
class Placed:
    """A problem, the step that has it, or an empty name, and the line in the text, from 1."""

    problem: Problem
    step: str
    line: int


def placed(problems: Sequence[Problem], flow: Flow, text: str) -> tuple[Placed, ...]:
    """Return the problems of a flow with their places in the text that defines it.

    Steps that come from another flow (`use`) have the line of the flow.
    """
    lines = _lines(text, flow.name)
    first = lines.get("", 1)
    found: list[Placed] = []
    for problem in problems:
        step = step_at(flow, problem.pointer)
        found.append(Placed(problem=problem, step=step, line=lines.get(step, first) if step else first))
    return tuple(found)


def step_at(flow: Flow, pointer: str) -> str:
    """Return the name of the innermost step at a JSON pointer into the flow; empty if it leads to none."""
    name = ""
    at: Flow | Step | Branch = flow
    parts = pointer.split("/")[1:]
    for kind, index in zip(parts[::2], parts[1::2], strict=False):
        if kind == "steps" and isinstance(at, (Flow, Branch, EachStep)):
            at = at.steps[int(index)]
            name = at.name
        elif kind == "branches" and isinstance(at, ForkStep):
            at = at.branches[int(index)]
        else:
            break
    return name


def _lines(text: str, flow: str) -> Mapping[str, int]:
    """Return the line of each step of the flow; that of the flow itself has an empty name."""
    source = Source(text)
    for statement in language.parse(text)[0].statements:
        if statement.name.text == flow and statement.kind.key == "flow":
            steps = {one.name.text: source.position(one.span.start)[0] for one in steps_within(statement.members)}
            return {**steps, "": source.position(statement.span.start)[0]}
    return {}
