"""`GET /watch`: changes as server-sent events (WHATWG HTML, section 9.2), in answers that end by themselves.

An `EventSource` that was answered comes again after `retry` milliseconds with the last `id` it saw, so a stream in
pieces is a stream. Ids are moments in milliseconds, the same for every kind of resource; a piece tells of moments
that have passed completely, so that nothing which is written within the moment of an id is missed.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias

from chalicelib.entrypoints.http import presenters
from chalicelib.entrypoints.http.adapter import Answer, Request, encoded
from chalicelib.hosting import Services
from chalicelib.model.json_values import Json
from chalicelib.model.times import Instant
from chalicelib.service.errors import Malformed
from chalicelib.service.ports.definitions import Kind

WAIT: Final = 20_000
"""How long a request waits for something new, in milliseconds."""

PAUSE: Final = 250
LOOKED_THROUGH: Final = 1_000
"""How many of a namespace's definitions, and of its newest events, are looked through for changes."""

IN_SECONDS: Final = 100_000_000_000
"""echoer's versions are seconds since 1970; a number below this one is taken for such."""


@dataclass(frozen=True, slots=True)
class Change:
    """A resource as it was after a change, and when that was."""

    at: Instant
    resource: Json


def watch(request: Request) -> Answer:
    """The changes since a version, as soon as there are any, as server-sent events."""
    clock = request.services.adapters.clock
    wanted = _wanted(request, clock.now())
    give_up_at = clock.now() + WAIT
    while True:
        now = clock.now()
        changes = sorted(_changes(request.services, request.namespace, wanted, now), key=lambda change: change.at)
        if changes or now >= give_up_at:
            return _stream(changes, changes[-1].at if changes else min(wanted.values()))
        clock.sleep(min(PAUSE, give_up_at - now))


def _stream(changes: list[Change], position: Instant) -> Answer:
    events = [f"id: {change.at}\ndata: {encoded(change.resource)}\n\n" for change in changes]
    text = "retry: 500\n\n" + ("".join(events) or f"id: {position}\n\n")
    return Answer(text, headers={"Content-Type": "text/event-stream", "Cache-Control": "no-store"})


# ── what is asked for ────────────────────────────────────────────────────────────────────────────────────────────────


def _wanted(request: Request, now: Instant) -> Mapping[str, Instant]:
    """Resource -> the moment after which its changes are asked for; now, where nothing is said.

    `?resource=flowrun&version=N`, or echoer's `?resource=action?version=N&resource=flow?version=M`. What an
    EventSource saw last counts more than what its URL says.
    """
    version = request.query.text("version")
    seen = request.headers.get("last-event-id") or request.query.text("lastEventId")
    wanted: dict[str, Instant] = {}
    for text in request.query.all("resource"):
        kind, _, own = text.partition("?version=")
        if kind not in SOURCES:
            raise Malformed(f"`resource` must be among {', '.join(SOURCES)}, not {kind!r:.60}")
        said = own or version
        after = _moment(said) if said else now
        wanted[kind] = max(after, _moment(seen)) if seen and said else _moment(seen) if seen else after
    if not wanted:
        raise Malformed(f"`resource` is missing: one of {', '.join(SOURCES)}")
    return wanted


def _moment(text: str) -> Instant:
    if not re.fullmatch(r"[0-9]{1,16}", text):
        raise Malformed(f"a version must be a whole number, not {text!r:.60}")
    number = int(text)
    return number * 1000 if number < IN_SECONDS else number


# ── where changes come from ──────────────────────────────────────────────────────────────────────────────────────────


Source: TypeAlias = Callable[[Services, str, Instant], Iterator[Change]]
"""`source(services, namespace, after)`: at least everything that changed after that moment."""


def _changes(services: Services, namespace: str, wanted: Mapping[str, Instant], now: Instant) -> Iterator[Change]:
    """Everything that changed after the moments that are `wanted`, and before `now`."""
    for kind, after in wanted.items():
        for change in SOURCES[kind](services, namespace, after):
            if after < change.at < now:
                yield change


def _runs(services: Services, namespace: str, after: Instant) -> Iterator[Change]:
    return (Change(view.run.updated_at, presenters.run(view)) for view in services.reader.changes(namespace, after))


def _steps(services: Services, namespace: str, after: Instant) -> Iterator[Change]:
    views = services.reader.changes(namespace, after)
    return (Change(view.run.updated_at, step) for view in views for step in presenters.current_steps(view))


def _definitions(kind: Kind) -> Source:
    def changes(services: Services, namespace: str, _: Instant) -> Iterator[Change]:
        found = services.reader.definitions(namespace, kind, LOOKED_THROUGH, "")
        return (Change(one.created_at, presenters.definition(namespace, one)) for one in found)

    return changes


def _signals(services: Services, namespace: str, _: Instant) -> Iterator[Change]:
    found = services.reader.signals(namespace, LOOKED_THROUGH)
    return (Change(one.at, presenters.signal(namespace, one)) for one in found)


SOURCES: Final[dict[str, Source]] = {
    "action": _definitions(Kind.ACTION),
    "flow": _definitions(Kind.FLOW),
    "flowrun": _runs,
    "step": _steps,
    "event": _signals,
}
