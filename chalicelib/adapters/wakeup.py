"""Receivers on one machine: they sleep until a message is sent or comes due; nothing polls."""

from __future__ import annotations

from collections.abc import Callable
from threading import Condition, Lock
from time import monotonic
from typing import Final, TypeAlias

from chalicelib.service.ports.queues import Received

VISIBILITY: Final = 90_000
"""Milliseconds until a received message comes again, where nobody says."""

MAX_RECEIVES: Final = 100
"""How often a message is received before it goes to the dead, where nobody says."""


class Wakeup:
    """Wakes receivers when a queue changes. A ring between their look and their wait is not missed."""

    def __init__(self) -> None:
        self._condition = Condition(Lock())
        self.rings = 0

    def ring(self, receivers: int | None = None) -> None:
        """So many receivers look again; None: all of them."""
        with self._condition:
            self.rings += 1
            if receivers is None:
                self._condition.notify_all()
            else:
                self._condition.notify(receivers)

    def wait(self, heard: int, seconds: float) -> None:
        """Returns at a ring after the `heard`-th, or after `seconds`."""
        with self._condition:
            if self.rings == heard:
                self._condition.wait(seconds)


Look: TypeAlias = tuple[list[Received], "int | None"]
"""What a look into a queue found: messages, or in how many milliseconds the next one is due (None: there is none)."""


def await_messages(wakeup: Wakeup, look: Callable[[], Look], wait: float) -> list[Received]:
    """What `look` finds first, looking when the bell rings and when a message comes due, for `wait` seconds at most.

    It looks once more after every wait: a ring that met a receiver which was just giving up is not lost.
    """
    end = monotonic() + wait
    while True:
        heard = wakeup.rings
        found, due_in = look()
        left = end - monotonic()
        if found or left <= 0:
            return found
        wakeup.wait(heard, left if due_in is None else min(left, max(due_in, 1) / 1000))
