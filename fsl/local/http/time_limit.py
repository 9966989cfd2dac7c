"""The time limit of requests: a client whose request takes longer gets a response from here, while the request runs on.

The thread that serves a request cannot be interrupted. So a thread of its own looks after all requests, and has the
socket layer answer in the place of those that are late.
"""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

CHECK_S: Final = 0.5
"""How often it is checked whether a request is late."""


@dataclass(frozen=True, slots=True)
class _Running:
    late_at: float
    give_up: Callable[[], None]


class TimeLimit:
    """Gives up requests that take longer than `seconds`. Each request ends once: by itself or because it is late."""

    def __init__(self, stopping: threading.Event, seconds: float, check_s: float = CHECK_S) -> None:
        self._stopping = stopping
        self.seconds = seconds
        self._check_s = check_s
        self._keys = itertools.count()
        self._running: dict[int, _Running] = {}
        self._giving_up = threading.Lock()

    def start(self) -> None:
        """Start the thread that gives up requests. It ends when the server stops."""
        threading.Thread(target=self._watch, name="time-limit", daemon=True).start()

    def begin(self, arrived_at: float, give_up: Callable[[], None]) -> int:
        """Return a key for a request that begins now. `give_up` is called once it is late, in another thread.

        `arrived_at` is in monotonic seconds.
        """
        key = next(self._keys)
        self._running[key] = _Running(arrived_at + self.seconds, give_up)
        return key

    def end(self, key: int) -> None:
        """End the request. If it is being given up, return once it was."""
        if self._running.pop(key, None) is None:  # atomic: one of the two threads gets it
            with self._giving_up:
                return

    def _watch(self) -> None:
        while not self._stopping.wait(self._check_s):
            now = time.monotonic()
            for key, running in list(self._running.items()):
                if running.late_at > now:
                    continue
                with self._giving_up:
                    if self._running.pop(key, None) is not None:
                        running.give_up()
