"""Read runs with their history, definitions and published events, and wait for changes of a run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import islice
from typing import Final

import msgspec
from msgspec.structs import replace

from chalicelib.model import definition
from chalicelib.model.history import Entry
from chalicelib.model.json_values import Json
from chalicelib.model.run import Run
from chalicelib.model.status import ENDED, LIVE
from chalicelib.model.times import Instant, Milliseconds
from chalicelib.service.definitions.cache import DefinitionCache
from chalicelib.service.errors import NotFound, TooLarge
from chalicelib.service.ports.changes import Changes
from chalicelib.service.ports.clock import Clock
from chalicelib.service.ports.cursors import Position, cursor_at
from chalicelib.service.ports.definitions import Definition, Kind
from chalicelib.service.ports.events import Signal
from chalicelib.service.ports.runs import MAX_LISTED_BYTES, Counts, Listing, RunQuery, position_in
from chalicelib.service.ports.store import Store
from chalicelib.service.runs.entries import MAX_READ_ENTRIES, entries_after
from chalicelib.service.runs.history import HistoryPage, HistoryQuery, history_page
from chalicelib.service.runs.large_values import Large, small_values, without_large_values
from chalicelib.service.runs.matching import admits
from chalicelib.service.runs.offloading import OffloadingRunStore
from chalicelib.service.runs.waiting import MAX_WAITING_READ, waiting_runs, waits_for

MAX_VIEWED_ENTRIES: Final = 1_000
"""How many of a run's newest history entries are read to show the last result of each step."""

MAX_CHANGED_RUNS: Final = 1_000
"""How many changed runs one call returns."""

MAX_COUNTED: Final = 10_000
"""How many runs of a status are counted."""

FIRST_SIGNALS: Final = 10
"""How many events are read first, before their size is known."""

MAX_WATCH_MS: Final = 25_000
"""How long a request may wait for changes. API Gateway ends a request after 29 s."""


class RunView(msgspec.Struct, frozen=True):
    """A run with what is needed to show it. `large` describes the values that are references: they are large."""

    run: Run
    definition: definition.Definition
    entries: tuple[Entry, ...]
    large: Mapping[str, Large] = msgspec.field(default_factory=dict)


class Reader:
    """Reads runs, definitions and events."""

    def __init__(
        self, store: Store, runs: OffloadingRunStore, definition_cache: DefinitionCache, changes: Changes, clock: Clock
    ) -> None:
        self._store = store
        self._changes = changes
        self._runs = runs
        self._definition_cache = definition_cache
        self._clock = clock

    # ── runs ─────────────────────────────────────────────────────────────────────────────────────────────────────────

    def run(self, namespace: str, name: str) -> Run:
        """Return the head. Raises NotFound."""
        run = self._runs.load(namespace, name)
        if run is None:
            raise NotFound("flow_run", name)
        return run

    def stored(self, namespace: str, name: str) -> Run:
        """Return the head with all its fields; large single values are references. Raises NotFound."""
        run = self._runs.head(namespace, name)
        if run is None:
            raise NotFound("flow_run", name)
        return run

    def view(self, namespace: str, name: str) -> RunView:
        """Return the run with its newest MAX_VIEWED_ENTRIES history entries. Raises NotFound, TooLarge."""
        run = self.stored(namespace, name)
        view = self._view(run, self._newest_entries(run), with_waits=True)
        if view is None:
            raise TooLarge(f"flow_run {name!r} has too many values to be shown at once: read them one by one")
        return view

    def view_of(self, run: Run) -> RunView:
        """Return the view of a run that a command returned; older entries are read only if its tail has not all."""
        if run.tail and run.tail[0].seq > 1:
            return self.view(run.namespace, run.name)
        return self.view_of_deleted(run)

    def view_of_deleted(self, run: Run) -> RunView:
        """Return the view of a run that is stored no more, with the tail of its history."""
        shown = without_large_values(run)
        return RunView(shown.run, self._definition_cache.of(run), shown.entries, shown.large)

    def cursor_after(self, namespace: str, query: RunQuery, run: Run) -> str:
        """Return the cursor of the runs that are listed after this one."""
        return cursor_at(namespace, position_in(query, run))

    def listing(self, namespace: str, query: RunQuery) -> Listing:
        """Return the runs that match, as they are stored: `list_view` returns what is needed to show one whole."""
        if query.waiting_for is None:
            return self._runs.stored(namespace, query)
        return waiting_runs(self._runs, self._definition_cache, namespace, query, query.waiting_for)

    def named(self, namespace: str, name: str, query: RunQuery) -> Run:
        """Return the run with this name as `stored` does. Raises NotFound if it does not match the query."""
        run = self.stored(namespace, name)
        event = query.waiting_for
        if admits(query, run) and (event is None or waits_for(self._runs, self._definition_cache, run, event)):
            return run
        raise NotFound("flow_run", name)

    def count(self, namespace: str, query: RunQuery) -> Counts:
        """Count the runs that match by status, up to MAX_COUNTED of each; fewer where each must be looked at."""
        if query.waiting_for is None:
            return self._runs.count(namespace, query, MAX_COUNTED)
        listing = self.listing(namespace, replace(query, limit=MAX_WAITING_READ, cursor=None))
        return Counts(Counter(run.status for run in listing.runs), listing.cursor is not None)

    def list_view(self, stored: Run) -> RunView | None:
        """Return a run of a listing with the tail of its history; None if its values are too many for a response."""
        run = self._runs.whole(stored)
        is_complete = run.paged_steps is not None or not run.tail or run.tail[0].seq == 1
        return self._view(run, run.tail if is_complete else self._newest_entries(run))

    def outline(self, stored: Run) -> RunView:
        """Return a run of a listing with the tail of its history. Large values are references."""
        run = self._runs.whole(stored)
        return RunView(run, self._definition_cache.of(run), run.tail)

    def path(self, namespace: str, name: str) -> RunView:
        """Return the run with as much of its newest history as one request reads. Large values are references.

        Raises NotFound.
        """
        run = self.stored(namespace, name)
        return RunView(run, self._definition_cache.of(run), self._newest_entries(run, MAX_READ_ENTRIES))

    def views(self, namespace: str, query: RunQuery) -> tuple[tuple[RunView, ...], str | None]:
        """Return runs, newest first, each with the tail of its history, and the cursor of the next page.

        Runs whose values are too many for a response are left out.
        """
        listing = self.listing(namespace, query)
        views = (self.list_view(run) for run in listing.runs)
        return tuple(view for view in views if view is not None), listing.cursor

    def changes(self, namespace: str, since: Instant) -> tuple[Run, ...]:
        """Return runs that changed at `since` or later, as they are stored: their status did, or they are live and
        advanced."""
        found = {run.id: run for run in self._runs.stored_changes(namespace, since, MAX_CHANGED_RUNS)}
        found.update({run.id: run for run in self._newest_live(namespace) if run.updated_at >= since})
        return tuple(found.values())

    def _newest_live(self, namespace: str) -> Iterator[Run]:
        """Yield the newest MAX_CHANGED_RUNS live runs, as they are stored."""
        query = RunQuery(statuses=LIVE, limit=MAX_CHANGED_RUNS)
        while query.limit:
            listing = self._runs.stored(namespace, query)
            yield from listing.runs
            if listing.cursor is None:
                return
            query = replace(query, limit=query.limit - len(listing.runs), cursor=listing.cursor)

    def _newest_entries(self, run: Run, most: int = MAX_VIEWED_ENTRIES) -> tuple[Entry, ...]:
        """Return the newest entries, at most `most`. Their large values are references."""
        after = max(0, run.seq - most)
        older: list[Entry] = []
        if run.tail and run.tail[0].seq > after + 1:
            for page in self._runs.stored_pages(run, after):
                older += (entry for entry in page.entries if entry.seq > after)
        return (*older, *(entry for entry in run.tail if entry.seq > after))

    def _view(self, run: Run, entries: tuple[Entry, ...], *, with_waits: bool = False) -> RunView | None:
        """Return the view of a run whose large values are references; None if its values are too many.

        Of the entries, only those that show the last result of a step get their values.
        """
        last = {entry.step: entry for entry in entries if entry.is_return}
        shown = small_values(self._runs, run, last.values(), with_waits=with_waits)
        if shown is None:
            return None
        restored = {entry.seq: entry for entry in shown.entries}
        entries = tuple(restored.get(entry.seq, entry) for entry in entries)
        return RunView(shown.run, self._definition_cache.of(run), entries, shown.large)

    def blob(self, run: Run, key: str) -> Json:
        """Return a large value of the run by the key of its reference. Raises NotFound."""
        found = self._runs.blobs(run, [key]).get(key)
        if found is None:
            raise NotFound("value", key)
        return msgspec.json.decode(found)

    def input_of(self, run: Run) -> Json:
        """Return the whole input of a run whose large values are references."""
        return self._runs.restored(run, run.input)

    def vars_of(self, run: Run) -> Json:
        """Return all variables of such a run."""
        return self._runs.restored(run, run.vars)

    def output_of(self, run: Run) -> Json:
        """Return the output of such a run."""
        return self._runs.restored(run, run.output)

    def entry(self, run: Run, seq: int) -> Entry:
        """Return an entry of the history of such a run with its values. Raises NotFound."""
        if not run.tail or run.tail[0].seq > seq:
            pages = (page.entries for page in self._runs.stored_pages(run, seq - 1))
            entries = next(pages, ())
        else:
            entries = run.tail
        found = next((entry for entry in entries if entry.seq == seq), None)
        if found is None:
            raise NotFound("history entry", str(seq))
        return self._runs.restored_entry(run, found)

    def history(self, namespace: str, name: str, after: int, limit: int) -> tuple[Entry, ...]:
        """Return at most `limit` entries with numbers above `after`, oldest first. Raises NotFound."""
        return tuple(islice(self._entries(self.run(namespace, name), after), limit))

    def history_page(self, namespace: str, name: str, query: HistoryQuery) -> HistoryPage:
        """Return a page of the history in which large values are references. Raises NotFound."""
        return history_page(self._runs, self.stored(namespace, name), query)

    def watch(self, namespace: str, name: str, query: HistoryQuery, wait: Milliseconds) -> HistoryPage:
        """Return the same as soon as there is an entry after `query.after`, or nothing after `wait` milliseconds."""
        return history_page(self._runs, self._when(namespace, name, lambda run: run.seq > query.after, wait), query)

    def ended(self, namespace: str, name: str, wait: Milliseconds) -> Run:
        """Return the run once it has ended, or as it is after `wait` milliseconds. Raises NotFound."""
        self._when(namespace, name, lambda run: run.status in ENDED, wait, only_end=True)
        return self.run(namespace, name)

    def _when(
        self,
        namespace: str,
        name: str,
        holds: Callable[[Run], bool],
        wait: Milliseconds,
        *,
        only_end: bool = False,
    ) -> Run:
        """Return the run, with large values as references, once `holds` is true of it, or as it is after `wait`
        milliseconds. Raises NotFound."""
        give_up_at = self._clock.now() + min(wait, MAX_WATCH_MS)
        with self._changes.watch(namespace, name, only_end=only_end) as changes:
            goes_on = True
            while True:
                run = self.stored(namespace, name)
                left = give_up_at - self._clock.now()
                if left <= 0 or holds(run) or not goes_on:
                    return run
                goes_on = changes.wait(left)

    def pause(self, milliseconds: Milliseconds) -> bool:
        """Sleep before the next look for changes, and return whether there shall be one."""
        return self._changes.pause(milliseconds)

    def _entries(self, run: Run, after: int) -> Iterable[Entry]:
        return entries_after(self._runs, run, after)

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

    def signal_page(
        self, namespace: str, limit: int, before: Position | None = None
    ) -> tuple[list[Signal], Position | None]:
        """Return events that have not expired, newest first, and the position of the next page.

        A page ends once its events have more than MAX_LISTED_BYTES.
        """
        found: list[Signal] = []
        now, size = self._clock.now(), 0
        while len(found) < limit:
            room = (MAX_LISTED_BYTES - size) * max(1, len(found)) // max(1, size)  # as many as fit, by their average
            count = min(limit - len(found), max(1, room) if found else FIRST_SIGNALS)
            some = self._store.signals.list(namespace, now, count, before)
            found += (signal for signal in some if signal.until >= now)
            if len(some) < count:
                return found, None
            before, size = (some[-1].at, some[-1].id), size + sum(len(msgspec.json.encode(one)) for one in some)
            if size > MAX_LISTED_BYTES:
                break
        return found, before

    def signals(self, namespace: str, limit: int) -> list[Signal]:
        """Return the events that have not expired, newest first."""
        now = self._clock.now()
        return [signal for signal in self._store.signals.list(namespace, now, limit) if signal.until >= now]
