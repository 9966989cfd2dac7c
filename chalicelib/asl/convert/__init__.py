"""A machine of Step Functions as FSL text that a person likes to read.

    machine -> scopes, each state a step with its exits -> documents placed -> variables -> text

documents       what is known of a document without running the machine
expressions     JSONata as trees; path_values, intrinsic_values, choices, jsonata_values and values make them
states, tasks, nesting      what each type of state becomes; reader has what they share, failures Retry and Catch
placing         where the document of a scope is kept
variables       their scopes and names
text            the text
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from chalicelib.asl.convert import variables, walk
from chalicelib.asl.convert.documents import asked_whole
from chalicelib.asl.convert.durations import seconds
from chalicelib.asl.convert.machine import Machine
from chalicelib.asl.convert.names import Names, snake_word
from chalicelib.asl.convert.scopes import Way
from chalicelib.asl.convert.steps import Block, Plain
from chalicelib.asl.convert.text import block_size, written_action, written_flow
from chalicelib.asl.convert.tidy import tidy
from chalicelib.asl.problems import Level, Problem
from chalicelib.asl.substitute import substitute
from chalicelib.expressions import problem_in
from chalicelib.language import Diagnostic, KnownNames, Unreadable, format_text, read

_MAX_DEPTH: Final = 100
"""How deep the values of a machine may be nested within each other."""
_MAX_TRIES: Final = 4
_MAX_COMPARED: Final = 500
"""Machines with more states are only written as a whole."""
_MAX_LAID_OUT: Final = 50_000
"""The characters of texts whose lines are counted as they are laid out."""


@dataclass(frozen=True, slots=True)
class Conversion:
    """A machine as FSL.

    Attributes:
        text: The document: its actions, then the flow.
        name: The name of the flow.
        problems: What could not be said, what differs, and what the reader must know or give.
    """

    text: str
    name: str
    problems: tuple[Problem, ...]


def convert(
    machine: dict[str, Any], name: str, values: Mapping[str, str] | None = None, *, way: Way | None = None
) -> Conversion:
    """Return the flow of a machine, which was checked (`asl.check`).

    `values` fills the placeholders `${Name}` of a template. `way` is how documents are kept; None: as is shorter. Never
    raises for a machine that is JSON: what cannot be said is a problem of level error, and a comment `NOT IMPORTED` in
    the text.
    """
    flow = snake_word(name, "machine")
    reason = _refusal(machine)
    if reason:
        return _refused(flow, reason)
    return _checked(_shortest(substitute(machine, values or {}), flow, way))


def _refusal(machine: Any) -> str:
    """Return why nothing of the machine can be converted; empty if it can."""
    if _is_deeper(machine, _MAX_DEPTH):
        return f"values are nested more than {_MAX_DEPTH} levels deep"
    states = machine.get("States") if isinstance(machine, dict) else None
    start = machine.get("StartAt") if isinstance(machine, dict) else None
    if not isinstance(states, dict) or not isinstance(start, str) or start not in states:
        return "a machine needs States, and StartAt that is one of them"
    return ""


def _is_deeper(value: Any, depth: int) -> bool:
    level = [value]
    while level and depth >= 0:
        level = [
            inner
            for one in level
            if isinstance(one, (dict, list))
            for inner in (one.values() if isinstance(one, dict) else one)
        ]
        depth -= 1
    return bool(level)


def _refused(flow: str, reason: str) -> Conversion:
    cause = f'(error = "NotImported", cause = "{reason}")'
    text = f"flow {flow}\ninput = any;\n# NOT IMPORTED: {reason}\ndeci Start => (else -> stopped {cause});\nflow_end"
    return Conversion(format_text(text), flow, (Problem("", Level.ERROR, reason),))


def _shortest(machine: Any, flow: str, way: Way | None) -> Conversion:
    """Return the shortest text: all documents in parts, all as a whole, or of each scope what is shorter there."""
    whole = _made(machine, {})
    found = [_written(*whole, flow)]
    if way is Way.PARTS:
        return _written(*_made(machine, dict.fromkeys((scope.pointer for scope in whole[0].scopes), Way.PARTS)), flow)
    if way is None and len(whole[0].words) <= _MAX_COMPARED:
        everywhere = dict.fromkeys((scope.pointer for scope in whole[0].scopes), Way.PARTS)
        parts = _made(machine, everywhere)
        found.append(_written(*parts, flow))
        shorter = _shorter(whole, parts)
        if 0 < len(shorter) < len(everywhere):
            found.append(_written(*_made(machine, dict.fromkeys(shorter, Way.PARTS)), flow))
    return min(found, key=_length)


def _length(made: Conversion) -> tuple[int, int]:
    """Return how many lines the text takes, at least roughly where it is long, and its characters."""
    text = made.text
    if len(text) <= _MAX_LAID_OUT:
        with contextlib.suppress(Unreadable):
            text = format_text(text)
    return sum(1 + len(line) // 100 for line in text.splitlines()), len(text)


def _shorter(whole: tuple[Machine, Block], parts: tuple[Machine, Block]) -> list[str]:
    """Return the scopes whose own steps are shorter in parts."""
    sizes = [
        {made.scopes[inner.scope].pointer: block_size(inner) for inner in walk.blocks_within(block)}
        for made, block in (whole, parts)
    ]
    return [place for place, size in sizes[1].items() if size <= sizes[0].get(place, size)]


def _made(machine: Any, ways: Mapping[str, Way]) -> tuple[Machine, Block]:
    """Return the steps of the machine, with variables that have names."""
    asked: frozenset[str] = frozenset()
    for _ in range(_MAX_TRIES):
        made = Machine(machine, ways, asked)
        block = made.block("", made.top())
        more = frozenset(
            state
            for step in walk.steps_within(block)
            for document in walk.documents_of(step)
            for state in asked_whole(document)
        )
        if not more:
            break
        asked |= more
    variables.capture_items(block)
    tidy(block)
    variables.declare(block)
    variables.name_all(block)
    return made, block


def _written(made: Machine, block: Block, flow: str) -> Conversion:
    names = Names()
    used = {step.action: None for step in walk.steps_within(block) if step.action is not None}
    for step in walk.steps_within(block):
        if step.action is not None:
            step.action.retries.append(step.retry)
    for action in used:
        action.name = names.take(action.wish)
    comment = made.definition.get("Comment")
    comments = [line.strip() for line in comment.splitlines() if line.strip()] if isinstance(comment, str) else []
    timeout = seconds(made.definition.get("TimeoutSeconds"))
    flow_text = written_flow(flow, block, Plain(timeout) if timeout and timeout != "0s" else None, comments)
    text = "\n/\n".join([*map(written_action, used), flow_text])
    return Conversion(text, flow, tuple(made.problems))


def _checked(made: Conversion) -> Conversion:
    """Return the conversion as `fsl fmt` lays it out, and with what `fsl check` would say of it."""
    try:
        text = format_text(made.text)
    except Unreadable as problem:
        found = problem.diagnostics[:1]
        return replace(made, problems=(*made.problems, *map(_problem, found)))
    diagnostics = read(text, KnownNames(), expression_problem=problem_in).diagnostics
    errors = [_problem(one) for one in diagnostics if one.severity == "error"]
    return replace(made, text=text, problems=(*made.problems, *errors))


def _problem(diagnostic: Diagnostic) -> Problem:
    return Problem("", Level.ERROR, f"the flow is refused: {diagnostic.message}")


__all__ = ["Conversion", "convert"]
