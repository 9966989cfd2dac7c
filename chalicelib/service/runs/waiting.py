"""Runs that wait for an event: live runs, of which the tokens and the definition are looked at."""

from __future__ import annotations

from typing import Final

from msgspec.structs import replace

from chalicelib.model.flow import EventStep, walk
from chalicelib.model.run import Run
from chalicelib.model.status import LIVE
from chalicelib.service.definitions.cache import DefinitionCache
from chalicelib.service.ports.cursors import cursor_at
from chalicelib.service.ports.runs import Listing, RunQuery, position_in
from chalicelib.service.runs.offloading import OffloadingRunStore

MAX_WAITING_READ: Final = 1_000
"""How many live runs one request looks at for those that wait for an event."""

_READ_AT_ONCE: Final = 100


def waiting_runs(
    runs: OffloadingRunStore, definitions: DefinitionCache, namespace: str, query: RunQuery, event: str
) -> Listing:
    """Return the runs that match and wait for the event. At most MAX_WAITING_READ runs are looked at."""
    statuses = LIVE if query.statuses is None else query.statuses & LIVE
    asked = replace(query, statuses=statuses, limit=_READ_AT_ONCE)
    found: list[Run] = []
    for _ in range(MAX_WAITING_READ // _READ_AT_ONCE):
        listing = runs.stored(namespace, asked)
        for run in listing.runs:
            if len(found) == query.limit:
                return Listing(tuple(found), cursor_at(namespace, position_in(query, found[-1])))
            if waits_for(runs, definitions, run, event):
                found.append(run)
        asked = replace(asked, cursor=listing.cursor)
        if listing.cursor is None:
            break
    return Listing(tuple(found), asked.cursor)


def waits_for(runs: OffloadingRunStore, definitions: DefinitionCache, stored: Run, event: str) -> bool:
    """Return whether a token of the run waits for an event of this name. `stored` is its head as it is stored."""
    if stored.status not in LIVE:
        return False
    run = runs.whole(stored)
    waiting = {token.step for token in run.tokens if token.activation}
    return any(
        isinstance(step, EventStep) and step.name in waiting and event in step.events.values()
        for step in walk(definitions.of(run).flow.steps)
    )
