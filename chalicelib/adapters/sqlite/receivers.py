"""The receivers of one queue in this process. A message that is sent while one of them waits is handed to it in memory.

Its row in the database is only the safety net then. Each receiver that waits has an event of its own, so a message
wakes one thread. Nothing is polled: this process alone writes the queue, so it knows from when on a message may be due.
"""

from __future__ import annotations

from threading import Event, Lock

from chalicelib.model.times import Instant
from chalicelib.service.ports.queues import Received


class Seat:
    """The place of a receiver that waits."""

    def __init__(self) -> None:
        self.woken = Event()
        self.received: Received | None = None

    def give(self, message: Received | None) -> None:
        """Wake the receiver with a message, or, without one, to look into the database."""
        self.received = message
        self.woken.set()


class Receivers:
    """Those that wait for messages of one queue, and the time from which on one may be due.

    One of those that wait is the keeper: it looks into the database when the next message may be due.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._keeper: Seat | None = None
        self._others: list[Seat] = []
        self._due: Instant | None = 0
        self._changes = 0

    def reserve(self, most: int) -> list[Seat]:
        """Take at most that many out of those that wait, the keeper last. Each must be given something."""
        with self._lock:
            taken = [self._others.pop() for _ in range(min(most, len(self._others)))]
            if len(taken) < most and self._keeper is not None:
                taken.append(self._keeper)
                self._keeper = None
            return taken

    def expect(self, due: Instant) -> None:
        """Note that a message may be due from this time on."""
        with self._lock:
            self._changes += 1
            if self._due is not None and self._due <= due:
                return
            self._due = due
            keeper, self._keeper = self._keeper, None
        if keeper is not None:
            keeper.give(None)

    def look(self) -> tuple[Instant | None, int]:
        """Return when the next message may be due (None: there is none), and the number that `looked` takes."""
        with self._lock:
            return self._due, self._changes

    def looked(self, due: Instant | None, changes: int) -> None:
        """Note when the next message is due, as a look into the database found, unless more was noted meanwhile.

        A look can find a message before its sender notes it. So the keeper, which may know of none, is woken.
        """
        keeper = None
        with self._lock:
            if self._changes != changes:
                return
            if due is not None and (self._due is None or due < self._due):
                keeper, self._keeper = self._keeper, None
            self._due = due
        if keeper is not None:
            keeper.give(None)

    def wait(self, due: Instant | None, seconds: float, until_due: float | None) -> Received | None:
        """Wait for a message; None: look into the database, or the time is over.

        `due` is what `look` returned, and `until_due` the seconds until then.
        """
        seat = Seat()
        with self._lock:
            if self._due != due:
                return None
            is_keeper = self._keeper is None
            if is_keeper:
                self._keeper = seat
            else:
                self._others.append(seat)
        seat.woken.wait(min(seconds, until_due) if is_keeper and until_due is not None else seconds)
        with self._lock:
            if self._keeper is seat:
                self._keeper = None
                return None
            if seat in self._others:
                self._others.remove(seat)
                return None
        seat.woken.wait()  # a sender has reserved the seat, and gives it something when its transaction ends
        return seat.received

    def relieve(self) -> None:
        """Let another one be the keeper if there is none. Each receiver calls it when it leaves."""
        with self._lock:
            heir = self._others.pop() if self._keeper is None and self._others else None
        if heir is not None:
            heir.give(None)
