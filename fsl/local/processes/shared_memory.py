"""Numbers that all processes of a server see, in memory that they share.

Each number has one writer, or its loss does no harm; so there is no lock between processes. The layout, by process:

    closed    how many of the connections that were handed to it are closed
    caches    how often it changed something that others keep in memory
    watched   how many requests wait in it for each run, by a hash of the run: for its end, and for any change

and for all together a table of when callers may call again.
"""

from __future__ import annotations

import mmap
import os
import tempfile
from hashlib import blake2b
from threading import Lock
from typing import Final

from chalicelib.config import MAX_PROCESSES

_RUNS: Final = 4_096
"""Classes of runs that those that wait are counted by."""
_CALLERS: Final = 8_192
_PROBES: Final = 8
"""How many places a caller can have in the table."""

_CLOSED: Final = 0
_CACHES: Final = 8 * MAX_PROCESSES
_WATCHED: Final = 16 * MAX_PROCESSES
_WATCHED_BYTES: Final = 2 * 2 * _RUNS
_CALL_TIMES: Final = _WATCHED + MAX_PROCESSES * _WATCHED_BYTES
_BYTES: Final = _CALL_TIMES + 16 * _CALLERS


def create() -> int:
    """Return the descriptor of new shared memory, full of zeros. It is gone when all have closed it."""
    with tempfile.TemporaryFile() as file:
        file.truncate(_BYTES)
        return os.dup(file.fileno())


class SharedMemory:
    """The shared memory behind a descriptor, as process number `process` sees it."""

    def __init__(self, descriptor: int, process: int) -> None:
        view = memoryview(mmap.mmap(descriptor, _BYTES))
        self._process = process
        self._lock = Lock()
        self._closed = view[_CLOSED:_CACHES].cast("Q")
        self._caches = view[_CACHES:_WATCHED]
        self._caches_of = self._caches.cast("Q")
        self._watched = view[_WATCHED:_CALL_TIMES].cast("H")
        self.call_times = SharedCallTimes(view[_CALL_TIMES:].cast("q"))

    # ── connections ──────────────────────────────────────────────────────────────────────────────────────────────────

    def count_closed(self) -> None:
        """Count a connection of this process that was closed."""
        with self._lock:
            self._closed[self._process] += 1

    def closed(self, process: int) -> int:
        """Return how many connections of that process were closed."""
        return self._closed[process]

    def begin(self, process: int) -> None:
        """Forget what a process has counted that has ended: another one takes its place."""
        self._closed[process] = 0
        first = process * 2 * _RUNS
        for place in range(first, first + 2 * _RUNS):
            self._watched[place] = 0

    # ── caches ───────────────────────────────────────────────────────────────────────────────────────────────────────

    def caches_changed(self) -> None:
        """Note that this process has changed something that others keep in memory."""
        with self._lock:
            self._caches_of[self._process] += 1

    def caches(self) -> bytes:
        """Return what differs from before if any process has changed such a thing since."""
        return self._caches.tobytes()

    # ── those that wait ──────────────────────────────────────────────────────────────────────────────────────────────

    def watch(self, run: int, *, only_end: bool, by: int) -> None:
        """Count `by` more requests of this process that wait for the run with that hash."""
        place = self._place(self._process, run, only_end=only_end)
        with self._lock:
            self._watched[place] = max(0, min(self._watched[place] + by, 65_535))

    def is_watched(self, process: int, run: int, *, is_over: bool) -> bool:
        """Return whether a request may wait in that process for what happened to the run."""
        if self._watched[self._place(process, run, only_end=False)]:
            return True
        return is_over and self._watched[self._place(process, run, only_end=True)] > 0

    @staticmethod
    def _place(process: int, run: int, *, only_end: bool) -> int:
        return (2 * process + only_end) * _RUNS + run % _RUNS


class SharedCallTimes:
    """Implements `CallTimes` for all processes: a hash table of pairs of a caller's hash and its time."""

    def __init__(self, table: memoryview) -> None:
        self._table = table

    def get(self, caller: str) -> int | None:
        key, places = _key_and_places(caller)
        return next((self._table[place + 1] for place in places if self._table[place] == key), None)

    def put(self, caller: str, next_at: int) -> None:
        key, places = _key_and_places(caller)
        own = next((place for place in places if self._table[place] == key), None)
        place = min(places, key=lambda one: self._table[one + 1]) if own is None else own
        self._table[place], self._table[place + 1] = key, next_at


def _key_and_places(caller: str) -> tuple[int, range]:
    digest = blake2b(caller.encode(errors="surrogatepass"), digest_size=8).digest()
    key = int.from_bytes(digest, "little", signed=True) or 1
    first = (key % (_CALLERS - _PROBES)) * 2
    return key, range(first, first + 2 * _PROBES, 2)
