"""Calls for editors and the console: what a text means, and edits of a text. They change nothing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Final

import msgspec

from chalicelib.authoring.edit.operations import MAX_OPERATIONS, Operation, misspelling
from chalicelib.entrypoints.http import reading, responses
from chalicelib.entrypoints.http.reading import Text
from chalicelib.entrypoints.http.request import Request
from chalicelib.entrypoints.http.route import Route
from chalicelib.model import json_values
from chalicelib.model.actions import Action
from chalicelib.model.json_values import Json
from chalicelib.service.errors import Invalid, Malformed, TooLarge
from chalicelib.service.ports.definitions import Kind
from chalicelib.service.security.roles import Role

# The presenters of this module and what they need are imported when a view is called: a cold start does not
# pay for them.

MAX_TEXT_BYTES: Final = 1024 * 1024
"""The largest text that is analyzed, edited or played."""

REQUESTS_PER_S: Final = 10
"""How often per second one token may have a text analyzed, edited or played, each, in one container."""

MAX_OFFERED_NAMES: Final = 200
"""How many actions and flows of the namespace are offered as completions."""


class Place(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A place in the text; line and column count from 1."""

    line: Annotated[int, msgspec.Meta(ge=1, le=10**9)]
    column: Annotated[int, msgspec.Meta(ge=1, le=10**9)]


class AnalyzeBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An FSL text. `at` is the place for which words and a hover text are wanted; `layout` adds the positions of boxes
    and lines to the graphs. `order` has ids of nodes from left to right in an earlier layout, by flow: those of a row
    keep their order."""

    text: str
    at: Place | None = None
    layout: bool = False
    order: dict[str, tuple[Text, ...]] = {}


class EditBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An FSL text, and what is done, in this order, to its flow of that name, or to its run with steps of its own.
    `flow` may be left out if the text has only one."""

    text: str
    do: Annotated[tuple[Operation, ...], msgspec.Meta(min_length=1, max_length=MAX_OPERATIONS)]
    flow: Text = ""


def analyze(request: Request) -> Json:
    """Analyze an FSL text: problems, steps, graphs, settings, and words for a place.

    The text need not be correct, and nothing is stored. Names that it does not define are taken from the namespace.
    """
    from chalicelib.authoring.symbols import workspace_of
    from chalicelib.entrypoints.http.presenters import authoring
    from chalicelib.language.source import Source

    body = reading.read(request.body, AnalyzeBody)
    check_size(body.text)
    services = request.services
    found = services.submitter.inspect(request.namespace, body.text)
    stored = {f"{kind}/{name}": one.text for kind, names in found.used.items() for name, one in names.items()}
    offset = None
    if body.at is not None:
        source = Source(body.text)
        if body.at.line > source.lines:
            raise Malformed(f"`at.line` is {body.at.line}, and the text has {source.lines} lines")
        offset = min(source.offset(body.at.line, body.at.column), len(body.text))
        store = services.adapters.store.definitions
        for kind in (Kind.ACTION, Kind.FLOW):
            for one in store.list(request.namespace, kind, MAX_OFFERED_NAMES):
                stored.setdefault(f"{kind}/{one.name}", one.text)
    workspace = workspace_of({"": body.text, **stored})
    order = body.order if body.layout else None
    return authoring.analysis(body.text, found, workspace, services.settings.defaults, offset, order)


def edit(request: Request) -> Json:
    """Edit a flow of an FSL text by operations such as `rename`, without storing anything.

    The response has the text, and the edits that lead to it. Comments, spacing and everything else outside the edits
    stay as they are. Only the syntax of the flow must be correct. States of actions that the text does not declare are
    taken from the namespace.
    """
    from chalicelib.authoring.edit import emit as editing
    from chalicelib.authoring.edit.errors import EditRefused, FlowUnreadable
    from chalicelib.entrypoints.http.presenters import authoring
    from chalicelib.service.documents.results import UnreadableText

    body = _edit_of(request)
    check_size(body.text)

    def returns(action: str) -> Sequence[str] | None:
        store = request.services.adapters.store.definitions
        found = store.latest(request.namespace, Kind.ACTION, {action}).get(action)
        return None if found is None else json_values.decode(found.value, Action).returns

    try:
        found = editing.edit(body.text, body.flow, body.do, returns)
    except FlowUnreadable as problem:
        raise UnreadableText(str(problem), problem.diagnostics) from problem
    except EditRefused as problem:
        raise Invalid(str(problem)) from problem
    check_size(found.text)
    return authoring.edited(found)


def _edit_of(request: Request) -> EditBody:
    """Read the body of an edit. Raises Malformed, which says what is misspelled in an operation."""
    try:
        return reading.read(request.body, EditBody)
    except Malformed:
        value = reading.json_of(request.body)
        operations = value.get("do") if isinstance(value, dict) else None
        for number, one in enumerate(operations if isinstance(operations, list) else ()):
            problem = misspelling(one)
            if problem:
                raise Malformed(f"`do[{number}]`: {problem}") from None
        raise


def check_size(text: str) -> None:
    """Raise TooLarge if the text is."""
    size = len(text.encode(errors="surrogatepass"))
    if size > MAX_TEXT_BYTES:
        raise TooLarge(f"the text has {size} bytes, and the limit is {MAX_TEXT_BYTES}")


ROUTES: Final = (
    Route(
        method="POST",
        path="/analyze",
        view=analyze,
        group="definitions",
        role=Role.VIEWER,
        rate=REQUESTS_PER_S,
        body=AnalyzeBody,
        answers={200: responses.Analysis},
        errors=(413,),
    ),
    Route(
        method="POST",
        path="/edit",
        view=edit,
        group="definitions",
        role=Role.VIEWER,
        rate=REQUESTS_PER_S,
        body=EditBody,
        answers={200: responses.Edited},
        errors=(413, 422),
    ),
)
