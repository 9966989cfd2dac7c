"""FSL files as definitions that can be run, and the place of each of their steps."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from chalicelib import language
from chalicelib.adapters.operations import ALL_OPERATIONS
from chalicelib.authoring.analyze import SourceFile, analyze_all
from chalicelib.language import Statement
from chalicelib.language.source import Source
from chalicelib.language.syntax.tree import steps_within
from chalicelib.model.actions import Action
from chalicelib.model.definition import Definition, configs_of
from chalicelib.model.errors import EchoerError
from chalicelib.model.flow import CallStep, Flow, FlowRun, StartStep, actions_named, walk
from chalicelib.model.hooks import Hook
from chalicelib.model.json_values import Json
from chalicelib.model.recurrence.schedule import Schedule
from chalicelib.model.statements import Config, EventType


class BadProgram(EchoerError):
    """The program has errors; `str()` shows them as `fsl check` does."""


@dataclass(frozen=True, slots=True)
class Place:
    """The place of a step: its file and line."""

    file: str
    line: int
    text: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"


@dataclass(frozen=True, slots=True)
class Program:
    """What the files define. A flow_run with its own steps becomes a flow of the same name."""

    definitions: dict[str, Definition]
    flow_runs: dict[str, FlowRun] = field(default_factory=dict)
    events: dict[str, EventType] = field(default_factory=dict)
    """The declared events."""
    places: dict[tuple[str, str], Place] = field(default_factory=dict)
    schedules: dict[str, Schedule] = field(default_factory=dict)
    hooks: dict[str, Hook] = field(default_factory=dict)

    def only(self) -> str | None:
        """Return the default flow of a test: the only flow_run, or else the only flow that no other calls or starts."""
        if len(self.flow_runs) == 1:
            return next(iter(self.flow_runs))
        called = {
            step.flow
            for name, definition in self.definitions.items()
            for step in walk(definition.flow.steps)
            if isinstance(step, (CallStep, StartStep)) and step.flow != name
        }
        free = [name for name in self.definitions if name not in called and name not in self.flow_runs]
        return free[0] if len(free) == 1 and not self.flow_runs else None


def read_program(paths: Sequence[Path]) -> Program:
    """Read and check the files together. Raises OSError, BadProgram."""
    sources = [_source(path) for path in paths]
    checked = analyze_all(sources, ALL_OPERATIONS("default"))
    problems = [
        language.render(one, source.text, source.name)
        for source, found in checked
        for one in (*source.syntax, *found.diagnostics)
        if one.severity == "error"
    ]
    if problems:
        raise BadProgram("\n".join(problems))
    places: dict[tuple[str, str], Place] = {}
    for source in sources:
        places |= _places(source)
    statements = [statement for _, found in checked for statement in found.statements]
    flow_runs = {one.name: one.value for one in statements if isinstance(one.value, FlowRun)}
    events = {one.name: one.value for one in statements if isinstance(one.value, EventType)}
    schedules = {one.name: one.value for one in statements if isinstance(one.value, Schedule)}
    hooks = {one.name: one.value for one in statements if isinstance(one.value, Hook)}
    return Program(_definitions(statements), flow_runs, events, places, schedules, hooks)


def _source(path: Path) -> SourceFile:
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as exc:
        raise BadProgram(f"{path} is not UTF-8: {exc.reason} at byte {exc.start}") from exc
    return SourceFile(str(path), text, *language.parse(text))


def _definitions(statements: Iterable[Statement]) -> dict[str, Definition]:
    values = [statement.value for statement in statements]
    actions = {value.name: value for value in values if isinstance(value, Action)}
    flows = {value.name: value for value in values if isinstance(value, Flow)}
    configs = {value.name: value.value for value in values if isinstance(value, Config)}
    for value in values:
        if isinstance(value, FlowRun) and value.steps is not None:
            flows[value.name] = value.steps
    return {name: _definition(flow, _needed(flow, actions), configs) for name, flow in flows.items()}


def _definition(flow: Flow, actions: dict[str, Action], configs: dict[str, Json]) -> Definition:
    config = {name: configs[name] for name in sorted(configs_of(flow, actions.values()))}
    return Definition(flow=flow, actions=actions, config=config)


def _needed(flow: Flow, actions: dict[str, Action]) -> dict[str, Action]:
    """Return the actions that a run of the flow may send, undo actions included."""
    found: dict[str, Action] = {}
    wanted = set(actions_named(flow))
    while wanted:
        found.update({name: actions[name] for name in wanted})
        wanted = {one.undo.action for one in found.values() if one.undo} - found.keys()
    return found


def _places(source: SourceFile) -> dict[tuple[str, str], Place]:
    text = Source(source.text)
    found: dict[tuple[str, str], Place] = {}
    for statement in source.document.statements:
        for step in steps_within(statement.members):
            line, _ = text.position(step.name.span.start)
            if step.kind.key != "branch":
                found[statement.name.text, step.name.text] = Place(source.name, line, text.line(line))
    return found
