"""Views of events: what somebody publishes for runs to wait for."""

from __future__ import annotations

from chalicelib.entrypoints.http import bodies, presenters
from chalicelib.entrypoints.http.adapter import Request
from chalicelib.entrypoints.http.bodies import RunSignalBody, SignalBody
from chalicelib.model.json_values import Json


def publish(request: Request) -> Json:
    """The event is kept for as long as it says, and every run that waits for it takes it."""
    body = bodies.read(request.body, SignalBody)
    signaler = request.services.signaler
    signal = signaler.publish(request.namespace, body.name, key=body.key_text(), data=body.data, ttl=body.lifetime())
    return presenters.signal(request.namespace, signal)


def signal_run(request: Request, name: str) -> Json:
    """The event is kept for this run alone, which takes it at once if it waits for one of that name."""
    body = bodies.read(request.body, RunSignalBody)
    run = request.services.reader.run(request.namespace, name)
    signal = request.services.signaler.signal(request.namespace, run, body.name, data=body.data)
    return presenters.signal(request.namespace, signal)


def list_signals(request: Request) -> Json:
    """The events that have not expired, newest first."""
    name = request.query.text("metadata.name")
    found = request.services.reader.signals(request.namespace, request.query.limit())
    return [presenters.signal(request.namespace, signal) for signal in found if name in (None, signal.name)]
