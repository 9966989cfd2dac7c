"""What a text means, as JSON."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any, cast

from chalicelib import diagrams, language
from chalicelib.authoring import complete, occurrences, symbols
from chalicelib.authoring.edit.emit import Edited
from chalicelib.authoring.edit.outline import Outline, step_at
from chalicelib.authoring.edit.routes import Returns
from chalicelib.authoring.explain import Row, explain
from chalicelib.authoring.fixes import fixes
from chalicelib.authoring.symbols import Workspace
from chalicelib.entrypoints.http import responses
from chalicelib.language import Diagnostic
from chalicelib.language.source import Source, Span
from chalicelib.language.syntax.tree import Statement, steps_within
from chalicelib.model.actions import WHOLE, Options, Parameter
from chalicelib.model.flow import Flow
from chalicelib.service.documents.results import Inspected


def analysis(
    text: str,
    found: Inspected,
    workspace: Workspace,
    defaults: Options,
    offset: int | None,
    order: Mapping[str, Sequence[str]] | None,
) -> responses.Analysis:
    """Return what a text means.

    `offset` is the place for which words and a hover text are wanted. `order`: add the layout of graphs, in which boxes
    keep the order that they have there, by flow.
    """
    changes = {(str(one.kind), one.name): change for one, change in found.changes}
    flows = {
        statement.name.text: flow
        for statement in found.document.statements
        if (flow := symbols.flow_of(statement, text, workspace)) is not None
    }
    hover = symbols.hover(text, offset, workspace) if offset is not None else None
    return {
        "diagnostics": diagnostics(found.diagnostics),
        "statements": [
            {
                "kind": one.kind.key,
                "name": one.name.text,
                "span": _span(one.span),
                "change": cast("Any", changes.get((one.kind.key, one.name.text))),
            }
            for one in found.document.statements
        ],
        "steps": list(_steps(text, found.document.statements)),
        "graphs": {name: _graph(flow, None if order is None else order.get(name, ())) for name, flow in flows.items()},
        "explain": {
            name: [_explained(row) for row in explain(flow, workspace.actions, defaults)]
            for name, flow in flows.items()
        },
        "inputs": {name: _inputs(flow) for name, flow in flows.items()},
        "fixes": [
            {"diagnostic": number, "title": one.title, "span": _span(one.span), "insert": one.new}
            for number, diagnostic in enumerate(found.diagnostics)
            for one in fixes(text, diagnostic)
        ],
        "formatted": _formatted(text),
        "offers": [
            {"label": one.label, "kind": one.kind, "detail": one.detail}
            for one in (complete.complete(text, offset, workspace) if offset is not None else ())
        ],
        "hover": {"markdown": hover[0], "span": _span(hover[1])} if hover else None,
        "symbol": None if offset is None else _symbol(text, offset),
        "step": None if offset is None else _editable(step_at(text, offset, _returns(workspace))),
    }


def _inputs(flow: Flow) -> list[responses.DeclaredInput]:
    if flow.input_type is not None:
        return [{"name": WHOLE, "type": flow.input_type, "required": True, "secret": False}]
    return [_input(one) for one in flow.input]


def _input(one: Parameter) -> responses.DeclaredInput:
    shown: responses.DeclaredInput = {
        "name": one.name,
        "type": one.type,
        "required": one.required,
        "secret": one.secret,
    }
    return shown if one.required else {**shown, "default": one.default}


def _symbol(text: str, offset: int) -> responses.Symbol | None:
    found = occurrences.symbol(text, offset)
    if found is None:
        return None
    at, places = found
    definition = next((one.span for one in places if one.defines), None)
    return {
        "kind": at.name.kind,
        "name": at.name.text,
        "span": _span(at.span),
        "definition": None if definition is None else _span(definition),
        "places": [_span(one.span) for one in places],
    }


def _returns(workspace: Workspace) -> Returns:
    def returns(name: str) -> Sequence[str] | None:
        action = workspace.actions.get(name)
        return None if action is None else action.returns

    return returns


def _editable(found: Outline | None) -> responses.EditableStep | None:
    if found is None:
        return None
    return {
        "flow": found.flow,
        "name": found.name,
        "kind": found.kind,
        "into": found.into,
        "span": _span(found.span),
        "routes": [{"states": list(one.states), "when": one.when, "to": one.to} for one in found.routes],
        "properties": [{"name": one.name, "value": one.value, "about": one.about} for one in found.properties],
        "states": None if found.states is None else list(found.states),
        "targets": list(found.targets),
    }


def edited(found: Edited) -> responses.Edited:
    """Return an edited text."""
    edits: list[responses.TextEdit] = [{"from": one.start, "to": one.end, "insert": one.insert} for one in found.edits]
    return {"edits": edits, "text": found.text}


def _graph(flow: Flow, order: Sequence[str] | None) -> responses.Graph:
    graph = diagrams.graph_of(flow)
    return cast("responses.Graph", diagrams.as_json(graph, has_layout=order is not None, order=order or ()))


def diagnostics(found: Sequence[Diagnostic]) -> list[responses.Diagnostic]:
    """Return problems of a text."""
    return [cast("responses.Diagnostic", asdict(one)) for one in found]


def _span(span: Span) -> tuple[int, int]:
    return span.start, span.end


def _steps(text: str, statements: tuple[Statement, ...]) -> Iterator[responses.OutlinedStep]:
    source = Source(text)
    for statement in statements:
        for step in steps_within(statement.members):
            yield {
                "flow": statement.name.text,
                "name": step.name.text,
                "kind": step.kind.key,
                "span": _span(step.span),
                "name_span": _span(step.name.span),
                "line": source.position(step.name.span.start)[0],
            }


def _explained(row: Row) -> responses.ExplainedStep:
    return cast("responses.ExplainedStep", asdict(row))


def _formatted(text: str) -> str | None:
    try:
        return language.format_text(text)
    except language.Unreadable:
        return None
