"""Ways to wait for a change of a run: woken by the process that makes it, or polling."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event, Lock
from typing import Final

from chalicelib.model.times import Milliseconds
from chalicelib.service.ports.changes import Watch
from chalicelib.service.ports.clock import Clock

PAUSES_MS: Final = (10, 20, 40, 80, 160, 320)
"""Pauses between looks of one that polls. After the last one, a pause is a sixteenth of the time waited so far."""

MAX_PAUSE_MS: Final = 1_000
"""The longest pause between two looks."""


class Signal:
    """A watch that another thread wakes."""

    def __init__(self, *, only_end: bool) -> None:
        self._only_end = only_end
        self._changed = Event()

    def notify(self, *, is_over: bool) -> None:
        if is_over or not self._only_end:
            self._changed.set()

    def wait(self, milliseconds: Milliseconds) -> bool:
        has_changed = self._changed.wait(milliseconds / 1_000)
        self._changed.clear()
        return has_changed


class Signals:
    """The watches of this process, by what they watch."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._watches: dict[object, set[Signal]] = defaultdict(set)

    def notify(self, place: object, *, is_over: bool) -> None:
        """Wake those that watch this."""
        if not self._watches:  # most runs change unwatched, so this costs no lock
            return
        with self._lock:
            watches = tuple(self._watches.get(place, ()))
        for one in watches:
            one.notify(is_over=is_over)

    @contextmanager
    def watch(self, place: object, *, only_end: bool) -> Iterator[Signal]:
        """Watch this within the `with` block."""
        signal = Signal(only_end=only_end)
        with self._lock:
            self._watches[place].add(signal)
        try:
            yield signal
        finally:
            with self._lock:
                self._watches[place].discard(signal)
                if not self._watches[place]:
                    del self._watches[place]


class LocalChanges:
    """Wakes the threads of this process. It serves where one process makes all changes."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._signals = Signals()

    def notify(self, namespace: str, run: str, *, is_over: bool) -> None:
        self._signals.notify((namespace, run), is_over=is_over)

    @contextmanager
    def watch(self, namespace: str, run: str, *, only_end: bool = False) -> Iterator[Watch]:
        with self._signals.watch((namespace, run), only_end=only_end) as signal:
            yield signal

    def pause(self, milliseconds: Milliseconds) -> bool:
        self._clock.sleep(milliseconds)
        return True


class _Poll:
    """A watch that looks again after growing pauses."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._began = clock.now()
        self._looks = 0

    def wait(self, milliseconds: Milliseconds) -> bool:
        pause = PAUSES_MS[min(self._looks, len(PAUSES_MS) - 1)]
        waited = self._clock.now() - self._began
        self._looks += 1
        self._clock.sleep(max(1, min(milliseconds, max(pause, min(waited // 16, MAX_PAUSE_MS)))))
        return True


class PolledChanges:
    """Lets those that wait look again from time to time: other processes make changes, too."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    def notify(self, namespace: str, run: str, *, is_over: bool) -> None:
        """Do nothing: those that wait look by themselves."""

    @contextmanager
    def watch(self, namespace: str, run: str, *, only_end: bool = False) -> Iterator[Watch]:  # noqa: ARG002 - the port
        yield _Poll(self._clock)

    def pause(self, milliseconds: Milliseconds) -> bool:
        self._clock.sleep(milliseconds)
        return True
