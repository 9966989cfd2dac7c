"""Requests that wait for changes: each occupies a thread, so their number is limited and they end early where they can.

A request stops waiting, and is answered at once with what there is, if

- MAX_WAITING other requests wait; its response then has `Retry-After`,
- its client has closed the connection,
- the server stops.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

MAX_WAITING: Final = 96
"""How many requests may wait for changes at the same time. The other threads serve the requests that do not wait."""

RETRY_AFTER_S: Final = 2
"""When a client that was not let wait may ask again."""


@dataclass(slots=True)
class _Request:
    has_left: Callable[[], bool]
    waits: bool = False
    turned_away: bool = False


class Waits:
    """Counts the requests that wait. Each request belongs to the thread that serves it."""

    def __init__(self, stopping: threading.Event, limit: int = MAX_WAITING) -> None:
        self._stopping = stopping
        self._limit = limit
        self._lock = threading.Lock()
        self._waiting = 0
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
            if request.waits:
                with self._lock:
                    self._waiting -= 1

    def pause(self, milliseconds: int) -> bool:
        """Sleep, and return whether the request of this thread may go on waiting for a change."""
        request: _Request | None = getattr(self._current, "request", None)
        if request and not request.waits and not self._take_place(request):
            return False
        if self._stopping.wait(milliseconds / 1000):
            return False
        return request is None or not request.has_left()

    def _take_place(self, request: _Request) -> bool:
        with self._lock:
            request.turned_away = self._waiting >= self._limit
            request.waits = not request.turned_away
            self._waiting += request.waits
        return request.waits
