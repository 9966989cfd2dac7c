"""Calls that read and follow the history of a run."""

from __future__ import annotations

from typing import Final

import msgspec

from chalicelib.entrypoints.http import pages, parameters, presenters, responses
from chalicelib.entrypoints.http.parameters import Parameter
from chalicelib.entrypoints.http.presenters import ShortValues, Values
from chalicelib.entrypoints.http.request import Request, Response
from chalicelib.entrypoints.http.route import Route
from chalicelib.entrypoints.http.views.starts import DEFAULT_WAIT_S, MAX_WAIT_S, waiting_ms
from chalicelib.model.json_values import Json
from chalicelib.service.runs.history import HistoryPage, HistoryQuery
from chalicelib.service.security.roles import Role


def history(request: Request, name: str) -> Json:
    """List the run's history entries after `after`, oldest first; or with `order=desc` those before `before`, newest
    first.

    Filters look through so many entries as `x-read` says; `x-next-cursor` continues from there.
    """
    query = _history_query(request)
    found = request.services.reader.history_page(request.namespace, name, query)
    return _entries(request, name, found, is_filtered=query.is_filtered)


def watch(request: Request, name: str) -> Json:
    """Wait for history entries after `after`. The response is empty if there is none within `wait` seconds."""
    query = HistoryQuery(after=_after(request), limit=request.query.limit())
    found = request.services.reader.watch(request.namespace, name, query, waiting_ms(request, DEFAULT_WAIT_S))
    return _entries(request, name, found)


def _after(request: Request) -> int:
    """Return the position in the history. `cursor` takes precedence over `after`."""
    cursor, after = request.query.position("cursor"), request.query.position("after")
    return cursor or after


def _history_query(request: Request) -> HistoryQuery:
    query = request.query
    newest_first = query.choice("order", ("asc", "desc")) == "desc"
    cursor, before = query.position("cursor"), query.number("before", 0, 1, 10**15) or None
    return HistoryQuery(
        after=query.position("after") if newest_first else _after(request),
        before=cursor or before if newest_first else before,
        newest_first=newest_first,
        step=query.text("step") or "",
        token=query.text("token") or "",
        event=query.text("event") or "",
        failed=query.flag("failed"),
        find=query.text("find") or "",
        limit=query.limit(),
    )


def _entries(request: Request, name: str, found: HistoryPage, *, is_filtered: bool = False) -> Response:
    """Return a page of a history. An entry that is too large for a response has no values and `cut`."""
    is_short = request.query.choice("values", ("short",)) is not None
    values = (ShortValues if is_short else Values)(name, found.large)
    items = []
    for one in found.entries:
        shown = pages.item(presenters.entry(one, values), str(one.seq))
        if shown.size > pages.MAX_PAGE_BYTES:
            bare = presenters.entry(msgspec.structs.replace(one, data=None, vars={}))
            shown = pages.item({**bare, "cut": True}, str(one.seq))
        items.append(shown)
    made = pages.response(items, None if found.next is None else str(found.next))
    if is_filtered:
        made.headers["x-read"] = str(found.read)
    return made


# ── routes ────────────────────────────────────────────────────────────────────────────────────────────────────────────


_WAIT: Final = Parameter(
    "wait",
    "The maximum number of seconds to wait for an entry.",
    parameters.integer(0, MAX_WAIT_S, default=DEFAULT_WAIT_S),
)
_HISTORY: Final = (
    Parameter("order", "`desc`: newest first.", {"type": "string", "enum": ["asc", "desc", ""]}),
    Parameter("before", "Return entries with a `seq` less than this.", parameters.integer(1, 10**15)),
    Parameter("step", "Return entries about this step: those that leave it and those that enter it."),
    Parameter("token", "Return entries of the token with this id, for example `0.17` for an item."),
    Parameter("event", "Return entries with this event."),
    Parameter("failed", "Return only entries with an error.", {"type": "boolean", "default": False}),
    Parameter(
        "find",
        "Return entries with this text in their event, steps, state, error, token or author, in any case of letters.",
    ),
)
ROUTES: Final = (
    Route(
        method="GET",
        path="/flowrun/{name}/history",
        view=history,
        group="runs",
        role=Role.VIEWER,
        query=(parameters.AFTER, parameters.SEQ_CURSOR, parameters.LIMIT, *_HISTORY, parameters.VALUES),
        answers={200: list[responses.Entry]},
        errors=(404,),
        paged=True,
        headers=("x-read",),
        example="its history",
    ),
    Route(
        method="GET",
        path="/flowrun/{name}/watch",
        view=watch,
        group="runs",
        role=Role.VIEWER,
        query=(parameters.AFTER, parameters.SEQ_CURSOR, _WAIT, parameters.LIMIT, parameters.VALUES),
        answers={200: list[responses.Entry]},
        errors=(404,),
        paged=True,
    ),
)
