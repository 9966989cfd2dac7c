"""The traffic of a flow: which routes its newest runs took, and at which steps its live runs are.

Runs are read from the list of the flow's runs. The tail of the history is in the head of a run, so that most runs cost
nothing more; older history is read up to a bound that all runs share.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from msgspec.structs import replace

from chalicelib.engine.invocation import UNDO
from chalicelib.model.history import Entry
from chalicelib.model.run import Run
from chalicelib.model.status import LIVE
from chalicelib.service.ports.runs import RunQuery
from chalicelib.service.runs.entries import MAX_READ_ENTRIES
from chalicelib.service.runs.offloading import OffloadingRunStore

MAX_TRAFFIC_RUNS: Final = 1_000
"""How many runs one request reads at most, to count each of both."""

_AT_ONCE: Final = 100
_MAX_PAGES: Final = 40
"""How many pages of a list are read at most: a filter by version may leave most of their runs out."""


@dataclass(frozen=True, slots=True)
class Traffic:
    """What `runs` runs did. `more`: there are more runs. `partial`: how many have older history that was not read."""

    steps: Mapping[str, int] = field(default_factory=dict)
    """How often each step was left."""
    moves: Mapping[tuple[str, str, str], int] = field(default_factory=dict)
    """How often each step led with each state to each target."""
    routes: Mapping[tuple[str, str, str, int], int] = field(default_factory=dict)
    """How often each route was taken: (step, state, target, which of the routes with that state and target)."""
    there: Mapping[str, int] = field(default_factory=dict)
    """How many tokens are at each step."""
    runs: int = 0
    more: bool = False
    partial: int = 0


class TrafficReader:
    """Counts what runs of a flow did."""

    def __init__(self, runs: OffloadingRunStore) -> None:
        self._runs = runs

    def taken(self, namespace: str, flow: str, version: int | None, limit: int) -> Traffic:
        """Return what the newest `limit` runs of the flow did; of one version, if it is given."""
        routes: Counter[tuple[str, str, str, int]] = Counter()
        there: Counter[str] = Counter()
        room, partial = MAX_READ_ENTRIES, 0
        runs, more = self._listed(namespace, RunQuery(flow=flow, version=version), limit)
        for run in runs:
            older = _older(run)
            partial += older > room
            if 0 < older <= room:
                room -= older
                routes.update(_routes(self._older_entries(run)))
            routes.update(_routes(run.tail))
            there.update(token.step for token in run.tokens if token.id != UNDO)
        steps: Counter[str] = Counter()
        moves: Counter[tuple[str, str, str]] = Counter()
        for (step, state, target, _), times in routes.items():
            steps[step] += times
            moves[step, state, target] += times
        return Traffic(steps, moves, routes, there, len(runs), more, partial)

    def live(self, namespace: str, flow: str, version: int | None, limit: int) -> Traffic:
        """Return where the tokens of the newest `limit` live runs of the flow are."""
        there: Counter[str] = Counter()
        runs, more = self._listed(namespace, RunQuery(flow=flow, version=version, statuses=LIVE), limit)
        for run in runs:
            there.update(token.step for token in run.tokens if token.id != UNDO)
        return Traffic(there=there, runs=len(runs), more=more)

    def _listed(self, namespace: str, query: RunQuery, limit: int) -> tuple[list[Run], bool]:
        """Return the newest runs that match, with their tokens and tails, and whether there may be more."""
        found: list[Run] = []
        query = replace(query, limit=min(limit, _AT_ONCE))
        for _ in range(_MAX_PAGES):
            listing = self._runs.stored(namespace, query)
            found += map(self._runs.whole, listing.runs)
            if listing.cursor is None or len(found) >= limit:
                return found[:limit], listing.cursor is not None or len(found) > limit
            query = replace(query, cursor=listing.cursor)
        return found, True

    def _older_entries(self, run: Run) -> Iterator[Entry]:
        first = run.tail[0].seq if run.tail else run.seq + 1
        for page in self._runs.stored_pages(run, 0):
            yield from (entry for entry in page.entries if entry.seq < first)


def _older(run: Run) -> int:
    """Return how many entries of the history are not in the head."""
    return run.tail[0].seq - 1 if run.tail else run.seq


def _routes(entries: Iterable[Entry]) -> Iterator[tuple[str, str, str, int]]:
    """Yield the route that each entry says was taken."""
    for entry in entries:
        if entry.token != UNDO and entry.is_return:
            yield entry.step, entry.state, entry.target, entry.route
