"""The port of the run store."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Final, Protocol

import msgspec

from chalicelib.model.flow import Flow
from chalicelib.model.history import Page
from chalicelib.model.run import Run
from chalicelib.model.status import Status
from chalicelib.model.times import Instant
from chalicelib.service.ports.cursors import Position


class NewRun(msgspec.Struct, frozen=True):
    """A head to be created. `own` is the flow that belongs to this run alone, if it was started with one."""

    run: Run
    own: Flow | None = None
    body: bytes = b""
    """`encode(run)` if the caller has it; empty: the store encodes the run."""


MAX_LISTED_BYTES: Final = 4 * 1024 * 1024
"""A page of a listing ends before its heads have more bytes of JSON; it has at least one head."""


class RunQuery(msgspec.Struct, frozen=True, kw_only=True):
    """Which runs to list, newest first. All that is given must hold; None, empty and False mean any.

    `cursor` is the one that the previous listing returned.
    """

    statuses: frozenset[Status] | None = None
    flow: str | None = None
    version: int | None = None
    """The version of the flow."""
    labels: tuple[tuple[str, str], ...] = ()
    since: Instant | None = None
    """Only runs created at that time or later."""
    until: Instant | None = None
    """Only runs created at that time or earlier."""
    error: str | None = None
    """Only runs that have failed, or were canceled, with an error of this name."""
    parent: str | None = None
    """Only runs whose end the run of this name waits for, or waited for."""
    name_prefix: str = ""
    undo_failed: bool = False
    """Only runs of which an undo failed."""
    due_before: Instant | None = None
    """Only live runs with a deadline before that time that are not paused. They are listed by the time of their timer,
    the next one first."""
    waiting_for: str | None = None
    """Only live runs that wait for an event of this name. Stores ignore it: `Reader.listing` applies it."""
    limit: int = 50
    cursor: str | None = None


class Listing(msgspec.Struct, frozen=True):
    """A page of heads and the cursor of the next page (None: this is the last). It may be shorter than the limit, and
    empty: then no run that was looked at matches. `total` is the number of runs on all pages, where it is cheap."""

    runs: tuple[Run, ...]
    cursor: str | None = None
    total: int | None = None


class Counts(msgspec.Struct, frozen=True):
    """How many runs match, by status. `more`: there are more than were counted."""

    by_status: Mapping[Status, int]
    more: bool = False


def position_of(run: Run) -> Position:
    """Return the run's position in the list of runs, which never changes. The newest run has the greatest."""
    return run.created_at, run.name


def position_in(query: RunQuery, run: Run) -> Position:
    """Return the run's position in the list of the runs that match the query."""
    return position_of(run) if query.due_before is None else (run.timer_at or 0, run.name)


class DueTimer(msgspec.Struct, frozen=True):
    """The timer of a run, set for `at`."""

    namespace: str
    run: str
    at: Instant


class RunStore(Protocol):
    """Stores runs: heads, history pages and blobs."""

    def together(self) -> AbstractContextManager[object]:
        """Commit what this thread writes and sends within the `with` block at its end, or nothing if it raises.

        Stores that cannot do so commit each write by itself, in their order.
        """
        ...

    def create(self, new: NewRun) -> None:
        """Create a run. Raises RunExists. Not repeatable."""
        ...

    def load(self, namespace: str, name: str) -> Run | None:
        """Return the current head (a consistent read)."""
        ...

    def own_flow(self, run: Run) -> Flow:
        """Return the flow that belongs to this run alone. Raises NotFound."""
        ...

    def put_page(self, run: Run, page: Page) -> None:
        """Add a page to the run's history. Pages are immutable: writing one again changes nothing."""
        ...

    def pages(self, run: Run, after: int) -> Iterator[Page]:
        """Yield the run's pages with entries numbered above `after`, oldest first."""
        ...

    def page_numbers(self, run: Run, limit: int) -> Sequence[int]:
        """Return the numbers of the last entries of the run's pages, oldest first, of at most `limit` pages."""
        ...

    def put_blobs(self, run: Run, values: Mapping[str, bytes]) -> None:
        """Store blobs of the run by key, of any size. A blob never changes: writing it again changes nothing."""
        ...

    def blobs(self, run: Run, keys: Iterable[str]) -> dict[str, bytes]:
        """Return the blobs with these keys; missing ones are left out. Consistent."""
        ...

    def save(self, run: Run, seen: int, body: bytes = b"") -> None:
        """Replace the head if its version is still `seen`. Raises Conflict if not. Not repeatable.

        `body` is `encode(run)` if the caller has it; empty: the store encodes the run.
        """
        ...

    def save_relabeled(self, run: Run, before: Run, body: bytes = b"") -> None:
        """Replace the head `before` as `save` does, where the labels differ, and list the run under its new labels.

        After a crash the run may also be listed under labels of `before` in an index; the head decides.
        """
        ...

    def delete(self, run: Run) -> None:
        """Delete the run with everything that belongs to it. Raises Conflict if its version is not `run.version`."""
        ...

    def list(self, namespace: str, query: RunQuery) -> Listing:
        """List runs by an index that may lag a moment. Raises Malformed for an unknown cursor.

        A run that matches throughout is on exactly one page, though others begin and end meanwhile.
        """
        ...

    def count(self, namespace: str, query: RunQuery, most: int) -> Counts:
        """Count the runs that match, at most about `most`. The limit and the cursor of the query do not matter."""
        ...

    def changed(self, namespace: str, since: Instant, limit: int) -> Sequence[Run]:
        """Return at most `limit` runs with `status_at` at `since` or later, earliest first."""
        ...

    def due(self, until: Instant, limit: int, since: Instant = 0) -> Sequence[DueTimer]:
        """Return timers of runs of all namespaces set for `until` or before, and for `since` or later.

        Those of paused runs are left out. They are sorted by time as far as the store can do so cheaply.
        """
        ...
