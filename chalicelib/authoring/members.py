"""The members of `$input`, `$vars`, `$error` and the other names that expressions can use, for completion."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from chalicelib.authoring.occurrences import declared_in
from chalicelib.authoring.symbols import Workspace
from chalicelib.language import parse
from chalicelib.language.syntax.embedded import end_of_expression
from chalicelib.language.syntax.tree import Statement

_FIXED: Final = {
    "error": {
        "name": "what went wrong, like Timeout or Refused",
        "cause": "why, as text",
        "step": "the step that returned it",
        "state": "the state that the step returned",
        "status": "the HTTP status, if there was one",
        "data": "the data of the answer, if there was any",
    },
    "event": {
        "name": "the name of the event",
        "key": "its key",
        "data": "its data",
        "at": "when it was published, RFC 3339",
    },
    "run": {
        "name": "the name of the run",
        "id": "its id, unique for ever",
        "flow": "the name of its flow",
        "version": "the version of its flow",
        "namespace": "its namespace",
        "labels": "its labels",
        "started_at": "when it started, RFC 3339",
    },
    "step": {
        "name": "the name of the step",
        "uuid": "the activation",
        "token": "what answers the step by POST /step/{token}",
        "attempt": "which visit this is, counted by `repeat`",
        "entered_at": "when the step was entered, RFC 3339",
    },
    "response": {"status": "the HTTP status of the answer", "headers": "its headers, by name in lower case"},
}


def members_of(name: str, text: str, offset: int, workspace: Workspace) -> Iterator[tuple[str, str]]:
    """Yield the members of `$name` and a line about each, in the expression at the offset of an unfinished text."""
    yield from _FIXED.get(name, {}).items()
    if name == "config":
        yield from ((known, "configuration") for known in workspace.configs)
    elif name in ("input", "vars"):
        statement = _statement_around(text, offset)
        if statement is not None:
            yield from declared_in(statement, name)
            flow = workspace.flows.get(statement.name.text) if statement.kind.key == "flow" else None
            declared = {known for known, _ in declared_in(statement, name)}
            if flow and name == "input":
                yield from ((one.name, one.type.value) for one in flow.input if one.name not in declared)


def _statement_around(text: str, offset: int) -> Statement | None:
    """Return the statement around an offset in an expression, which is left out, because it may be unfinished."""
    start = text.rfind("${", 0, offset)
    line_end = text.find("\n", offset)
    end = end_of_expression(text, offset)
    behind = end + 1 if end is not None and (line_end < 0 or end < line_end) else offset
    document = parse(f"{text[:start]}null{text[behind:]}")[0]
    around = [one for one in document.statements if one.span.start <= start]
    return around[-1] if around else None
