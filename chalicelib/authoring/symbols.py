"""Definitions and hover texts of the words of a document: the part of the language server that is about FSL.

A `Workspace` holds the definitions of all documents, including documents with errors: every statement that can be read
by itself counts. Positions are offsets; `fsl.lsp` converts them to lines and columns of an editor.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final, Literal, TypeAlias

from chalicelib.authoring import keywords
from chalicelib.authoring.explain import duration_text, explain, undo_text
from chalicelib.language import Document, KnownNames, Operations, parse, read
from chalicelib.language.format.spelling import template
from chalicelib.language.source import Span
from chalicelib.language.syntax.tree import (
    Assignment,
    Call,
    Group,
    Property,
    Route,
    Statement,
    Step,
    Value,
    Word,
    steps_within,
)
from chalicelib.language.syntax.tree import Use as UseLine
from chalicelib.model.actions import DEFAULTS, Action, Parameter
from chalicelib.model.flow import ENDS, Flow, FlowRun
from chalicelib.model.statements import Config, EventType

Role: TypeAlias = Literal["kind", "statement", "action", "flow", "undo", "step", "target", "state", "property", "arg"]


_ROLES: Final[dict[str, Role]] = {
    "action": "action",
    "on_enter": "action",
    "on_leave": "action",
    "undo": "undo",
    "flow": "flow",
}
"""The properties that name a definition."""


@dataclass(frozen=True, slots=True)
class Location:
    """The document and span that define a name."""

    uri: str
    span: Span


@dataclass(frozen=True, slots=True)
class Use:
    """A word of a document: its role, its statement and step, and the property that it is an entry of."""

    word: Word
    role: Role
    statement: Statement
    step: Step | None = None
    owner: str = ""


@dataclass
class Workspace:
    """The definitions and runs of all documents, and the location of each definition."""

    actions: dict[str, Action] = field(default_factory=dict)
    flows: dict[str, Flow] = field(default_factory=dict)
    events: dict[str, EventType] = field(default_factory=dict)
    configs: dict[str, Config] = field(default_factory=dict)
    locations: dict[tuple[str, str], Location] = field(default_factory=dict)
    operations: Operations | None = None
    """The operations that actions may call; None if they are unknown, and not checked."""

    @property
    def known(self) -> KnownNames:
        """The names that a document may use without defining them."""
        return KnownNames(self.actions, self.flows, self.events, self.configs, operations=self.operations)


def workspace_of(texts: Mapping[str, str]) -> Workspace:
    """Return the definitions of documents, given by URI. If two documents define a name, the first counts."""
    workspace = Workspace()
    found = [(uri, text, one) for uri, text in texts.items() for one in parse(text)[0].statements]
    for kind in ("event", "config", "action", "flow", "flow_run", "schedule", "hook"):
        for uri, text, statement in found:
            key = (kind, statement.name.text)
            if statement.kind.key != kind or key in workspace.locations:
                continue
            workspace.locations[key] = Location(uri, statement.name.span)
            checked = read(text[statement.span.start : statement.span.end], workspace.known)
            for value in (one.value for one in checked.statements):
                if isinstance(value, Action):
                    workspace.actions[value.name] = value
                elif isinstance(value, Flow):
                    workspace.flows[value.name] = value
                elif isinstance(value, EventType):
                    workspace.events[value.name] = value
                elif isinstance(value, Config):
                    workspace.configs[value.name] = value
    return workspace


# ── uses of words ─────────────────────────────────────────────────────────────────────────────────────────────────────


def uses(document: Document) -> Iterator[Use]:
    """Yield every word of a document that has a role, in no particular order."""
    for statement in document.statements:
        yield Use(statement.kind, "kind", statement)
        yield Use(statement.name, "statement", statement)
        yield from _properties(statement, None, statement.members)
        for step in steps_within(statement.members):
            yield Use(step.kind, "kind", statement, step)
            yield Use(step.name, "step", statement, step)
            for route in step.routes.items if step.routes else ():
                if isinstance(route, Route):
                    yield from _of_route(route, statement, step)
            yield from _properties(statement, step, step.body.members if step.body else ())


def use_at(document: Document, offset: int) -> Use | None:
    """Return the word at an offset, or directly before it."""
    found = [use for use in uses(document) if use.word.span.start <= offset <= use.word.span.end]
    return min(found, key=lambda use: use.word.span.end - use.word.span.start, default=None)


def _of_route(route: Route, statement: Statement, step: Step) -> Iterator[Use]:
    yield from (Use(state, "state", statement, step) for state in route.states)
    if route.target:
        yield Use(route.target, "target", statement, step)


def _properties(statement: Statement, step: Step | None, members: Iterable[object]) -> Iterator[Use]:
    owner = step.kind.key if step else statement.kind.key
    for member in members:
        if isinstance(member, UseLine):
            yield Use(member.flow, "flow", statement, step)
        if not isinstance(member, Property):
            continue
        key = member.name.key
        yield Use(member.name, "property", statement, step, owner)
        name = member.value.name if isinstance(member.value, Call) else member.value
        if isinstance(member.value, Call):
            yield from (Use(state, "state", statement, step) for state in member.value.states)
        if isinstance(name, Word):
            role = _ROLES.get(key)
            if role:
                yield Use(name, role, statement, step)
        yield from (Use(one.name, "arg", statement, step, key) for one in _assignments(member.value))


def _assignments(value: Value | None) -> list[Assignment]:
    group = value.group if isinstance(value, Call) else value
    return [one for one in group.items if isinstance(one, Assignment)] if isinstance(group, Group) else []


def definition(text: str, offset: int, uri: str, workspace: Workspace) -> Location | None:
    """Return the location of the definition of the action, flow or step at the offset."""
    use = use_at(parse(text)[0], offset)
    if use is None:
        return None
    match use.role:
        case "action" | "flow":
            return workspace.locations.get((use.role, use.word.text))
        case "undo":
            places = (workspace.locations.get((kind, use.word.text)) for kind in ("action", "flow"))
            return next((place for place in places if place), None)
        case "target" | "step":
            steps = steps_within(use.statement.members)
            return next((Location(uri, one.name.span) for one in steps if one.name.text == use.word.text), None)
        case "statement":
            return Location(uri, use.word.span)
        case _:
            return None


# ── hover ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def hover(text: str, offset: int, workspace: Workspace) -> tuple[str, Span] | None:
    """Return Markdown about the word at an offset, and the span of the word; None if there is nothing to show."""
    use = use_at(parse(text)[0], offset)
    markdown = None if use is None else _describe(use, text, workspace)
    return (markdown, use.word.span) if use and markdown else None


def _describe(use: Use, text: str, workspace: Workspace) -> str | None:
    name, key = use.word.text, use.word.key
    match use.role:
        case "kind":
            line = {**keywords.STATEMENTS, **keywords.STEPS, **keywords.BRANCH}.get(key)
            return f"**{key}**: {line}" if line else None
        case "property":
            line = keywords.properties_of(use.owner).get(key)
            return f"**{key}**: {line}" if line else None
        case "action" | "undo" if name in workspace.actions:
            return signature(workspace.actions[name])
        case "flow" | "undo":
            return _of_flow(workspace.flows[name]) if name in workspace.flows else None
        case "statement" if use.statement.kind.key == "action":
            return signature(workspace.actions[name]) if name in workspace.actions else None
        case "statement" if name in workspace.flows:
            return _of_flow(workspace.flows[name])
        case "step" | "target":
            return "The run ends." if key in ENDS else _of_step(name, use.statement, text, workspace)
        case "arg" if use.owner in ("args", "input"):
            return next((_parameter(one) for one in _declared(use, workspace) if one.name == name), None)
        case _:
            return None


def signature(action: Action) -> str:
    """Return the signature and options of an action in Markdown."""
    args = ", ".join(_parameter(one) for one in action.parameters)
    states = " | ".join(_state(action, state) for state in action.returns)
    method = f"{action.method.value} {action.verb.value}" if action.is_http and action.direct else action.method.value
    lines = [f"**action {action.name}** ({args}) → {states}", f"`{method}`"]
    lines[1] += "".join(f" {address}" for address in action.addresses)
    options = action.options
    times = {"timeout": options.timeout, "heartbeat": options.heartbeat}
    lines += [f"{name} {duration_text(value)}" for name, value in times.items() if value is not None]
    lines += ["Answers must be signed."] if options.signed else []
    lines += ["The response is the answer."] if action.direct else []
    lines += ["The data of answers is secret."] if action.secret_data else []
    lines += [f"Undone by {undo_text(action.undo)}."] if action.undo else []
    return "\n\n".join(lines)


def _state(action: Action, state: str) -> str:
    statuses = action.statuses.get(state, ())
    return state + (f" on {', '.join(map(str, statuses))}" if statuses else "")


def _of_flow(flow: Flow) -> str:
    return f"**flow {flow.name}** ({', '.join(_parameter(one) for one in flow.input)}), {len(flow.steps)} steps"


def _of_step(name: str, statement: Statement, text: str, workspace: Workspace) -> str | None:
    flow = flow_of(statement, text, workspace)
    row = next((one for one in explain(flow, workspace.actions, DEFAULTS) if one.step == name), None) if flow else None
    if row is None:
        return None
    fields: dict[str, object] = {
        "timeout": row.timeout,
        "heartbeat": row.heartbeat,
        "retry": row.retry,
        "callback": row.callback,
        "secret": row.secret,
        "on TIMEOUT": row.on_timeout,
        "on ERROR": row.on_error,
        "conditions": row.conditions,
        "notices": row.notices,
        "repeat": row.repeat,
        "undo": row.undo,
    }
    lines = [f"- {key}: {value}" for key, value in fields.items() if value is not None]
    action = f": {row.action}" if row.action else ""
    return "\n".join([f"**{row.kind} {row.step}**{action}", "", *lines])


def flow_of(statement: Statement, text: str, workspace: Workspace) -> Flow | None:
    """Return the flow that a statement defines, or the steps of a run; None if it has errors."""
    if statement.kind.key == "flow":
        return workspace.flows.get(statement.name.text)
    checked = read(text[statement.span.start : statement.span.end], workspace.known)
    values = [one.value for one in checked.statements]
    return next((one.steps for one in values if isinstance(one, FlowRun)), None)


def _declared(use: Use, workspace: Workspace) -> tuple[Parameter, ...]:
    """Return the args of the action, or the inputs of the flow, that the step or run of a word names."""
    members = (use.step.body.members if use.step.body else ()) if use.step else use.statement.members
    named = {one.name.key: one.value for one in members if isinstance(one, Property)}
    action, flow = named.get("action"), named.get("flow")
    if isinstance(action, Word) and action.text in workspace.actions:
        return workspace.actions[action.text].parameters
    if isinstance(flow, Word) and flow.text in workspace.flows:
        return workspace.flows[flow.text].input
    return ()


def _parameter(one: Parameter) -> str:
    declared = f"{'secret ' * one.secret}{one.type.value} {one.name}".rstrip()
    return declared + ("" if one.required else f" = {template(one.default)}")
