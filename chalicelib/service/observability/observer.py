"""Observers of the service: metrics and traces.

An observer is called after the fact, in the thread that did the work, so it must be quick. It sends what it has
collected when a batch or a request ends (`flush`). Where nothing is observed, `NULL_OBSERVER` is used.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import Final

from chalicelib.engine.effects import Outcome
from chalicelib.engine.errors import Refused
from chalicelib.engine.events import Event
from chalicelib.model.history import Entry
from chalicelib.model.run import Run
from chalicelib.model.times import Milliseconds
from chalicelib.service.ports.actions import Reply

LOG = logging.getLogger("echoer.observer")


class Observer:
    """Does nothing; subclasses override the methods that they need."""

    def began(self, run: Run) -> None:
        """The run was created."""

    def advanced(
        self,
        before: Run,
        after: Run,
        events: Sequence[Event],
        results: Sequence[Outcome | Refused],
        trace: str = "",
    ) -> None:
        """The events were decided with these results, and `after` is committed; it is `before` if nothing changed.

        `trace` is the `traceparent` of the request that caused the events; empty: none.
        """

    def conflicted(self) -> None:
        """Another writer committed a head first."""

    def delivered(self, reply: Reply) -> None:
        """An action was called, with this reply."""

    def swept(self, sent: int, late: Sequence[Milliseconds]) -> None:
        """A sweep sent this many timers; `late` are the delays of those that were overdue."""

    def dead_lettered(self, count: int) -> None:
        """This many messages came from the dead-letter queue."""

    def flush(self) -> None:
        """A batch or a request has ended."""


class Several(Observer):
    """Several observers as one. An exception in an observer is logged and has no other effect."""

    def __init__(self, observers: Sequence[Observer]) -> None:
        self._observers = tuple(observers)

    def began(self, run: Run) -> None:
        self._each(lambda observer: observer.began(run))

    def advanced(
        self,
        before: Run,
        after: Run,
        events: Sequence[Event],
        results: Sequence[Outcome | Refused],
        trace: str = "",
    ) -> None:
        self._each(lambda observer: observer.advanced(before, after, events, results, trace))

    def conflicted(self) -> None:
        self._each(lambda observer: observer.conflicted())

    def delivered(self, reply: Reply) -> None:
        self._each(lambda observer: observer.delivered(reply))

    def swept(self, sent: int, late: Sequence[Milliseconds]) -> None:
        self._each(lambda observer: observer.swept(sent, late))

    def dead_lettered(self, count: int) -> None:
        self._each(lambda observer: observer.dead_lettered(count))

    def flush(self) -> None:
        self._each(lambda observer: observer.flush())

    def _each(self, notify: Callable[[Observer], None]) -> None:
        for observer in self._observers:
            try:
                notify(observer)
            except Exception:  # the run has advanced, so its caller must not see an error
                LOG.exception("%s raised an exception", type(observer).__name__)


NULL_OBSERVER: Final = Observer()


def news(before: Run, after: Run) -> tuple[Entry, ...]:
    """Return the history entries that `after` added."""
    return after.stored_tail.since(before.seq)
