"""Calls that list and count runs."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import Final

from chalicelib.entrypoints.http import pages, parameters, presenters, responses, shown_runs
from chalicelib.entrypoints.http.pages import Item
from chalicelib.entrypoints.http.parameters import FULL, SUMMARY, Parameter
from chalicelib.entrypoints.http.request import Request
from chalicelib.entrypoints.http.route import Route
from chalicelib.model.json_values import Json
from chalicelib.model.run import Run
from chalicelib.service.errors import NotFound
from chalicelib.service.ports.runs import RunQuery
from chalicelib.service.security.roles import Role

SMALL_LIST_BYTES: Final = 1024 * 1024
"""How large a list of runs in their whole shape is by default; larger ones are in brief."""


def list_runs(request: Request) -> Json:
    """List runs, newest first.

    `view=summary` lists them in brief, `view=full` in their whole shape. By default they have their whole shape as long
    as the response is small, and are in brief otherwise. A page ends before the response is too large.
    """
    query, shape, reader = request.query.runs(), request.query.choice("view", (SUMMARY, FULL)), request.services.reader
    name = request.query.text("metadata.name")
    if name is not None:
        return _one(request, name, query, shape)
    listing = reader.listing(request.namespace, query)

    def items(show: Callable[[Run], Json]) -> Iterable[Item]:
        return (pages.item(show(run), reader.cursor_after(request.namespace, query, run)) for run in listing.runs)

    small = None
    if shape is None:
        small = pages.within(items(partial(shown_runs.listed, reader)), SMALL_LIST_BYTES)
    if small is not None or shape == FULL:
        made = pages.response(small or items(partial(shown_runs.listed, reader)), listing.cursor)
    else:
        brief = partial(presenters.summary, is_cut=shape is None)
        made = pages.response(items(brief), listing.cursor)
    is_all = query.cursor is None and "x-next-cursor" not in made.headers
    total = len(listing.runs) if is_all else listing.total
    if total is not None:
        made.headers["x-total-approx"] = str(total)
    return made


def _one(request: Request, name: str, query: RunQuery, shape: str | None) -> Json:
    """Return a list of the run with this name, or an empty one if there is none or if it does not match."""
    reader = request.services.reader
    try:
        reader.named(request.namespace, name, query)
        return [shown_runs.named(reader, request.namespace, name, shape)]
    except NotFound:
        return []


def count_runs(request: Request) -> Json:
    """Count runs, by status.

    `more` says that there are more than were counted: at most 10,000 of each status are, and fewer where a filter needs
    each run to be looked at.
    """
    request.query.choice("group", ("status",))
    counts = request.services.reader.count(request.namespace, request.query.runs())
    return {"counts": {str(status): number for status, number in counts.by_status.items()}, "more": counts.more}


ROUTES: Final = (
    Route(
        method="GET",
        path="/flowrun",
        view=list_runs,
        group="runs",
        role=Role.VIEWER,
        query=(*parameters.RUNS, parameters.VIEW),
        answers={200: list[responses.ListedRun]},
        paged=True,
        headers=("x-total-approx",),
    ),
    Route(
        method="GET",
        path="/flowrun/count",
        view=count_runs,
        group="runs",
        role=Role.VIEWER,
        query=(*parameters.FILTERS, Parameter("group", "By what.", {"type": "string", "enum": ["status", ""]})),
        answers={200: responses.RunCounts},
    ),
)
