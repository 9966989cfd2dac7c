"""Deferrals of messages that could not be written, as on a full disk. They are written as soon as that is possible.

Without them, each such message would only be received again after its visibility timeout. After a restart every message
that was received is due in any case.
"""

from __future__ import annotations

from collections.abc import Callable
from threading import Lock
from typing import TypeAlias

from chalicelib.model.times import Instant
from chalicelib.service.errors import Busy
from chalicelib.service.ports.queues import QueueName

_Write: TypeAlias = Callable[[QueueName, str, Instant], None]


class LateDeferrals:
    """The times from which on messages of one process are due, by their receipts, until they are stored.

    `write` stores one, and raises Busy if it cannot.
    """

    def __init__(self, write: _Write) -> None:
        self._write = write
        self._lock = Lock()
        self._left: dict[tuple[QueueName, str], Instant] = {}

    def __bool__(self) -> bool:
        return bool(self._left)

    def write(self, queue: QueueName, receipt: str, due: Instant) -> None:
        """Store when the message is due, now or later."""
        try:
            self._write(queue, receipt, due)
        except Busy:
            with self._lock:
                self._left[queue, receipt] = due

    def write_again(self) -> None:
        """Store what is left, up to the first failure."""
        with self._lock:
            left, self._left = self._left, {}
        try:
            while left:
                (queue, receipt), due = next(iter(left.items()))
                self._write(queue, receipt, due)
                del left[queue, receipt]
        except Busy:
            pass  # the next one that looks for messages tries again
        finally:
            with self._lock:
                self._left = {**left, **self._left}
