"""Short notes from one process of a server to another, through pipes: one for each process, in which all others write.

A note that finds a pipe full is lost, so nothing may depend on it alone: who waits looks again by itself.
"""

from __future__ import annotations

import os
import struct
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from enum import IntEnum
from typing import Final

COLLECT_TIMEOUT_S: Final = 0.5
"""How long is waited for others to store what they have counted."""

_NOTE: Final = struct.Struct("<BBxxI")  # shorter than PIPE_BUF, so notes of several writers do not mix (pipe(7))
_NOTES_AT_ONCE: Final = 512


class Kind(IntEnum):
    """What a note says; `about` is a number whose meaning depends on it."""

    CHANGED = 1
    """A run has changed."""
    ENDED = 2
    """A run has ended."""
    COLLECT = 3
    """Store what you have counted."""
    COLLECTED = 4
    """It is stored."""


class Post:
    """The notes of process number `process`. `inbox` is its pipe to read; `outboxes` are those of all to write."""

    def __init__(self, process: int, inbox: int, outboxes: Sequence[int]) -> None:
        self._process = process
        self._inbox = inbox
        self._outboxes = outboxes
        self._collecting = threading.Lock()
        self._answered = threading.Condition()
        self._answers: set[int] = set()
        self._round = 0
        self.others = tuple(number for number in range(len(outboxes)) if number != process)
        self.changed: Callable[[int, bool], None] = lambda _run, _is_over: None
        """Called with the hash of a run that another process has changed, and whether it is over."""
        self.collect: Callable[[], None] = lambda: None
        """Stores what this process has counted."""

    def start(self) -> None:
        """Read notes in a thread of its own."""
        threading.Thread(target=self._read, name="post", daemon=True).start()

    def send(self, to: int, kind: Kind, about: int = 0) -> None:
        """Send a note, unless too many wait to be read."""
        with suppress(BlockingIOError, BrokenPipeError):
            os.write(self._outboxes[to], _NOTE.pack(kind, self._process, about))

    def collect_from_others(self) -> None:
        """Have the others store what they have counted, and wait for it, but at most COLLECT_TIMEOUT_S."""
        with self._collecting:
            with self._answered:
                self._round = (self._round + 1) % 2**32
                self._answers.clear()
            for other in self.others:
                self.send(other, Kind.COLLECT, self._round)
            with self._answered:
                self._answered.wait_for(lambda: len(self._answers) == len(self.others), COLLECT_TIMEOUT_S)

    def _read(self) -> None:
        while data := os.read(self._inbox, _NOTE.size * _NOTES_AT_ONCE):
            for kind, sender, about in _NOTE.iter_unpack(data):
                self._take(kind, sender, about)

    def _take(self, kind: int, sender: int, about: int) -> None:
        if kind in (Kind.CHANGED, Kind.ENDED):
            self.changed(about, kind == Kind.ENDED)
        elif kind == Kind.COLLECT:
            threading.Thread(target=self._collect_for, args=(sender, about), name="collect", daemon=True).start()
        elif kind == Kind.COLLECTED:
            with self._answered:
                if about == self._round:
                    self._answers.add(sender)
                    self._answered.notify_all()

    def _collect_for(self, sender: int, about: int) -> None:
        self.collect()
        self.send(sender, Kind.COLLECTED, about)
