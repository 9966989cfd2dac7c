"""Calls that publish and list events, which runs wait for."""

from __future__ import annotations

from typing import Final

import msgspec

from chalicelib.entrypoints.http import bodies, pages, parameters, presenters, reading, responses
from chalicelib.entrypoints.http.bodies import EchoerEventBody, RunSignalBody, SignalBody
from chalicelib.entrypoints.http.cloud_events import STRUCTURED, CloudEvent, cloud_event_in
from chalicelib.entrypoints.http.parameters import Parameter
from chalicelib.entrypoints.http.request import Request
from chalicelib.entrypoints.http.responses.events import EventReply
from chalicelib.entrypoints.http.route import Route
from chalicelib.model.json_values import Json
from chalicelib.service.ports.cursors import cursor_at, position_at
from chalicelib.service.ports.events import Signal
from chalicelib.service.security.roles import Role


def publish(request: Request) -> Json:
    """Publish an event for all runs. Every run that waits for its name and key receives it.

    The event is stored until its `ttl` ends, so runs that start to wait later receive it as well. If the namespace
    declares the event (`event NAME ... event_end`), its data must fit. A body with `metadata` and without `name` is an
    event in the form of the original echoer. CloudEvents 1.0 are accepted in binary mode (headers `ce-type`, `ce-id`,
    `ce-source`, `ce-specversion` and `ce-subject`) and in structured mode: `type` is the name, `subject` the key.

    With `dry_run=true` nothing is published: the response counts the runs that the event would wake, and names the
    first 100.
    """
    body = cloud_event_in(request.headers, request.body) or bodies.event_of(request.body)
    if request.query.flag("dry_run"):
        body.lifetime_ms()  # refuses what would be refused
        runs = request.services.signaler.waiting_runs(request.namespace, body.name, key=body.key_text(), data=body.data)
        return {"would_wake": len(runs), "runs": list(runs[: presenters.MAX_WOKEN_NAMES])}
    published = request.services.signaler.publish(
        request.namespace, body.name, key=body.key_text(), data=body.data, ttl=body.lifetime_ms(), event_id=body.id
    )
    return presenters.published(request.namespace, published)


def signal_run(request: Request, name: str) -> Json:
    """Send an event to one run. If the run does not wait for it yet, it is stored until the run does."""
    body = reading.read(request.body, RunSignalBody)
    run = request.services.reader.run(request.namespace, name)
    signal = request.services.signaler.signal(request.namespace, run, body.name, data=body.data)
    return presenters.signal(request.namespace, signal)


def list_signals(request: Request) -> Json:
    """List the events that have not expired, newest first.

    A page ends before the response is too large. An event that is too large by itself has no data.
    """
    name, cursor = request.query.text("metadata.name"), request.query.text("cursor")
    before = position_at(request.namespace, cursor) if cursor else None
    found, after = request.services.reader.signal_page(request.namespace, request.query.limit(), before)
    items = (_item(request.namespace, signal) for signal in found if name in (None, signal.name))
    return pages.response(items, cursor_at(request.namespace, after) if after else None)


def _item(namespace: str, signal: Signal) -> pages.Item:
    cursor = cursor_at(namespace, (signal.at, signal.id))
    shown = pages.item(presenters.signal(namespace, signal), cursor)
    if shown.size > pages.MAX_PAGE_BYTES:
        shown = pages.item(presenters.signal(namespace, msgspec.structs.replace(signal, data=None)), cursor)
    return shown


ROUTES: Final = (
    Route(
        method="POST",
        path="/flowrun/{name}/signal",
        view=signal_run,
        group="runs",
        role=Role.OPERATOR,
        body=RunSignalBody,
        answers={200: responses.Event},
        errors=(404, 409, 413, 422),
    ),
    Route(
        method="POST",
        path="/event",
        view=publish,
        group="events",
        role=Role.OPERATOR,
        body=SignalBody,
        other_body=EchoerEventBody,
        media_bodies={STRUCTURED: CloudEvent},
        query=(
            Parameter(
                "dry_run",
                "Show which runs the event would wake, without publishing it.",
                {"type": "boolean", "default": False},
            ),
        ),
        answers={200: EventReply},
        errors=(409, 413, 422),
    ),
    Route(
        method="GET",
        path="/event",
        view=list_signals,
        group="events",
        role=Role.VIEWER,
        query=(parameters.NAME, parameters.LIMIT, parameters.CURSOR),
        answers={200: list[responses.Event]},
        paged=True,
    ),
)
