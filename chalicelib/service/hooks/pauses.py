"""Notify hooks that the deliveries of an action pause: its breaker has opened.

The message is sent before the value of the breaker is written, so that none is lost. Its consumer looks at the value:
only what was written is announced.
"""

from __future__ import annotations

from chalicelib.engine.announcements import Announcement
from chalicelib.model.hooks import HookEvent
from chalicelib.model.run import Run
from chalicelib.model.times import Instant
from chalicelib.service import messages
from chalicelib.service.hooks.announce import HookAnnouncer
from chalicelib.service.hooks.book import HookBook
from chalicelib.service.messages import AnnouncePause
from chalicelib.service.ports.clock import Clock
from chalicelib.service.ports.queues import Queue, QueueName


class PauseAnnouncer:
    """Sends the messages of pauses, and the notifications once the pause is stored."""

    def __init__(self, book: HookBook, announcer: HookAnnouncer, queue: Queue, clock: Clock) -> None:
        self._book = book
        self._announcer = announcer
        self._queue = queue
        self._clock = clock

    def announce(self, run: Run, action: str, until: Instant, detail: str) -> None:
        """Announce that the action pauses until then: a delivery of this run failed. The pause is not stored yet."""
        now = self._clock.now()
        one = Announcement(
            event=HookEvent.ACTION_PAUSED, at=now, uuid=f"{action}/{until}", action=action, detail=detail
        )
        wanted = self._book.wanted(run, [one])
        if wanted:
            message = AnnouncePause(
                namespace=run.namespace,
                run=run.name,
                sent_at=now,
                version=0,
                action=action,
                until=until,
                notices=self._announcer.notices(run, 0, one, wanted[0].hooks),
            )
            self._queue.send(QueueName.WAKES, [messages.encode(message)])

    def send(self, message: AnnouncePause) -> None:
        """Send the notifications of a pause that is stored."""
        self._announcer.send(message.notices)
