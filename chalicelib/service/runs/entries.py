"""Read the history of a run: its pages and the tail in its head, or a bounded part of them."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Final

import msgspec

from chalicelib.model.history import Entry
from chalicelib.model.run import Run
from chalicelib.service.ports.runs import RunStore
from chalicelib.service.runs.offloading import OffloadingRunStore

MAX_READ_ENTRIES: Final = 20_000
"""How many history entries one request reads at most: about 4 MB."""


class Window(msgspec.Struct, frozen=True):
    """Consecutive history entries of a run, oldest first."""

    entries: tuple[Entry, ...]

    @property
    def first(self) -> int:
        """The number of the first entry; 1 if there is none."""
        return self.entries[0].seq if self.entries else 1

    @property
    def is_from_start(self) -> bool:
        """Whether no older entry was left out."""
        return self.first == 1


def entries_after(runs: RunStore, run: Run, after: int) -> Iterator[Entry]:
    """Yield the run's history entries with numbers above `after`, oldest first."""
    if not run.tail or run.tail[0].seq > after + 1:
        for page in runs.pages(run, after):
            yield from (entry for entry in page.entries if entry.seq > after)
    yield from (entry for entry in run.tail if entry.seq > after)


def stored_after(runs: OffloadingRunStore, run: Run, after: int) -> Iterator[Entry]:
    """Yield the same entries. Large values in pages stay references: what is read has a bound for each entry."""
    if not run.tail or run.tail[0].seq > after + 1:
        for page in runs.stored_pages(run, after):
            yield from (entry for entry in page.entries if entry.seq > after)
    yield from (entry for entry in run.tail if entry.seq > after)


def newest(runs: OffloadingRunStore, run: Run, limit: int = MAX_READ_ENTRIES) -> Window:
    """Return the newest entries, at most `limit`. Large values may be references."""
    return Window(tuple(stored_after(runs, run, max(0, run.seq - limit))))


def around(runs: OffloadingRunStore, run: Run, seq: int, limit: int = MAX_READ_ENTRIES) -> Window:
    """Return at most `limit` entries: three quarters of them before entry `seq`, the rest after it.

    Large values may be references.
    """
    after = max(0, min(seq - limit * 3 // 4, run.seq - limit))
    return Window(tuple(islice(stored_after(runs, run, after), limit)))
