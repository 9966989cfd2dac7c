"""A run store that keeps heads small: large values are stored as blobs, and the head refers to them.

`OffloadingRunStore` wraps another RunStore and hides this: callers see whole runs. Blobs are written before the head
that refers to them, under the hash of their content, and never change. A crash in between leaves at worst a blob to
which no head refers.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from msgspec.structs import replace

from chalicelib.model.flow import Flow
from chalicelib.model.history import Entries, Entry, Page
from chalicelib.model.json_values import Json
from chalicelib.model.run import Run
from chalicelib.model.status import ENDED
from chalicelib.model.times import Instant
from chalicelib.service.errors import BlobMissing
from chalicelib.service.ports.changes import Changes
from chalicelib.service.ports.runs import Counts, DueTimer, Listing, NewRun, RunQuery, RunStore
from chalicelib.service.runs.blobs import BlobCache
from chalicelib.service.runs.references import (
    References,
    field_values,
    format_of,
    offload_head,
    offload_page,
    offloaded_fields,
)
from chalicelib.service.runs.value_places import Change, in_entries, in_entry, in_run, in_value, key_in


class OffloadingRunStore:
    """Implement `ports.RunStore` on another one, and notify those that wait for changes of a run."""

    def __init__(self, runs: RunStore, changes: Changes | None = None) -> None:
        self._runs = runs
        self._changes = changes
        self._cache = BlobCache()
        self._together = threading.local()

    @contextmanager
    def together(self) -> Iterator[None]:
        changed: list[Run] = []
        self._together.changed = changed
        try:
            with self._runs.together():
                yield
        finally:
            self._together.changed = None
        for run in changed:
            self._notify(run)

    def _notify(self, run: Run) -> None:
        """Notify those that wait for a change of the run, once it is committed."""
        changed: list[Run] | None = getattr(self._together, "changed", None)
        if changed is not None:
            changed.append(run)
        elif self._changes is not None:
            self._changes.notify(run.namespace, run.name, is_over=run.status in ENDED)

    def create(self, new: NewRun) -> None:
        self._runs.create(self.offload(new))

    def load(self, namespace: str, name: str) -> Run | None:
        run = self._runs.load(namespace, name)
        return self._restored(run) if run else None

    def head(self, namespace: str, name: str) -> Run | None:
        """Return the run with all its fields. Large single values are not read: they stay references."""
        run = self._runs.load(namespace, name)
        return self.whole(run) if run else None

    def whole(self, stored: Run) -> Run:
        """Return a head as it is stored with all its fields. Large single values stay references."""
        return replace(stored, **self._restored_fields(stored, stored.stored_tail))

    def stored(self, namespace: str, query: RunQuery) -> Listing:
        """List heads as they are stored: no blob is read."""
        return self._runs.list(namespace, query)

    def stored_changes(self, namespace: str, since: Instant, limit: int) -> Sequence[Run]:
        """Return the heads of `changed` as they are stored."""
        return self._runs.changed(namespace, since, limit)

    def stored_pages(self, run: Run, after: int) -> Iterator[Page]:
        """Yield the pages of `pages` with all their entries. Large single values stay references."""
        for stored in self._runs.pages(run, after):
            yield Page(stored=self._restored_fields(run, stored.stored).get("stored_tail", stored.stored))

    def own_flow(self, run: Run) -> Flow:
        return self._runs.own_flow(run)

    def put_page(self, run: Run, page: Page) -> None:
        thin, blobs = offload_page(page, self._cache.key_of(run.id))
        self._put_new(run, blobs)
        self._runs.put_page(run, thin)

    def pages(self, run: Run, after: int) -> Iterator[Page]:
        for page in self.stored_pages(run, after):
            references = References()
            in_entries(page.stored, references)
            if references.keys:
                restore = self._restore(run, references)
                page = Page(stored=in_entries(page.stored, restore))
            yield page

    def restored(self, run: Run, value: Json) -> Json:
        """Return a value of the run, or a map of its values, with its references replaced by values."""
        references = References()
        in_value(value, references)
        return in_value(value, self._restore(run, references)) if references.keys else value

    def restored_entry(self, run: Run, entry: Entry) -> Entry:
        """Return an entry of the run's history with its references replaced by values."""
        references = References()
        in_entry(entry, references)
        return in_entry(entry, self._restore(run, references)) if references.keys else entry

    def page_numbers(self, run: Run, limit: int) -> Sequence[int]:
        return self._runs.page_numbers(run, limit)

    def put_blobs(self, run: Run, values: Mapping[str, bytes]) -> None:
        self._runs.put_blobs(run, values)

    def _put_new(self, run: Run, values: Mapping[str, bytes]) -> None:
        """Store the blobs that are not stored already: a large value that stays is not written at each transition."""
        missing = {key: value for key, value in values.items() if self._cache.get(run.id, key) is None}
        if missing:
            self._runs.put_blobs(run, missing)
            for key, value in missing.items():
                self._cache.put(run.id, key, value)

    def blobs(self, run: Run, keys: Iterable[str]) -> dict[str, bytes]:
        """Return these blobs. A cached blob costs no read."""
        wanted = set(keys)
        found = {key: blob for key in wanted if (blob := self._cache.get(run.id, key)) is not None}
        missing = wanted - found.keys()
        if missing:
            read = self._runs.blobs(run, missing)
            for key, value in read.items():
                self._cache.put(run.id, key, value)
            found.update(read)
        return found

    def save(self, run: Run, seen: int, body: bytes = b"") -> None:
        head = offload_head(run, body, self._cache.key_of(run.id))
        self._put_new(run, head.blobs)
        self._runs.save(head.run, seen, head.body)
        self._notify(run)

    def save_relabeled(self, run: Run, before: Run, body: bytes = b"") -> None:
        head = offload_head(run, body, self._cache.key_of(run.id))
        self._put_new(run, head.blobs)
        self._runs.save_relabeled(head.run, before, head.body)
        self._notify(run)

    def delete(self, run: Run) -> None:
        self._runs.delete(run)
        if self._changes is not None:
            self._changes.notify(run.namespace, run.name, is_over=True)

    def list(self, namespace: str, query: RunQuery) -> Listing:
        listing = self._runs.list(namespace, query)
        return replace(listing, runs=tuple(self._restored(run) for run in listing.runs))

    def count(self, namespace: str, query: RunQuery, most: int) -> Counts:
        return self._runs.count(namespace, query, most)

    def changed(self, namespace: str, since: Instant, limit: int) -> Sequence[Run]:
        return [self._restored(run) for run in self._runs.changed(namespace, since, limit)]

    def due(self, until: Instant, limit: int, since: Instant = 0) -> Sequence[DueTimer]:
        return self._runs.due(until, limit, since)

    def offload(self, new: NewRun) -> NewRun:
        """Write the blobs of the new run, and return it as its head is stored."""
        head = offload_head(new.run, new.body)
        self._put_new(new.run, head.blobs)
        return NewRun(head.run, new.own, head.body)

    def _restored(self, stored: Run) -> Run:
        run, references = replace(stored, **self._restored_fields(stored, stored.stored_tail)), References()
        in_run(run, references)
        return in_run(run, self._restore(run, references)) if references.keys else run

    def _restored_fields(self, run: Run, tail: Entries) -> dict[str, Any]:
        """Return the offloaded fields by their names in a Run; empty if the tail is not offloaded."""
        fields, references = offloaded_fields(tail), References()
        if not fields:
            return {}
        for reference in fields.values():
            references(reference)
        restore = self._restore(run, references)
        return field_values({name: restore(reference) for name, reference in fields.items()}, format_of(tail))

    def _restore(self, run: Run, references: References) -> Change:
        """Return a function that replaces references by their values."""
        found = self.blobs(run, references.keys)

        def restore(value: Json) -> Json:
            key = key_in(value)
            if key is None:
                return value
            if key not in found:
                raise BlobMissing(run.name, key)
            return self._cache.value(run.id, key, found[key])

        return restore
