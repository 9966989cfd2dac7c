"""Requests that wait for changes: each occupies a thread, so their number is limited and they end early where they can.

A request stops waiting, and is answered at once with what there is, if

- MAX_WAITING other requests wait, or MAX_LOOKING that look for changes of many runs; its response then has
  `Retry-After`,
- its client has closed the connection,
- the server stops.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from chalicelib.model.times import Milliseconds
from chalicelib.service.ports.changes import Changes, Watch

MAX_WAITING: Final = 96
"""How many requests may wait for changes at the same time. The other threads serve the requests that do not wait."""

MAX_LOOKING: Final = 16
"""How many of them may look for changes of many runs, again and again. A look at 1,000 runs takes some 30 ms of CPU."""

RETRY_AFTER_S: Final = 2
"""When a client may ask again that was not let wait."""

LOOK_MS: Final = 500
"""How often it is checked whether the client is still there."""


@dataclass(slots=True)
class _Request:
    has_left: Callable[[], bool]
    waits: bool = False
    looks: bool = False
    turned_away: bool = False


class Waits:
    """Counts the requests that wait. Each request belongs to the thread that serves it."""

    def __init__(
        self, stopping: threading.Event, max_waiting: int = MAX_WAITING, max_looking: int = MAX_LOOKING
    ) -> None:
        self._stopping = stopping
        self._max_waiting = max_waiting
        self._max_looking = max_looking
        self._lock = threading.Lock()
        self._waiting = 0
        self._looking = 0
        self._current = threading.local()

    @property
    def waiting(self) -> int:
        """The number of requests that wait."""
        return self._waiting

    @contextmanager
    def request(self, has_left: Callable[[], bool]) -> Iterator[_Request]:
        """Serve a request in this thread. `has_left` returns whether its client has closed the connection."""
        request = self._current.request = _Request(has_left)
        try:
            yield request
        finally:
            self._current.request = None
            with self._lock:
                self._waiting -= request.waits
                self._looking -= request.looks

    def pause(self, milliseconds: Milliseconds) -> bool:
        """Sleep, and return whether the request of this thread may go on waiting for a change."""
        if not self._may_wait(looks=True):
            return False
        self._stopping.wait(milliseconds / 1_000)
        return self._goes_on()

    def until(self, changed: Callable[[Milliseconds], bool], milliseconds: Milliseconds) -> bool:
        """Call `changed` with parts of that time until it returns True, and return whether it did.

        Returns False after that time, or as soon as the request of this thread may not go on waiting.
        """
        if not self._may_wait():
            return False
        end = time.monotonic() + milliseconds / 1_000
        while (left := end - time.monotonic()) > 0:
            has_changed = changed(min(LOOK_MS, int(left * 1_000) + 1))
            if has_changed or not self._goes_on():
                return has_changed and self._goes_on()
        return False

    def _may_wait(self, *, looks: bool = False) -> bool:
        """Return whether the request of this thread has one of the places for those that wait, or gets one now."""
        request: _Request | None = getattr(self._current, "request", None)
        if request and not request.waits:
            with self._lock:
                is_full = self._waiting >= self._max_waiting or (looks and self._looking >= self._max_looking)
                request.turned_away, request.waits, request.looks = is_full, not is_full, looks and not is_full
                self._waiting += request.waits
                self._looking += request.looks
        return request is None or request.waits

    def _goes_on(self) -> bool:
        request: _Request | None = getattr(self._current, "request", None)
        return not self._stopping.is_set() and (request is None or not request.has_left())


class LimitedChanges:
    """Implements `ports.Changes` on another one, within the limits of `Waits`."""

    def __init__(self, changes: Changes, waits: Waits) -> None:
        self._changes = changes
        self._waits = waits

    def notify(self, namespace: str, run: str, *, is_over: bool) -> None:
        self._changes.notify(namespace, run, is_over=is_over)

    @contextmanager
    def watch(self, namespace: str, run: str, *, only_end: bool = False) -> Iterator[Watch]:
        with self._changes.watch(namespace, run, only_end=only_end) as watch:
            yield _LimitedWatch(watch, self._waits)

    def pause(self, milliseconds: Milliseconds) -> bool:
        return self._waits.pause(milliseconds)


@dataclass(frozen=True, slots=True)
class _LimitedWatch:
    watch: Watch
    waits: Waits

    def wait(self, milliseconds: Milliseconds) -> bool:
        return self.waits.until(self.watch.wait, milliseconds)
