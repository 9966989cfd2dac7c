"""`GET /watch`: changes as server-sent events (WHATWG HTML, section 9.2), in responses that end by themselves.

An `EventSource` connects again after `retry` milliseconds and sends the last `id` that it received, so a sequence of
short responses works as one stream. Ids are times in milliseconds, the same for every kind of resource. A response
only covers milliseconds that have passed completely, so that no change within the millisecond of an id is missed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from itertools import chain, repeat
from typing import Final

from chalicelib.entrypoints.http import pages, parameters
from chalicelib.entrypoints.http.parameters import Parameter, integer
from chalicelib.entrypoints.http.request import Request, Response
from chalicelib.entrypoints.http.route import Route
from chalicelib.entrypoints.http.views.changes import SOURCES, Change, shape_of
from chalicelib.model.json_values import Json
from chalicelib.model.times import Instant
from chalicelib.service.errors import Malformed
from chalicelib.service.security.roles import Role

WAIT_MS: Final = 20_000
"""How long a request waits for a change."""

WHOLE_BYTES: Final = 4_000_000
"""How many bytes of a response have changes in their whole shape."""

MIN_WHOLE_BYTES: Final = 1_000_000
"""The last change of a response may have so many bytes, whatever room is left."""

PAUSES_MS: Final = (250, 250, 500, 1_000, 2_000)
"""Pauses between looks for changes while there are none; the last one repeats. A look reads every live run."""

RECONNECT_MS: Final = 500
LATE_RECONNECT_MS: Final = 5_000
"""The pause before a client connects again whose wait the host has ended early."""

MAX_SECONDS: Final = 100_000_000_000
"""A version below this is in seconds since 1970, as in the original echoer; otherwise it is in milliseconds."""


def watch(request: Request) -> Response:
    """Stream the changes since a version as server-sent events."""
    clock = request.services.adapters.clock
    positions = _positions(request, clock.now())
    deadline = clock.now() + WAIT_MS
    for pause in chain(PAUSES_MS, repeat(PAUSES_MS[-1])):
        now = clock.now()
        changes = sorted(_changes(request, positions, now), key=lambda change: change.at)
        if changes or now >= deadline:
            return _stream(changes, min(positions.values()))
        if not request.services.reader.pause(min(pause, deadline - now)):
            return _stream([], min(positions.values()), LATE_RECONNECT_MS)
    raise AssertionError("the pauses never end")


def _stream(changes: list[Change], position: Instant, reconnect: int = RECONNECT_MS) -> Response:
    """Return the first changes that fit into a response. Those at the time of the last one are all among them, because
    the next request asks for later ones; where room is scarce they are in brief."""
    events: list[str] = []
    room, last = WHOLE_BYTES, None
    for change in changes:
        if room < 0 and change.at != last:
            break
        shown = [pages.item(one, "") for one in change.show()] if room >= 0 else []
        if not shown or sum(item.size for item in shown) > max(room, MIN_WHOLE_BYTES):
            shown = [pages.item(one, "") for one in change.brief()]
        last, room = change.at, room - sum(item.size for item in shown)
        events += (f"id: {change.at}\ndata: {item.text.decode()}\n\n" for item in shown)
    text = f"retry: {reconnect}\n\n" + ("".join(events) or f"id: {last or position}\n\n")
    return Response(text, headers={"Content-Type": "text/event-stream", "Cache-Control": "no-store"})


# ── the request ──────────────────────────────────────────────────────────────────────────────────────────────────────


def _positions(request: Request, now: Instant) -> Mapping[str, Instant]:
    """Return, for each resource, the time after which changes are requested. It defaults to now.

    The query is `?resource=flowrun&version=N` or, as in the original echoer,
    `?resource=action?version=N&resource=flow?version=M`.
    The last event id of an EventSource takes precedence over the URL, because the URL stays the same.
    """
    version, _ = request.query.text("version"), shape_of(request)
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


def _changes(request: Request, positions: Mapping[str, Instant], now: Instant) -> Iterator[Change]:
    """Yield every change after the positions and before `now`."""
    for kind, after in positions.items():
        for change in SOURCES[kind](request, after):
            if after < change.at < now:
                yield change


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
            parameters.VIEW,
        ),
        media={"text/event-stream": STREAM},
    ),
)
