"""Whoever watches what the service does, to tell of it: as metrics, as traces.

It is told after the fact and in the thread that did it, so it must be quick. What it has to say it says when a
batch or a request is over (`flush`). Where nobody watches, `NO_OBSERVER` does.
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
    """Hears of everything, and makes nothing of it: whoever watches overrides what it is for."""

    def began(self, run: Run) -> None:
        """The run was created."""

    def advanced(self, before: Run, after: Run, events: Sequence[Event], results: Sequence[Outcome | Refused]) -> None:
        """The events were decided, with these results, and `after` is committed; it is `before` if nothing changed."""

    def conflicted(self) -> None:
        """A write of a head was lost to another's."""

    def delivered(self, reply: Reply) -> None:
        """An activation was sent to its action, and this came of it."""

    def swept(self, sent: int, late: Sequence[Milliseconds]) -> None:
        """A sweep sent so many alarms on; `late`: how long ago each of those that were overdue should have rung."""

    def dead_lettered(self, letters: int) -> None:
        """So many messages were among the dead letters."""

    def flush(self) -> None:
        """A batch or a request is over."""


class Several(Observer):
    """Observers as one. Nothing fails because one of them does."""

    def __init__(self, observers: Sequence[Observer]) -> None:
        self._observers = tuple(observers)

    def began(self, run: Run) -> None:
        self._each(lambda observer: observer.began(run))

    def advanced(self, before: Run, after: Run, events: Sequence[Event], results: Sequence[Outcome | Refused]) -> None:
        self._each(lambda observer: observer.advanced(before, after, events, results))

    def conflicted(self) -> None:
        self._each(lambda observer: observer.conflicted())

    def delivered(self, reply: Reply) -> None:
        self._each(lambda observer: observer.delivered(reply))

    def swept(self, sent: int, late: Sequence[Milliseconds]) -> None:
        self._each(lambda observer: observer.swept(sent, late))

    def dead_lettered(self, letters: int) -> None:
        self._each(lambda observer: observer.dead_lettered(letters))

    def flush(self) -> None:
        self._each(lambda observer: observer.flush())

    def _each(self, tell: Callable[[Observer], None]) -> None:
        for observer in self._observers:
            try:
                tell(observer)
            except Exception:  # the run has moved: whoever moved it must not be told that it failed
                LOG.exception("%s failed to watch", type(observer).__name__)


NO_OBSERVER: Final = Observer()


def news(before: Run, after: Run) -> tuple[Entry, ...]:
    """The history entries that came with `after`."""
    return tuple(entry for entry in after.tail if entry.seq > before.seq)
