"""Calls for editors and the console: what a text means. They change nothing."""

from __future__ import annotations

from typing import Annotated, Final

import msgspec

from chalicelib.entrypoints.http import bodies, responses
from chalicelib.entrypoints.http.request import Request
from chalicelib.entrypoints.http.route import Route
from chalicelib.model.json_values import Json
from chalicelib.service.errors import Malformed, TooLarge
from chalicelib.service.ports.definitions import Kind
from chalicelib.service.security.roles import Role

# The presenters of this module and what they need are imported when a view is called: a cold start does not pay for
# them.

MAX_TEXT_BYTES: Final = 1024 * 1024
"""The largest text that is analyzed or played."""

MAX_OFFERED_NAMES: Final = 200
"""How many actions and flows of the namespace are offered as completions."""


class Place(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A place in the text; line and column count from 1."""

    line: Annotated[int, msgspec.Meta(ge=1, le=10**9)]
    column: Annotated[int, msgspec.Meta(ge=1, le=10**9)]


class AnalyzeBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An FSL text. `at` is the place for which words and a hover text are wanted; `layout` adds the positions of boxes
    and lines to the graphs."""

    text: str
    at: Place | None = None
    layout: bool = False


def analyze(request: Request) -> Json:
    """Analyze an FSL text: problems, steps, graphs, settings, and words for a place.

    The text need not be correct, and nothing is stored. Names that it does not define are taken from the namespace.
    """
    from chalicelib.authoring.symbols import workspace_of
    from chalicelib.entrypoints.http.presenters import authoring
    from chalicelib.language.source import Source

    body = bodies.read(request.body, AnalyzeBody)
    check_size(body.text)
    services = request.services
    found = services.submitter.inspect(request.namespace, body.text)
    stored = {f"{kind}/{name}": one.text for kind, names in found.used.items() for name, one in names.items()}
    offset = None
    if body.at is not None:
        source = Source(body.text)
        if body.at.line > len(body.text.splitlines()) + 1:
            raise Malformed(f"`at.line` is {body.at.line}, and the text has {len(body.text.splitlines())} lines")
        offset = min(source.offset(body.at.line, body.at.column), len(body.text))
        store = services.adapters.store.definitions
        for kind in (Kind.ACTION, Kind.FLOW):
            for one in store.list(request.namespace, kind, MAX_OFFERED_NAMES):
                stored.setdefault(f"{kind}/{one.name}", one.text)
    workspace = workspace_of({"": body.text, **stored})
    return authoring.analysis(body.text, found, workspace, services.settings.defaults, offset, layout=body.layout)


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
        body=AnalyzeBody,
        answers={200: responses.Analysis},
        errors=(413,),
    ),
)
