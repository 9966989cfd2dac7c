"""The store of runs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from chalicelib.model.flow import Flow
from chalicelib.model.history import Page
from chalicelib.model.run import Run
from chalicelib.model.status import Status
from chalicelib.model.times import Instant


@dataclass(frozen=True, slots=True)
class NewRun:
    """A head to be created, with the flow it brought along, if it did."""

    run: Run
    own: Flow | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RunQuery:
    """Which runs to list, newest first. None: not asked for. `cursor` is what the listing before gave."""

    statuses: frozenset[Status] | None = None
    flow: str | None = None
    label: tuple[str, str] | None = None
    since: Instant | None = None
    """Only runs created at that moment or later."""
    undo_failed: bool = False
    """Only runs of which an undo failed."""
    limit: int = 50
    cursor: str | None = None


@dataclass(frozen=True, slots=True)
class Listing:
    """Some heads, and where to go on (`cursor` is None: no more). It may hold fewer than were asked for."""

    runs: tuple[Run, ...]
    cursor: str | None = None


@dataclass(frozen=True, slots=True)
class DueTimer:
    """A run whose timer should have rung at `at`."""

    namespace: str
    run: str
    at: Instant


class RunStore(Protocol):
    def create(self, new: NewRun) -> None:
        """The run exists, at the head's version. Raises RunExists. Not repeatable."""
        ...

    def load(self, namespace: str, name: str) -> Run | None:
        """The head as it is now (a consistent read)."""
        ...

    def own_flow(self, run: Run) -> Flow:
        """The flow that the run brought along. Raises NotFound."""
        ...

    def put_page(self, run: Run, page: Page) -> None:
        """The page is part of the run's history. Pages are immutable: writing one again changes nothing."""
        ...

    def pages(self, run: Run, after: int) -> Iterator[Page]:
        """The run's pages that hold entries with a number above `after`, oldest first."""
        ...

    def put_blobs(self, run: Run, values: Mapping[str, bytes]) -> None:
        """These lie beside the run's head, each under its key, of any size. A key's value never changes: writing it
        again changes nothing."""
        ...

    def blobs(self, run: Run, keys: Iterable[str]) -> dict[str, bytes]:
        """What lies there under these keys; a key under which nothing lies is left out. Consistent."""
        ...

    def save(self, run: Run, seen: int) -> None:
        """The head is `run`, if its version was still `seen`; raises Conflict if not. Not repeatable."""
        ...

    def delete(self, run: Run) -> None:
        """Nothing of the run is left. Raises Conflict if its version is no longer `run.version`."""
        ...

    def list(self, namespace: str, query: RunQuery) -> Listing:
        """Runs newest first, by an index that may lag by moments. Raises Malformed for a cursor it never gave."""
        ...

    def changed(self, namespace: str, since: Instant, limit: int) -> Sequence[Run]:
        """Runs whose status changed at `since` or later (`run.status_at`), earliest first, at most `limit`."""
        ...

    def due(self, until: Instant, limit: int) -> Sequence[DueTimer]:
        """Alarms of live runs of all namespaces set for `until` or before, earliest first as far as is cheap."""
        ...
