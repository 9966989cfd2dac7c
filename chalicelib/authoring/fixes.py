"""Quick fixes: edits of a document that remove a problem."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from chalicelib.language import Diagnostic, parse
from chalicelib.language.format.spelling import name as spelled
from chalicelib.language.problems import Problem
from chalicelib.language.source import Source, Span
from chalicelib.language.syntax.tree import Document, Group, Property, Statement, Step, steps_within

_SUGGESTION: Final = re.compile(r"did you mean '(.*)'\?", re.DOTALL)
_TO_QUOTE: Final = re.compile(r'quote it: ".*"', re.DOTALL)
_QUOTED: Final = re.compile(r"state (\S+) of |variable '([^']*)'")


@dataclass(frozen=True, slots=True)
class Fix:
    """An edit: `new` replaces the text of the span. `title` says what it does."""

    title: str
    span: Span
    new: str


def fixes(text: str, diagnostic: Diagnostic) -> list[Fix]:
    """Return the edits that remove a problem of the text; empty if none is known."""
    source = Source(text)
    at = Span(
        source.offset(diagnostic.line, diagnostic.column), source.offset(diagnostic.end_line, diagnostic.end_column)
    )
    return [*_suggested(text, at, diagnostic), *_by_code(text, at, diagnostic)]


def _suggested(text: str, at: Span, diagnostic: Diagnostic) -> Iterator[Fix]:
    """Yield the name that the diagnostic suggests in place of the one in the text, or that name in quotes."""
    written = text[at.start : at.end]
    if _TO_QUOTE.fullmatch(diagnostic.hint or "") and '"' not in written:
        yield Fix(f'Change to "{written}"', at, f'"{written}"')
    found = _SUGGESTION.fullmatch(diagnostic.hint or "")
    if found is None:
        return
    new = found[1]
    if written.startswith("$"):
        dot = written.rfind(".") + 1
        at, new = Span(at.start + dot, at.end), new if new.isidentifier() else f"`{new}`"
    else:
        new = spelled(new)
    yield Fix(f"Change to {new}", at, new)


def _by_code(text: str, at: Span, diagnostic: Diagnostic) -> Iterator[Fix]:
    found = _QUOTED.search(diagnostic.message)
    name = next(filter(None, found.groups()), "") if found else ""
    document = parse(text)[0]
    match diagnostic.code:
        case Problem.UNROUTED_STATE.code if name:
            yield from _route(text, _step_at(document, at), f"{spelled(name)} -> stopped")
        case Problem.MAY_MATCH_NOTHING.code:
            yield from _route(text, _step_at(document, at), "else -> stopped")
        case Problem.UNSET_VARIABLE.code if name:
            yield from _variable(_statement_at(document, at), spelled(name))


def _route(text: str, step: Step | None, route: str) -> Iterator[Fix]:
    """Yield an edit that adds a route to a step."""
    if step is None or step.routes is None or not text[: step.routes.span.end].endswith(")"):
        return
    end = step.routes.span.end - 1
    end = step.routes.span.start + len(text[step.routes.span.start : end].rstrip())
    separator = " | " if step.routes.items else ""
    yield Fix(f"Add the route {route}", Span(end, end), separator + route)


def _variable(statement: Statement | None, name: str) -> Iterator[Fix]:
    """Yield an edit that declares a variable with the value null."""
    if statement is None:
        return
    title = f"Declare the variable {name}"
    for member in statement.members:
        if isinstance(member, Property) and member.name.key == "vars" and isinstance(member.value, Group):
            start = member.value.span.start + 1
            yield Fix(title, Span(start, start), f"{name} = null" + (", " if member.value.items else ""))
            return
    at = statement.name.span.end
    yield Fix(title, Span(at, at), f"\n    vars = ({name} = null);")


def _step_at(document: Document, at: Span) -> Step | None:
    """Return the innermost step around a place."""
    steps = [step for statement in document.statements for step in steps_within(statement.members)]
    around = [step for step in steps if step.span.start <= at.start and at.end <= step.span.end]
    return min(around, key=lambda step: step.span.end - step.span.start, default=None)


def _statement_at(document: Document, at: Span) -> Statement | None:
    return next((one for one in document.statements if one.span.start <= at.start and at.end <= one.span.end), None)
