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

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from chalicelib.asl.convert import variables, walk
from chalicelib.asl.convert.documents import asked_whole
from chalicelib.asl.convert.durations import computed_seconds, seconds
from chalicelib.asl.convert.machine import Machine
from chalicelib.asl.convert.names import Names, snake_word
from chalicelib.asl.convert.scopes import Way
from chalicelib.asl.convert.steps import Block, Plain
from chalicelib.asl.convert.text import block_size, written_action, written_flow
from chalicelib.asl.convert.tidy import tidy
from chalicelib.asl.problems import Level, Problem
from chalicelib.language import Unreadable, format_text

_MAX_DEPTH: Final = 200
_MAX_TRIES: Final = 4
_MAX_COMPARED: Final = 500
"""Machines with more states are only written as a whole."""


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


def convert(machine: dict[str, Any], name: str, values: Mapping[str, str] | None = None) -> Conversion:
    """Return the flow of a machine, which was checked (`asl.check`).

    `values` fills the placeholders `${Name}` of a template. Never raises for a machine that is JSON: what cannot be
    said is a problem of level error, and a comment `NOT IMPORTED` in the text.
    """
    flow = snake_word(name, "machine")
    filled = _filled(machine, values or {})
    return _shortest(filled, flow)


def _shortest(machine: Any, flow: str) -> Conversion:
    """Return the shortest text: all documents in parts, all as a whole, or of each scope what is shorter there."""
    whole = _made(machine, {})
    found = [_written(*whole, flow)]
    if len(whole[0].words) <= _MAX_COMPARED:
        everywhere = dict.fromkeys((scope.pointer for scope in whole[0].scopes), Way.PARTS)
        parts = _made(machine, everywhere)
        found.append(_written(*parts, flow))
        shorter = _shorter(whole, parts)
        if 0 < len(shorter) < len(everywhere):
            found.append(_written(*_made(machine, dict.fromkeys(shorter, Way.PARTS)), flow))
    return min(found, key=lambda one: (one.text.count("\n"), len(one.text)))


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
    try:
        text = format_text(text)
    except Unreadable as problem:
        made.tell("", Level.ERROR, f"the flow is not valid FSL: {problem}")
    return Conversion(text, flow, tuple(made.problems))


def _filled(value: Any, values: Mapping[str, str]) -> Any:
    """Return the machine with its placeholders filled."""
    if not values:
        return value
    if isinstance(value, dict):
        return {name: _filled(one, values) for name, one in value.items()}
    if isinstance(value, list):
        return [_filled(one, values) for one in value]
    if isinstance(value, str) and "${" in value:
        for name, text in values.items():
            value = value.replace(f"${{{name}}}", text)
    return value


__all__ = ["Conversion", "computed_seconds", "convert"]
