"""Waits for changes in a server of several processes: a change in one of them wakes those that wait in another."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final
from zlib import crc32

from chalicelib.adapters.changes import Signal, Signals
from chalicelib.model.times import Milliseconds
from chalicelib.service.ports.changes import Watch
from chalicelib.service.ports.clock import Clock
from fsl.local.processes.post import Kind, Post
from fsl.local.processes.shared_memory import SharedMemory

LOOK_AGAIN_MS: Final[Milliseconds] = 2_000
"""After how long one that waits looks by itself: a note can be lost."""


class SharedChanges:
    """Implements `ports.Changes`. Runs are told apart by a hash: two that share one wake each other's watches."""

    def __init__(self, clock: Clock, memory: SharedMemory, post: Post) -> None:
        self._clock = clock
        self._memory = memory
        self._post = post
        self._signals = Signals()
        post.changed = lambda run, is_over: self._signals.notify(run, is_over=is_over)

    def notify(self, namespace: str, run: str, *, is_over: bool) -> None:
        key = _key(namespace, run)
        self._signals.notify(key, is_over=is_over)
        for other in self._post.others:
            if self._memory.is_watched(other, key, is_over=is_over):
                self._post.send(other, Kind.ENDED if is_over else Kind.CHANGED, key)

    @contextmanager
    def watch(self, namespace: str, run: str, *, only_end: bool = False) -> Iterator[Watch]:
        key = _key(namespace, run)
        with self._signals.watch(key, only_end=only_end) as signal:
            self._memory.watch(key, only_end=only_end, by=1)
            try:
                yield _Watch(signal)
            finally:
                self._memory.watch(key, only_end=only_end, by=-1)

    def pause(self, milliseconds: Milliseconds) -> bool:
        self._clock.sleep(milliseconds)
        return True


class _Watch:
    """A signal that comes by itself from time to time."""

    def __init__(self, signal: Signal) -> None:
        self._signal = signal
        self._waited = 0

    def wait(self, milliseconds: Milliseconds) -> bool:
        self._waited += milliseconds
        has_changed = self._signal.wait(milliseconds) or self._waited >= LOOK_AGAIN_MS
        if has_changed:
            self._waited = 0
        return has_changed


def _key(namespace: str, run: str) -> int:
    return crc32(f"{namespace}\0{run}".encode(errors="surrogatepass"))
