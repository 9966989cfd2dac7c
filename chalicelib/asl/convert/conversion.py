"""Convert a machine: choose how its documents are kept, write the text, and check it."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from chalicelib.asl.convert.blame import steps_of
from chalicelib.asl.convert.flow import variables, walk
from chalicelib.asl.convert.flow.scopes import Way
from chalicelib.asl.convert.flow.steps import Action, Block, Plain
from chalicelib.asl.convert.flow.text import block_size, written_action, written_flow
from chalicelib.asl.convert.flow.tidy import tidy
from chalicelib.asl.convert.jsonata.documents import asked_whole
from chalicelib.asl.convert.jsonata.durations import seconds
from chalicelib.asl.convert.jsonata.names import Names, snake_word
from chalicelib.asl.convert.machine import Machine
from chalicelib.asl.problems import Level, Problem
from chalicelib.asl.substitute import substitute
from chalicelib.expressions import problem_in
from chalicelib.language import Diagnostic, KnownNames, Operations, Unreadable, format_text, read
from chalicelib.language import Problem as Finding
from chalicelib.model.flow import Flow

_ACTIONS: Final = re.compile(r"^action (\w+|\"[^\"]*\"|`[^`]*`)$.*?^action_end$", re.MULTILINE | re.DOTALL)
MAX_DEPTH: Final = 100
"""How deep the values of a machine may be nested within each other."""
_MAX_TRIES: Final = 6
_MAX_CHECKS: Final = 5
_MAX_COMPARED: Final = 500
"""Machines with more states are only written as a whole."""
_MAX_LAID_OUT: Final = 50_000
"""Texts with more characters have their lines counted roughly."""


@dataclass(frozen=True, slots=True)
class Conversion:
    """A machine as FSL.

    Attributes:
        text: The document: its actions, then the flow.
        name: The name of the flow.
        problems: What could not be expressed, what differs, and what the reader must know or give.
    """

    text: str
    name: str
    problems: tuple[Problem, ...]


def convert(
    machine: dict[str, Any],
    name: str,
    values: Mapping[str, str] | None = None,
    *,
    flows: Mapping[str, str] | None = None,
    taken: Mapping[str, str] | None = None,
    operations: Operations | None = None,
    way: Way | None = None,
) -> Conversion:
    """Return the flow of a machine, which was checked (`asl.check`).

    Args:
        values: What fills the placeholders `${Name}` of a template.
        flows: The flows of machines that are imported with it, by the name at the end of StateMachineArn (of `${Name}`:
            the name).
        taken: The statements of actions that the document has already, by their names.
        operations: Those that actions may call; without them, calls of AWS are not checked.
        way: How documents are kept; None: as is shorter.

    Never raises for a machine that is JSON: what cannot be expressed is a problem of level error, and a comment
    `NOT IMPORTED` in the text.
    """
    flow = flow_name(name)
    reason = _refusal(machine)
    if reason:
        return _refused(flow, reason)
    known = KnownNames(operations=operations, flows=_flows((flows or {}).values()))
    texts = _Texts(substitute(machine, values or {}), flow, flows or {}, taken or {}, operations)
    made = texts.shortest(way)
    for _ in range(_MAX_CHECKS):
        made, errors = _checked(made, known)
        blamed = steps_of(made.text, errors)
        refused = {made.owners[word]: message for word, message in blamed.items() if word in made.owners}
        if not refused.keys() - texts.refused.keys():
            break
        texts = replace(texts, refused={**texts.refused, **refused})
        made = texts.shortest(way)
    reported = [Problem("", Level.ERROR, f"the flow is refused: {one.message}") for one in errors]
    return Conversion(made.text, flow, (*made.problems, *reported))


def flow_name(name: str) -> str:
    """Return the name of the flow that a machine of this name becomes."""
    return snake_word(name, "machine")


def actions_in(text: str) -> dict[str, str]:
    """Return the statements of the actions in a text that `convert` returned, by their names."""
    return {found[1].strip('"`'): found[0] for found in _ACTIONS.finditer(text)}


def _refusal(machine: Any) -> str:
    """Return why nothing of the machine can be converted; empty if it can."""
    if _is_deeper(machine, MAX_DEPTH):
        return f"values are nested more than {MAX_DEPTH} levels deep"
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


@dataclass(frozen=True)
class _Made:
    """A text, its problems, and the pointer of the state that each step is of, by its name."""

    text: str
    problems: tuple[Problem, ...]
    owners: Mapping[str, str]


@dataclass(frozen=True)
class _Texts:
    """The texts that a machine can become."""

    machine: Any
    flow: str
    flows: Mapping[str, str]
    taken: Mapping[str, str]
    operations: Operations | None
    refused: Mapping[str, str] = field(default_factory=dict)
    """Why the checker refuses the steps of some states, by the pointers of these states."""

    def shortest(self, way: Way | None) -> _Made:
        """Return the text in a way; None: all in parts, all as a whole, or of each scope what is shorter there."""
        whole = self._made({})
        everywhere = dict.fromkeys((scope.pointer for scope in whole[0].scopes), Way.PARTS)
        if way is Way.WHOLE or (way is None and len(whole[0].words) > _MAX_COMPARED):
            return self._written(*whole)
        parts = self._made(everywhere)
        if way is Way.PARTS:
            return self._written(*parts)
        found = [self._written(*whole), self._written(*parts)]
        shorter = _shorter(whole, parts)
        if 0 < len(shorter) < len(everywhere):
            found.append(self._written(*self._made(dict.fromkeys(shorter, Way.PARTS))))
        return min(found, key=_length)

    def _made(self, ways: Mapping[str, Way]) -> tuple[Machine, Block]:
        """Return the steps of the machine, with variables that have names."""
        asked: frozenset[str] = frozenset()
        for _ in range(_MAX_TRIES):
            made = Machine(self.machine, ways, asked, self.flow, self.flows, self.operations, self.refused)
            block = made.block("", made.top())
            documents = (one for step in walk.steps_within(block) for one in walk.documents_of(step))
            more = frozenset(state for document in documents for state in asked_whole(document))
            if not more:
                break
            asked |= more
        variables.capture_items(block)
        tidy(block)
        variables.declare(block)
        variables.name_all(block)
        return made, block

    def _written(self, made: Machine, block: Block) -> _Made:
        used = {step.action: None for step in walk.steps_within(block) if step.action is not None}
        for step in walk.steps_within(block):
            if step.action is not None:
                step.action.retries.append(step.retry)
        self._name(used)
        comment = made.definition.get("Comment")
        comments = [line.strip() for line in comment.splitlines() if line.strip()] if isinstance(comment, str) else []
        timeout = seconds(made.definition.get("TimeoutSeconds"))
        limit = Plain(timeout) if timeout and timeout != "0s" else None
        text = "\n/\n".join([*map(written_action, used), written_flow(self.flow, block, limit, comments)])
        return _Made(text, tuple(made.problems), made.owners)

    def _name(self, actions: Iterable[Action]) -> None:
        """Give actions their names: that of one in the document which is the same, or a new one."""
        names = Names(*self.taken)
        for action in actions:
            action.name = action.wish
            if self.taken and self.taken.get(action.wish) == format_text(written_action(action)).strip():
                continue
            action.name = names.take(action.wish)


def _length(made: _Made) -> tuple[int, int]:
    """Return how many lines the text takes, at least roughly where it is long, and its characters."""
    text = made.text
    if len(text) <= _MAX_LAID_OUT:
        with contextlib.suppress(Unreadable):
            text = format_text(text)
    return sum(1 + (len(line) > 200) * len(line) // 60 for line in text.splitlines()), len(text)


def _shorter(whole: tuple[Machine, Block], parts: tuple[Machine, Block]) -> list[str]:
    """Return the scopes with own steps that are shorter in parts."""
    sizes = [
        {made.scopes[inner.scope].pointer: block_size(inner) for inner in walk.blocks_within(block)}
        for made, block in (whole, parts)
    ]
    return [place for place, size in sizes[1].items() if size <= sizes[0].get(place, size)]


# ── the check ────────────────────────────────────────────────────────────────────────────────────────────────────────


def _flows(names: Iterable[str]) -> dict[str, Flow]:
    """Return flows of these names that take any value: what a machine that is imported with this one becomes."""
    texts = [f"flow {name}\ninput = any;\nset A => (DONE -> done);\nflow_end" for name in dict.fromkeys(names)]
    checked = read("\n/\n".join(texts), KnownNames()) if texts else None
    return {one.name: one.value for one in (checked.statements if checked else ()) if isinstance(one.value, Flow)}


def _checked(made: _Made, known: KnownNames) -> tuple[_Made, list[Diagnostic]]:
    """Return the text as `fsl fmt` lays it out, and the errors that `fsl check` finds in it."""
    try:
        text = format_text(made.text)
    except Unreadable as problem:
        return made, list(problem.diagnostics[:1])
    errors = _errors(text, known)
    unfit = [one for one in errors if one.code == Finding.WRONG_TYPE.code]
    if unfit:
        text = format_text(_loosened(text, unfit))
        reported = [Problem("", Level.WARNING, f"{one.message}: the step will fail") for one in unfit]
        made = replace(made, problems=(*made.problems, *reported))
        errors = _errors(text, known)
    return replace(made, text=text), errors


def _errors(text: str, known: KnownNames) -> list[Diagnostic]:
    checked = read(text, known, expression_problem=problem_in)
    return [one for one in checked.diagnostics if one.severity == "error"]


def _loosened(text: str, unfit: list[Diagnostic]) -> str:
    """Return the text with literals of the wrong type as expressions, which are only checked when the step runs.

    Such are texts that a template must still fill in, where an operation of AWS takes a number.
    """
    lines = text.split("\n")
    for one in sorted(unfit, key=lambda found: (found.line, found.column), reverse=True):
        line = lines[one.line - 1]
        if one.end_line == one.line:
            literal = line[one.column - 1 : one.end_column - 1]
            lines[one.line - 1] = f"{line[: one.column - 1]}${{ {literal} }}{line[one.end_column - 1 :]}"
    return "\n".join(lines)
