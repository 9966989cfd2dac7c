"""Views of events: what somebody publishes for runs to wait for."""

from __future__ import annotations

from chalicelib.definition import Json
from chalicelib.entrypoints import present, requests
from chalicelib.entrypoints.door import Request
from chalicelib.entrypoints.requests import RunSignalBody, SignalBody


def publish(request: Request) -> Json:
    """The event is kept for as long as it says, and every run that waits for it takes it."""
    body = requests.read(request.body, SignalBody)
    signaler = request.services.signaler
    signal = signaler.publish(request.namespace, body.name, key=body.key_text(), data=body.data, ttl=body.lifetime())
    return present.signal(request.namespace, signal)


def signal_run(request: Request, name: str) -> Json:
    """The event is kept for this run alone, which takes it at once if it waits for one of that name."""
    body = requests.read(request.body, RunSignalBody)
    run = request.services.reader.run(request.namespace, name)
    signal = request.services.signaler.signal(request.namespace, run, body.name, data=body.data)
    return present.signal(request.namespace, signal)


def list_signals(request: Request) -> Json:
    """The events that have not expired, newest first."""
    name = request.query.text("metadata.name")
    found = request.services.reader.signals(request.namespace, request.query.limit())
    return [present.signal(request.namespace, signal) for signal in found if name in (None, signal.name)]
