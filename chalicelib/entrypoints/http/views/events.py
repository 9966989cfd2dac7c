"""Calls that publish and list events, which runs wait for."""

from __future__ import annotations

from typing import Final

from chalicelib.entrypoints.http import bodies, parameters, presenters, responses
from chalicelib.entrypoints.http.bodies import EchoerEventBody, RunSignalBody, SignalBody
from chalicelib.entrypoints.http.request import Request
from chalicelib.entrypoints.http.route import Route
from chalicelib.model.json_values import Json
from chalicelib.service.security.roles import Role


def publish(request: Request) -> Json:
    """Publish an event for all runs. Every run that waits for its name and key receives it.

    The event is stored until its `ttl` ends, so runs that start to wait later receive it as well. A body with
    `metadata` and without `name` is an event in the form of the original echoer.
    """
    body = bodies.event_of(request.body)
    signal = request.services.signaler.publish(
        request.namespace, body.name, key=body.key_text(), data=body.data, ttl=body.lifetime_ms()
    )
    return presenters.signal(request.namespace, signal)


def signal_run(request: Request, name: str) -> Json:
    """Send an event to one run. If the run does not wait for it yet, it is stored until the run does."""
    body = bodies.read(request.body, RunSignalBody)
    run = request.services.reader.run(request.namespace, name)
    signal = request.services.signaler.signal(request.namespace, run, body.name, data=body.data)
    return presenters.signal(request.namespace, signal)


def list_signals(request: Request) -> Json:
    """List the events that have not expired, newest first."""
    name = request.query.text("metadata.name")
    found = request.services.reader.signals(request.namespace, request.query.limit())
    return [presenters.signal(request.namespace, signal) for signal in found if name in (None, signal.name)]


ROUTES: Final = (
    Route(
        method="POST",
        path="/flowrun/{name}/signal",
        view=signal_run,
        group="runs",
        role=Role.OPERATOR,
        body=RunSignalBody,
        answers={200: responses.Event},
        errors=(404, 409, 413),
    ),
    Route(
        method="POST",
        path="/event",
        view=publish,
        group="events",
        role=Role.OPERATOR,
        body=SignalBody,
        other_body=EchoerEventBody,
        answers={200: responses.Event},
        errors=(413, 422),
    ),
    Route(
        method="GET",
        path="/event",
        view=list_signals,
        group="events",
        role=Role.VIEWER,
        query=(parameters.NAME, parameters.LIMIT),
        answers={200: list[responses.Event]},
    ),
)
