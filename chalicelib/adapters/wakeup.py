"""Receivers on one machine: they sleep until a message is sent or comes due; nothing polls."""

from __future__ import annotations

from collections.abc import Callable
from threading import Condition, Lock
from time import monotonic
from typing import Final, TypeAlias

from chalicelib.service.ports.queues import Received

VISIBILITY_MS: Final = 90_000
"""Milliseconds until a received message comes again, where nobody says."""

MAX_RECEIVES: Final = 100
"""How often a message is received before it goes to the dead, where nobody says."""


class Wakeup:
    """Wakes receivers when a queue changes. A ring between their poll and their wait is not missed."""

    def __init__(self) -> None:
        self._condition = Condition(Lock())
        self.notifications = 0

    def notify(self, receivers: int | None = None) -> None:
        """So many receivers poll again; None: all of them."""
        with self._condition:
            self.notifications += 1
            if receivers is None:
                self._condition.notify_all()
            else:
                self._condition.notify(receivers)

    def wait(self, seen: int, seconds: float) -> None:
        """Returns at a ring after the `seen`-th, or after `seconds`."""
        with self._condition:
            if self.notifications == seen:
                self._condition.wait(seconds)


PollResult: TypeAlias = tuple[list[Received], "int | None"]
"""What a poll into a queue found: messages, or in how many milliseconds the next one is due (None: there is none)."""


def await_messages(wakeup: Wakeup, poll: Callable[[], PollResult], wait: float) -> list[Received]:
    """What `poll` finds first, looking when the bell notifications and when a message comes due, for `wait` seconds at most.

    It looks once more after every wait: a ring that met a receiver which was just giving up is not lost.
    """
    end = monotonic() + wait
    while True:
        seen = wakeup.notifications
        found, due_in = poll()
        left = end - monotonic()
        if found or left <= 0:
            return found
        wakeup.wait(seen, left if due_in is None else min(left, max(due_in, 1) / 1000))
