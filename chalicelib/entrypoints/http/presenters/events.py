"""Published events as JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from chalicelib.entrypoints.http import echoer_types
from chalicelib.entrypoints.http.presenters.common import metadata, moment

if TYPE_CHECKING:
    from chalicelib.entrypoints.http import responses
    from chalicelib.service.events.publish import Published
    from chalicelib.service.ports.events import Signal

MAX_WOKEN_NAMES: Final = 100
"""How many names of the runs that an event woke a response has."""


def published(namespace: str, found: Published) -> responses.PublishedEvent:
    """Return an event that was just published, with the runs that were notified."""
    woken: responses.Woken = {"count": len(found.woken), "runs": list(found.woken[:MAX_WOKEN_NAMES])}
    return {**signal(namespace, found.signal), "woken": woken}


def signal(namespace: str, found: Signal) -> responses.Event:
    """Return a published event."""
    event_type, message, content = echoer_types.event_fields(found.name, found.data)
    return {
        "metadata": metadata(found.name, "event", namespace, 1, found.id),
        "spec": {
            "name": found.name,
            "key": found.key,
            "data": found.data,
            "run": found.run,
            "by": found.by,
            "at": moment(found.at),
            "expires_at": moment(found.until or found.expires_at),
        },
        "event_type": event_type,
        "message": message,
        "object": content,
    }
