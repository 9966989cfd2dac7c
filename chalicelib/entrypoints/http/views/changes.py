"""The sources of changes for `GET /watch`: runs, steps, definitions and events.

A source keeps hardly more than the heads of what changed; what a response shows is read when it is shown.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Final, TypeAlias

import msgspec

from chalicelib.entrypoints.http import presenters, shown_runs
from chalicelib.entrypoints.http.parameters import FULL, SUMMARY
from chalicelib.entrypoints.http.request import Request
from chalicelib.model.json_values import Json
from chalicelib.model.run import Run
from chalicelib.model.times import Instant
from chalicelib.service.ports.definitions import Definition, Kind
from chalicelib.service.ports.events import Signal
from chalicelib.service.runs.read import Reader

SEARCHED_RESOURCES: Final = 1_000
"""How many of a namespace's definitions, and of its newest events, are searched for changes."""


class Change(msgspec.Struct, frozen=True):
    """A change: its time, and functions that return the resources as they are after it, whole or in brief."""

    at: Instant
    show: Callable[[], Sequence[Json]]
    brief: Callable[[], Sequence[Json]]


Source: TypeAlias = Callable[[Request, Instant], Iterator[Change]]
"""`source(request, after)` yields every change after that time, and possibly earlier ones."""


def shape_of(request: Request) -> str | None:
    """Return how runs are shown. Raises Malformed."""
    return request.query.choice("view", (SUMMARY, FULL))


def _runs(request: Request, after: Instant) -> Iterator[Change]:
    reader, shape = request.services.reader, shape_of(request)
    for run in reader.changes(request.namespace, after):
        brief = partial(_brief, run, is_cut=shape != SUMMARY)
        yield Change(run.updated_at, brief if shape == SUMMARY else partial(_whole, reader, run), brief)


def _whole(reader: Reader, run: Run) -> Sequence[Json]:
    return [shown_runs.listed(reader, run)]


def _brief(run: Run, *, is_cut: bool) -> Sequence[Json]:
    return [presenters.summary(run, is_cut=is_cut)]


def _steps(request: Request, after: Instant) -> Iterator[Change]:
    reader = request.services.reader
    for run in reader.changes(request.namespace, after):
        show, brief = partial(_changed_steps, reader, run, after), partial(_bare_steps, reader, run, after)
        yield Change(run.updated_at, show, brief)


def _changed_steps(reader: Reader, run: Run, after: Instant) -> Sequence[Json]:
    view = reader.list_view(run)
    return [] if view is None else presenters.changed_steps(view, after)


def _bare_steps(reader: Reader, run: Run, after: Instant) -> Sequence[Json]:
    return [presenters.without_values(one) for one in presenters.changed_steps(reader.outline(run), after)]


def _definitions(kind: Kind) -> Source:
    def changes(request: Request, _: Instant) -> Iterator[Change]:
        for one in request.services.reader.definitions(request.namespace, kind, SEARCHED_RESOURCES, ""):
            show = partial(_definition, request.namespace, one)
            yield Change(one.created_at, show, show)

    return changes


def _definition(namespace: str, found: Definition) -> Sequence[Json]:
    return [presenters.definition(namespace, found)]


def _signals(request: Request, after: Instant) -> Iterator[Change]:
    """Yield the newest events. Only those of the first page, a few megabytes, are kept with their data."""
    reader = request.services.reader
    found, before = reader.signal_page(request.namespace, SEARCHED_RESOURCES)
    read, has_data = len(found), True
    while True:
        for one in found:
            if one.at <= after:
                return
            brief = partial(_signal, request.namespace, msgspec.structs.replace(one, data=None))
            yield Change(one.at, partial(_signal, request.namespace, one) if has_data else brief, brief)
        if before is None or read >= SEARCHED_RESOURCES:
            return
        found, before = reader.signal_page(request.namespace, SEARCHED_RESOURCES - read, before)
        read, has_data = read + len(found), False


def _signal(namespace: str, found: Signal) -> Sequence[Json]:
    return [presenters.signal(namespace, found)]


SOURCES: Final[dict[str, Source]] = {
    "action": _definitions(Kind.ACTION),
    "flow": _definitions(Kind.FLOW),
    "flowrun": _runs,
    "step": _steps,
    "event": _signals,
}
