"""Pages of a run's history, forwards or backwards, however large the values of its entries are."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

import msgspec

from chalicelib.model.history import Entry
from chalicelib.model.run import Run
from chalicelib.service.runs.entries import MAX_READ_ENTRIES, stored_after
from chalicelib.service.runs.large_values import Large, references_only, small_values
from chalicelib.service.runs.offloading import OffloadingRunStore
from chalicelib.service.runs.references import MAX_SHOWN_BYTES, References, size_in
from chalicelib.service.runs.value_places import in_entry

MAX_PAGE_BYTES: Final = 4_000_000
"""A page of a history ends before its entries, with their small values, have more bytes; it has at least one entry."""

_WINDOW: Final = 500
"""How many entries are read at once backwards."""


class HistoryQuery(msgspec.Struct, frozen=True, kw_only=True):
    """Which entries to return: those after `after` and before `before`, oldest first or newest first. Empty: any."""

    after: int = 0
    before: int | None = None
    newest_first: bool = False
    step: str = ""
    token: str = ""
    event: str = ""
    failed: bool = False
    """Only entries with an error."""
    find: str = ""
    """Only entries of which the event, steps, state, error, token or author has this text, in any case of letters."""
    limit: int = 50
    most: int = MAX_READ_ENTRIES
    """How many entries to look through."""

    @property
    def is_filtered(self) -> bool:
        return bool(self.step or self.token or self.event or self.failed or self.find)

    def admits(self, entry: Entry) -> bool:
        """Return whether the entry matches the filters."""
        return (
            self.step in ("", entry.step, entry.target)
            and self.token in ("", entry.token)
            and self.event in ("", entry.event)
            and (not self.failed or bool(entry.error or entry.error_name))
            and (not self.find or self.find.casefold() in _words_of(entry))
        )


class HistoryPage(msgspec.Struct, frozen=True):
    """Entries, in which large values are references that `large` describes.

    `next` is the `after` (newest first: the `before`) of the next page; None if there is none. `read` says how many
    entries were looked through.
    """

    entries: tuple[Entry, ...]
    large: Mapping[str, Large]
    next: int | None
    read: int


def _words_of(entry: Entry) -> str:
    """Return what can be found of an entry. Its values cannot: they may be secret, or stored elsewhere."""
    words = (entry.event, entry.step, entry.target, entry.state, entry.error_name, entry.error, entry.token, entry.by)
    return "\n".join(words).casefold()


def history_page(runs: OffloadingRunStore, run: Run, query: HistoryQuery) -> HistoryPage:
    """Return a page of the history. `run` is the head with all its fields; large values may be references."""
    found: list[Entry] = []
    room, read, position = MAX_PAGE_BYTES, 0, None
    for entry in _entries(runs, run, query):
        if len(found) == query.limit or read == query.most:
            break
        size = _size(entry) if query.admits(entry) else 0
        if size > room and found:
            break
        read, position = read + 1, entry.seq
        if size:
            room -= size
            found.append(entry)
    else:
        position = None
    shown = small_values(runs, identity_of(run), found) or references_only(runs, identity_of(run), found)
    return HistoryPage(shown.entries, shown.large, position, read)


def identity_of(run: Run) -> Run:
    """Return an empty head of the run: only its identity matters for the values of entries."""
    return Run(
        namespace=run.namespace,
        name=run.name,
        id=run.id,
        definition=run.definition,
        created_at=run.created_at,
        updated_at=run.updated_at,
    )


def _size(entry: Entry) -> int:
    """Return how many bytes the entry has once its small values are read."""
    references = References()
    in_entry(entry, references)
    sizes = (size_in(key) or MAX_SHOWN_BYTES for key in references.keys)
    return len(msgspec.json.encode(entry)) + sum(size for size in sizes if size <= MAX_SHOWN_BYTES)


def _entries(runs: OffloadingRunStore, run: Run, query: HistoryQuery) -> Iterator[Entry]:
    """Yield the entries between `after` and `before` in the order of the query."""
    end = run.seq if query.before is None else min(run.seq, query.before - 1)
    if not query.newest_first:
        for entry in stored_after(runs, run, query.after):
            if entry.seq > end:
                return
            yield entry
        return
    while end > query.after:
        start = max(query.after, end - _WINDOW)
        yield from reversed(list(_until(runs, run, start, end)))
        end = start


def _until(runs: OffloadingRunStore, run: Run, after: int, last: int) -> Iterator[Entry]:
    for entry in stored_after(runs, run, after):
        if entry.seq > last:
            return
        yield entry
