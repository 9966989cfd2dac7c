"""Waiting receivers of a queue in this process: they sleep until a message is sent or comes due."""

from __future__ import annotations

from collections.abc import Callable
from threading import Condition, Lock
from time import monotonic
from typing import Final, TypeAlias

from chalicelib.service.ports.queues import Received

VISIBILITY_MS: Final = 180_000
"""The default time until a received message that was not deleted is received again: longer than a delivery takes."""

MAX_RECEIVES: Final = 100
"""The default number of receptions after which a message goes to the dead-letter queue."""


class Wakeup:
    """Wakes receivers when a queue changes. A notification between a receiver's poll and its wait is not lost."""

    def __init__(self) -> None:
        self._condition = Condition(Lock())
        self.notifications = 0

    def notify(self, receivers: int | None = None) -> None:
        """Wake that many receivers; None wakes all."""
        with self._condition:
            self.notifications += 1
            if receivers is None:
                self._condition.notify_all()
            else:
                self._condition.notify(receivers)

    def wait(self, seen: int, seconds: float) -> None:
        """Return at the first notification after number `seen`, or after `seconds`."""
        with self._condition:
            if self.notifications == seen:
                self._condition.wait(seconds)


PollResult: TypeAlias = tuple[list[Received], "int | None"]
"""The messages that are due, or the milliseconds until the next one is (None: the queue is empty)."""


def await_messages(wakeup: Wakeup, poll: Callable[[], PollResult], wait: float) -> list[Received]:
    """Return the first messages that `poll` finds, waiting at most `wait` seconds.

    It polls at each notification and when a message comes due, and once more at the end: a notification that wakes a
    receiver whose time is over is not lost.
    """
    end = monotonic() + wait
    while True:
        seen = wakeup.notifications
        found, due_in = poll()
        left = end - monotonic()
        if found or left <= 0:
            return found
        wakeup.wait(seen, left if due_in is None else min(left, max(due_in, 1) / 1000))
