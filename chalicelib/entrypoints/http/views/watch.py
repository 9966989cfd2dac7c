"""`GET /watch`: changes as server-sent events (WHATWG HTML, section 9.2), in responses that end by themselves.

An `EventSource` connects again after `retry` milliseconds and sends the last `id` that it received, so a sequence of
short responses works as one stream. Ids are times in milliseconds, the same for every kind of resource. A response
only covers milliseconds that have passed completely, so that no change within the millisecond of an id is missed.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias

from chalicelib.entrypoints.http import presenters
from chalicelib.entrypoints.http.parameters import Parameter, integer
from chalicelib.entrypoints.http.request import Request, Response, encoded
from chalicelib.entrypoints.http.route import Route
from chalicelib.hosting import Services
from chalicelib.model.json_values import Json
from chalicelib.model.times import Instant
from chalicelib.service.errors import Malformed
from chalicelib.service.ports.definitions import Kind
from chalicelib.service.security.roles import Role

WAIT_MS: Final = 20_000
"""How long a request waits for a change."""

POLL_MS: Final = 250
RECONNECT_MS: Final = 500
LATE_RECONNECT_MS: Final = 5_000
"""The pause before a client asks again that was not let wait."""

SEARCHED_RESOURCES: Final = 1_000
"""How many of a namespace's definitions, and of its newest events, are searched for changes."""

MAX_SECONDS: Final = 100_000_000_000
"""A version below this is in seconds since 1970, as in the original echoer; otherwise it is in milliseconds."""


@dataclass(frozen=True, slots=True)
class Change:
    """A resource after a change, and the time of the change."""

    at: Instant
    resource: Json


def watch(request: Request) -> Response:
    """Stream the changes since a version as server-sent events."""
    clock = request.services.adapters.clock
    positions = _positions(request, clock.now())
    deadline = clock.now() + WAIT_MS
    while True:
        now = clock.now()
        changes = sorted(_changes(request.services, request.namespace, positions, now), key=lambda change: change.at)
        if changes or now >= deadline:
            return _stream(changes, changes[-1].at if changes else min(positions.values()))
        if not request.services.reader.pause(min(POLL_MS, deadline - now)):
            return _stream([], min(positions.values()), LATE_RECONNECT_MS)


def _stream(changes: list[Change], position: Instant, reconnect: int = RECONNECT_MS) -> Response:
    events = [f"id: {change.at}\ndata: {encoded(change.resource)}\n\n" for change in changes]
    text = f"retry: {reconnect}\n\n" + ("".join(events) or f"id: {position}\n\n")
    return Response(text, headers={"Content-Type": "text/event-stream", "Cache-Control": "no-store"})


# ── the request ──────────────────────────────────────────────────────────────────────────────────────────────────────


def _positions(request: Request, now: Instant) -> Mapping[str, Instant]:
    """Return, for each resource, the time after which changes are requested. It defaults to now.

    The query is `?resource=flowrun&version=N` or, as in the original echoer,
    `?resource=action?version=N&resource=flow?version=M`.
    The last event id of an EventSource takes precedence over the URL, because the URL stays the same.
    """
    version = request.query.text("version")
    last_event_id = request.headers.get("last-event-id") or request.query.text("lastEventId")
    positions: dict[str, Instant] = {}
    for text in request.query.all("resource"):
        kind, _, own_version = text.partition("?version=")
        if kind not in SOURCES:
            raise Malformed(f"`resource` must be one of {', '.join(SOURCES)}, not {kind!r:.60}")
        given = [_time(one) for one in (own_version or version, last_event_id) if one]
        positions[kind] = max(given, default=now)
    if not positions:
        raise Malformed(f"`resource` is missing; give one or more of {', '.join(SOURCES)}")
    return positions


def _time(text: str) -> Instant:
    if not re.fullmatch(r"[0-9]{1,16}", text):
        raise Malformed(f"a version must be an integer, not {text!r:.60}")
    number = int(text)
    return number * 1000 if number < MAX_SECONDS else number


# ── sources of changes ───────────────────────────────────────────────────────────────────────────────────────────────


Source: TypeAlias = Callable[[Services, str, Instant], Iterator[Change]]
"""`source(services, namespace, after)` yields every change after that time, and possibly earlier ones."""


def _changes(services: Services, namespace: str, positions: Mapping[str, Instant], now: Instant) -> Iterator[Change]:
    """Yield every change after the positions and before `now`."""
    for kind, after in positions.items():
        for change in SOURCES[kind](services, namespace, after):
            if after < change.at < now:
                yield change


def _runs(services: Services, namespace: str, after: Instant) -> Iterator[Change]:
    return (Change(view.run.updated_at, presenters.run(view)) for view in services.reader.changes(namespace, after))


def _steps(services: Services, namespace: str, after: Instant) -> Iterator[Change]:
    views = services.reader.changes(namespace, after)
    return (Change(view.run.updated_at, step) for view in views for step in presenters.changed_steps(view, after))


def _definitions(kind: Kind) -> Source:
    def changes(services: Services, namespace: str, _: Instant) -> Iterator[Change]:
        found = services.reader.definitions(namespace, kind, SEARCHED_RESOURCES, "")
        return (Change(one.created_at, presenters.definition(namespace, one)) for one in found)

    return changes


def _signals(services: Services, namespace: str, _: Instant) -> Iterator[Change]:
    found = services.reader.signals(namespace, SEARCHED_RESOURCES)
    return (Change(one.at, presenters.signal(namespace, one)) for one in found)


SOURCES: Final[dict[str, Source]] = {
    "action": _definitions(Kind.ACTION),
    "flow": _definitions(Kind.FLOW),
    "flowrun": _runs,
    "step": _steps,
    "event": _signals,
}

STREAM: Final[Json] = {
    "type": "object",
    "description": "An event of the stream. `data` is the resource after the change.",
    "properties": {
        "id": {
            "type": "string",
            "pattern": "^[0-9]+$",
            "description": "The time of the change, for `version`.",
        },
        "data": {"type": "string", "contentMediaType": "application/json"},
        "retry": {"type": "integer"},
    },
}
ROUTES: Final = (
    Route(
        method="GET",
        path="/watch",
        view=watch,
        group="runs",
        role=Role.VIEWER,
        query=(
            Parameter(
                "resource",
                "A kind of resource to watch. Repeat the parameter to watch several.",
                {"type": "array", "minItems": 1, "items": {"type": "string", "enum": [*SOURCES]}},
                required=True,
            ),
            Parameter(
                "version",
                "Return changes after this time, in milliseconds since 1970. It defaults to the time of the request.",
                integer(0, 10**16 - 1),
            ),
            Parameter(
                "lastEventId",
                "The last id that an EventSource received. The header `last-event-id` has the same meaning.",
                integer(0, 10**16 - 1),
            ),
        ),
        media={"text/event-stream": STREAM},
    ),
)
