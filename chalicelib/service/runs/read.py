"""Read runs with their history, definitions and published events, and wait for changes of a run."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import islice
from typing import Final

from chalicelib.model import definition
from chalicelib.model.history import Entry
from chalicelib.model.run import Run
from chalicelib.model.status import LIVE
from chalicelib.model.times import Instant
from chalicelib.service.definitions.cache import DefinitionCache
from chalicelib.service.errors import NotFound
from chalicelib.service.ports.clock import Clock
from chalicelib.service.ports.definitions import Definition, Kind
from chalicelib.service.ports.events import Signal
from chalicelib.service.ports.runs import Listing, RunQuery, RunStore
from chalicelib.service.ports.store import Store

MAX_VIEWED_ENTRIES: Final = 1_000
"""How many of a run's newest history entries are read to show the last result of each step."""

MAX_CHANGED_RUNS: Final = 1_000
"""How many changed runs one call returns."""

MAX_WATCH_MS: Final = 25_000
"""How long a request may wait for changes. API Gateway ends a request after 29 s."""

WATCH_PAUSES_MS: Final = (10, 20, 40, 80, 160, 320)
"""Pauses between reads while waiting; the last one repeats."""


@dataclass(frozen=True, slots=True)
class RunView:
    """A run with what is needed to show it."""

    run: Run
    definition: definition.Definition
    entries: tuple[Entry, ...]


class Reader:
    """Reads runs, definitions and events."""

    def __init__(
        self,
        store: Store,
        runs: RunStore,
        definition_cache: DefinitionCache,
        clock: Clock,
        pause: Callable[[int], bool] | None = None,
    ) -> None:
        self._store = store
        self._runs = runs
        self._definition_cache = definition_cache
        self._clock = clock
        self._pause = pause

    # ── runs ─────────────────────────────────────────────────────────────────────────────────────────────────────────

    def run(self, namespace: str, name: str) -> Run:
        """Return the head. Raises NotFound."""
        run = self._runs.load(namespace, name)
        if run is None:
            raise NotFound("flow_run", name)
        return run

    def view(self, namespace: str, name: str) -> RunView:
        """Return the run with its newest MAX_VIEWED_ENTRIES history entries. Raises NotFound."""
        run = self.run(namespace, name)
        entries = self._entries(run, max(0, run.seq - MAX_VIEWED_ENTRIES))
        return RunView(run, self._definition_cache.of(run), tuple(entries))

    def views(self, namespace: str, query: RunQuery) -> tuple[tuple[RunView, ...], str | None]:
        """Return runs, newest first, each with the tail of its history, and the cursor of the next page."""
        listing: Listing = self._runs.list(namespace, query)
        return tuple(self._summary(run) for run in listing.runs), listing.cursor

    def changes(self, namespace: str, since: Instant) -> tuple[RunView, ...]:
        """Return runs that changed at `since` or later: their status did, or they are live and advanced."""
        found = {run.id: run for run in self._runs.changed(namespace, since, MAX_CHANGED_RUNS)}
        live = self._runs.list(namespace, RunQuery(statuses=LIVE, limit=MAX_CHANGED_RUNS)).runs
        found.update({run.id: run for run in live if run.updated_at >= since})
        return tuple(self._summary(run) for run in found.values())

    def _summary(self, run: Run) -> RunView:
        """Return the run with its tail, or with older entries if its head does not have the states of older steps."""
        is_complete = run.paged_steps is not None or not run.tail or run.tail[0].seq == 1
        entries = run.tail if is_complete else tuple(self._entries(run, max(0, run.seq - MAX_VIEWED_ENTRIES)))
        return RunView(run, self._definition_cache.of(run), entries)

    def history(self, namespace: str, name: str, after: int, limit: int) -> tuple[Entry, ...]:
        """Return at most `limit` entries with numbers above `after`, oldest first. Raises NotFound."""
        return tuple(islice(self._entries(self.run(namespace, name), after), limit))

    def watch(self, namespace: str, name: str, after: int, limit: int, wait: int) -> tuple[Entry, ...]:
        """Return the same as soon as there is an entry, or nothing after `wait` milliseconds at the latest."""
        give_up_at = self._clock.now() + min(wait, MAX_WATCH_MS)
        for pause in _pauses():
            run = self.run(namespace, name)
            left = give_up_at - self._clock.now()
            if run.seq > after or left <= 0 or not self.pause(min(pause, left)):
                return tuple(islice(self._entries(run, after), limit))
        raise AssertionError("the pauses never end")

    def pause(self, milliseconds: int) -> bool:
        """Sleep while a request waits for a change, and return whether it may go on waiting."""
        if self._pause is not None:
            return self._pause(milliseconds)
        self._clock.sleep(milliseconds)
        return True

    def _entries(self, run: Run, after: int) -> Iterable[Entry]:
        if not run.tail or run.tail[0].seq > after + 1:
            for page in self._runs.pages(run, after):
                yield from (entry for entry in page.entries if entry.seq > after)
        yield from (entry for entry in run.tail if entry.seq > after)

    # ── definitions, events ──────────────────────────────────────────────────────────────────────────────────────────

    def definition(self, namespace: str, kind: Kind, name: str, version: int | None = None) -> Definition:
        """Return the newest version, or the given one. Raises NotFound."""
        if version is None:
            found = self._store.definitions.latest(namespace, kind, [name]).get(name)
        else:
            found = self._store.definitions.version(namespace, kind, name, version)
        if found is None:
            raise NotFound(kind, name if version is None else f"{name} version {version}")
        return found

    def definitions(self, namespace: str, kind: Kind, limit: int, after: str) -> list[Definition]:
        """Return the newest versions, sorted by name, from the first name after `after`."""
        return list(self._store.definitions.list(namespace, kind, limit, after))

    def signals(self, namespace: str, limit: int) -> list[Signal]:
        """Return the events that have not expired, newest first."""
        now = self._clock.now()
        return [signal for signal in self._store.signals.list(namespace, now, limit) if signal.until >= now]


def _pauses() -> Iterable[int]:
    yield from WATCH_PAUSES_MS
    while True:
        yield WATCH_PAUSES_MS[-1]
