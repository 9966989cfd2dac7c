"""What a document's words are and lead to: the part of the language server that knows FSL and no editor.

A `Library` is what is known of all documents of a workspace, those with errors included: every statement that can be
read by itself counts. Places are offsets; `fsl.lsp` turns them into an editor's lines and columns.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from chalicelib.authoring import keywords
from chalicelib.authoring.explain import duration, explain
from chalicelib.language import Document, KnownNames, parse, read
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
from chalicelib.model.actions import DEFAULTS, Action, Parameter
from chalicelib.model.flow import ENDS, Flow, FlowRun

Role: TypeAlias = Literal["kind", "statement", "action", "flow", "step", "target", "state", "property", "arg"]


@dataclass(frozen=True, slots=True)
class Place:
    """Where a name is defined."""

    uri: str
    span: Span


@dataclass(frozen=True, slots=True)
class Use:
    """A word of a document: what it is there, in which statement and step, and of which property it is an entry."""

    word: Word
    role: Role
    statement: Statement
    step: Step | None = None
    owner: str = ""


@dataclass
class Library:
    """The actions, flows and runs of all documents, and where each is defined."""

    actions: dict[str, Action] = field(default_factory=dict)
    flows: dict[str, Flow] = field(default_factory=dict)
    places: dict[tuple[str, str], Place] = field(default_factory=dict)

    @property
    def known(self) -> KnownNames:
        """What a document may name without defining it."""
        return KnownNames(self.actions, self.flows)


def library_of(texts: Mapping[str, str]) -> Library:
    """What the documents hold, by URI. Where two define a name, the first counts."""
    library = Library()
    found = [(uri, text, one) for uri, text in texts.items() for one in parse(text)[0].statements]
    for kind in ("action", "flow", "flow_run"):
        for uri, text, statement in found:
            key = (kind, statement.name.text)
            if statement.kind.key != kind or key in library.places:
                continue
            library.places[key] = Place(uri, statement.name.span)
            checked = read(text[statement.span.start : statement.span.end], library.known)
            for value in (one.value for one in checked.statements):
                if isinstance(value, Action):
                    library.actions[value.name] = value
                elif isinstance(value, Flow):
                    library.flows[value.name] = value
    return library


# ── words ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def uses(document: Document) -> Iterator[Use]:
    """Every word of a document that means something, in no particular order."""
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
    """The word at an offset, or right before it."""
    found = [use for use in uses(document) if use.word.span.start <= offset <= use.word.span.end]
    return min(found, key=lambda use: use.word.span.end - use.word.span.start, default=None)


def _of_route(route: Route, statement: Statement, step: Step) -> Iterator[Use]:
    if route.state:
        yield Use(route.state, "state", statement, step)
    if route.target:
        yield Use(route.target, "target", statement, step)


def _properties(statement: Statement, step: Step | None, members: Iterable[object]) -> Iterator[Use]:
    owner = step.kind.key if step else statement.kind.key
    for member in members:
        if not isinstance(member, Property):
            continue
        key = member.name.key
        yield Use(member.name, "property", statement, step, owner)
        name = member.value.name if isinstance(member.value, Call) else member.value
        if isinstance(name, Word):
            role: Role | None = "action" if key in ("action", "undo") else "flow" if key == "flow" else None
            if role:
                yield Use(name, role, statement, step)
        yield from (Use(one.name, "arg", statement, step, key) for one in _assignments(member.value))


def _assignments(value: Value | None) -> list[Assignment]:
    return [one for one in value.items if isinstance(one, Assignment)] if isinstance(value, Group) else []


def definition(text: str, offset: int, uri: str, library: Library) -> Place | None:
    """Where the action, flow or step that is named at the offset is defined."""
    use = use_at(parse(text)[0], offset)
    if use is None:
        return None
    match use.role:
        case "action" | "flow":
            return library.places.get((use.role, use.word.text))
        case "target" | "step":
            steps = steps_within(use.statement.members)
            return next((Place(uri, one.name.span) for one in steps if one.name.text == use.word.text), None)
        case "statement":
            return Place(uri, use.word.span)
        case _:
            return None


# ── what is said of a word ───────────────────────────────────────────────────────────────────────────────────────────


def hover(text: str, offset: int, library: Library) -> tuple[str, Span] | None:
    """Markdown on the word at an offset, and where the word stands."""
    use = use_at(parse(text)[0], offset)
    said = None if use is None else _said(use, text, library)
    return (said, use.word.span) if use and said else None


def _said(use: Use, text: str, library: Library) -> str | None:
    name, key = use.word.text, use.word.key
    match use.role:
        case "kind":
            line = {**keywords.STATEMENTS, **keywords.STEPS, **keywords.BRANCH}.get(key)
            return f"**{key}**: {line}" if line else None
        case "property":
            line = keywords.properties_of(use.owner).get(key)
            return f"**{key}**: {line}" if line else None
        case "action":
            return signature(library.actions[name]) if name in library.actions else None
        case "flow":
            return _of_flow(library.flows[name]) if name in library.flows else None
        case "statement" if use.statement.kind.key == "action":
            return signature(library.actions[name]) if name in library.actions else None
        case "statement" if name in library.flows:
            return _of_flow(library.flows[name])
        case "step" | "target":
            return "the run ends" if key in ENDS else _of_step(name, use.statement, text, library)
        case "arg" if use.owner in ("args", "input"):
            return next((_parameter(one) for one in _declared(use, library) if one.name == name), None)
        case _:
            return None


def signature(action: Action) -> str:
    """An action in Markdown."""
    args = ", ".join(_parameter(one) for one in action.parameters)
    lines = [f"**action {action.name}** ({args}) → {' | '.join(action.returns)}", f"`{action.method.value}`"]
    lines[1] += "".join(f" {address}" for address in action.addresses)
    options = action.options
    said = {"timeout": options.timeout, "heartbeat": options.heartbeat}
    lines += [f"{name} {duration(value)}" for name, value in said.items() if value is not None]
    lines += ["its answers are signed"] if options.signed else []
    lines += ["what its answers bring is secret"] if action.secret_data else []
    lines += [f"undone by {action.undo.action}"] if action.undo else []
    return "\n\n".join(lines)


def _of_flow(flow: Flow) -> str:
    return f"**flow {flow.name}** ({', '.join(_parameter(one) for one in flow.input)}), {len(flow.steps)} steps"


def _of_step(name: str, statement: Statement, text: str, library: Library) -> str | None:
    flow = flow_of(statement, text, library)
    row = next((one for one in explain(flow, library.actions, DEFAULTS) if one.step == name), None) if flow else None
    if row is None:
        return None
    said = {"timeout": row.timeout, "heartbeat": row.heartbeat, "retry": row.retry, "callback": row.callback}
    said |= {"secret": row.secret}  # type: ignore[dict-item]  # both are only shown
    said |= {"on TIMEOUT": row.on_timeout, "on ERROR": row.on_error}  # type: ignore[dict-item]  # both are only shown
    lines = [f"- {key}: {value}" for key, value in said.items() if value is not None]
    doing = f": {row.action}" if row.action else ""
    return "\n".join([f"**{row.kind} {row.step}**{doing}", "", *lines])


def flow_of(statement: Statement, text: str, library: Library) -> Flow | None:
    """The flow that a statement is, or that a run brings along, if it can be read."""
    if statement.kind.key == "flow":
        return library.flows.get(statement.name.text)
    checked = read(text[statement.span.start : statement.span.end], library.known)
    values = [one.value for one in checked.statements]
    return next((one.steps for one in values if isinstance(one, FlowRun)), None)


def _declared(use: Use, library: Library) -> tuple[Parameter, ...]:
    """The args of the action, or the inputs of the flow, that the word's step or run names."""
    members = (use.step.body.members if use.step.body else ()) if use.step else use.statement.members
    named = {one.name.key: one.value for one in members if isinstance(one, Property)}
    action, flow = named.get("action"), named.get("flow")
    if isinstance(action, Word) and action.text in library.actions:
        return library.actions[action.text].parameters
    if isinstance(flow, Word) and flow.text in library.flows:
        return library.flows[flow.text].input
    return ()


def _parameter(one: Parameter) -> str:
    declared = f"{'secret ' * one.secret}{one.type.value} {one.name}"
    return declared + ("" if one.required else f" = {template(one.default)}")
