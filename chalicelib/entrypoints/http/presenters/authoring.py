"""What a text means, and what became of a play, as JSON."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any, cast

import msgspec

from chalicelib import diagrams, language
from chalicelib.authoring import complete, occurrences, symbols
from chalicelib.authoring.edit.emit import Edited
from chalicelib.authoring.explain import Row, explain
from chalicelib.authoring.fixes import fixes
from chalicelib.authoring.symbols import Workspace
from chalicelib.entrypoints.http import responses
from chalicelib.entrypoints.http.presenters.common import moment
from chalicelib.entrypoints.http.presenters.history import entry
from chalicelib.language import Diagnostic
from chalicelib.language.source import Source, Span
from chalicelib.language.syntax.tree import Statement, steps_within
from chalicelib.model.actions import WHOLE, Options, Parameter
from chalicelib.model.flow import Flow
from chalicelib.play.session import Played
from chalicelib.play.waiting import Waiting
from chalicelib.service.documents.results import Inspected


def analysis(
    text: str, found: Inspected, workspace: Workspace, defaults: Options, offset: int | None, *, layout: bool
) -> responses.Analysis:
    """Return what a text means. `offset` is the place for which words and a hover text are wanted."""
    changes = {(str(one.kind), one.name): change for one, change in found.changes}
    flows = {
        statement.name.text: flow
        for statement in found.document.statements
        if (flow := symbols.flow_of(statement, text, workspace)) is not None
    }
    hover = symbols.hover(text, offset, workspace) if offset is not None else None
    return {
        "diagnostics": _diagnostics(found.diagnostics),
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
        "graphs": {name: _graph(flow, layout=layout) for name, flow in flows.items()},
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


def edited(found: Edited) -> responses.Edited:
    """Return an edited text."""
    edits: list[responses.TextEdit] = [{"from": one.start, "to": one.end, "insert": one.insert} for one in found.edits]
    return {"edits": edits, "text": found.text}


def _graph(flow: Flow, *, layout: bool) -> responses.Graph:
    return cast("responses.Graph", diagrams.as_json(diagrams.graph_of(flow), has_layout=layout))


def _diagnostics(found: Sequence[Diagnostic]) -> list[responses.Diagnostic]:
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


# ── plays ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def played(found: Played) -> responses.Played:
    """Return a play after its last move."""
    run = found.run
    return {
        "now": moment(found.now),
        "status": str(run.status),
        "flow": run.definition.flow,
        "waits": [_wait(one) for one in found.waits],
        "next": {"at": moment(found.next_at), "what": found.next_what} if found.next_at is not None else None,
        "input": run.input,
        "vars": run.vars,
        "output": run.output,
        "last_err": run.last_err,
        "seq": found.history[-1].seq,
        "history": [entry(one) for one in found.history],
        "visits": _visits(found),
        "asked": [
            {
                "at": moment(one.at),
                "run": one.what.run,
                "step": one.what.step,
                "name": one.what.name,
                "kind": one.what.kind,
                "args": one.what.args,
                "attempt": one.what.attempt,
            }
            for one in found.asked
        ],
        "refused": [{"move": one.move, "why": one.why} for one in found.refused],
        "runs": [
            {"name": one.name, "flow": one.definition.flow, "status": str(one.status), "output": one.output}
            for one in found.runs
        ],
        "diagnostics": _diagnostics(found.submission.diagnostics if found.submission else ()),
        "state": {"script": msgspec.to_builtins(found.script)},
    }


def _wait(one: Waiting) -> responses.PlayWait:
    return {
        "run": one.run,
        "step": one.step,
        "token": one.token,
        "uuid": one.uuid,
        "kind": one.kind,
        "name": one.name,
        "states": list(one.states),
        "args": one.args,
        "attempt": one.attempt,
        "deadline": moment(one.deadline),
        "retry_at": moment(one.retry_at),
        "due": one.is_held,
    }


def _visits(found: Played) -> responses.PlayVisits:
    graph = diagrams.graph_of(found.definition.flow, diagrams.path_of(found.run, found.history))
    return {
        "nodes": {node.id: node.visits for node in graph.nodes if node.visits},
        "edges": {f"{edge.source} -> {edge.target}": edge.visits for edge in graph.edges if edge.visits},
        "current": [node.id for node in graph.nodes if node.current],
        "failed": [node.id for node in graph.nodes if node.failed],
    }
