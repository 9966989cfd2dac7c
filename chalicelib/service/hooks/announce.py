"""Send the notifications of a transition, once it is known that it was committed."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from chalicelib.engine.announcements import Announcement, mark_of
from chalicelib.model.hooks import EVENT_OF_END, HookEvent
from chalicelib.model.run import Run
from chalicelib.model.times import Instant
from chalicelib.service import messages
from chalicelib.service.hooks.book import HookBook
from chalicelib.service.hooks.cloud_events import cloud_event, cloud_event_of_pause, event_id, pause_id
from chalicelib.service.messages import Announce, Notify
from chalicelib.service.ports.clock import Clock
from chalicelib.service.ports.queues import Queue, QueueName
from chalicelib.service.ports.runs import RunStore

MAX_MESSAGE_AGE_MS: Final = 15 * 60 * 1000
"""How long the message of a transition may be on its way."""


class HookAnnouncer:
    """Sends notifications to the queue of deliveries."""

    def __init__(self, runs: RunStore, book: HookBook, queue: Queue, clock: Clock) -> None:
        self._runs = runs
        self._book = book
        self._queue = queue
        self._clock = clock

    def announce(self, run: Run, message: Announce) -> None:
        """Send the notifications of the message, if its transition was committed. `run` is its head, or a later one."""
        if not self._is_committed(run, message):
            return
        for wanted in message.wanted:
            self.notify(run, message.seq, wanted.announcement, wanted.hooks)

    def announce_end(self, run: Run) -> None:
        """Send the notifications of the end of a run that is about to be deleted: their message would not find it.

        If the message was handled already, the hooks receive the notification twice, with the same id.
        """
        event = EVENT_OF_END.get(run.status)
        if event is None or run.ended_at is None or run.ended_at < self._clock.now() - MAX_MESSAGE_AGE_MS:
            return
        for wanted in self._book.wanted(run, [Announcement(event=event, at=run.ended_at)]):
            self.notify(run, run.seq, wanted.announcement, wanted.hooks)

    def notify(self, run: Run, place: int, one: Announcement, hooks: Iterable[str]) -> None:
        """Send a notification to each of these hooks. `place` is where in the history of the run the event is."""
        event = event_id(run, place, one)
        self._send(run.namespace, run.name, event, cloud_event(run, event, one), hooks)

    def announce_pause(self, namespace: str, action: str, version: int, failures: int, until: Instant) -> None:
        """Send the notification that the action's breaker opens with version `version` of its state.

        It is sent before that is written, so that none is lost; the same pause always has the same id.
        """
        hooks = self._book.wanting(namespace, HookEvent.ACTION_PAUSED)
        if hooks:
            event, now = pause_id(namespace, action, version), self._clock.now()
            self._send(
                namespace, "", event, cloud_event_of_pause(namespace, event, action, now, failures, until), hooks
            )

    def _send(self, namespace: str, run: str, event: str, body: str, hooks: Iterable[str]) -> None:
        """Send a notification to each of these hooks. `run` is empty if it is not about a run."""
        now = self._clock.now()
        sent = [
            Notify(namespace=namespace, run=run, sent_at=now, version=0, hook=hook, event=event, body=body)
            for hook in hooks
        ]
        self._queue.send(QueueName.DELIVERIES, [messages.encode(each) for each in sent])

    def _is_committed(self, run: Run, message: Announce) -> bool:
        """Return whether the transition that sent the message was committed, and not another one in its place."""
        if run.version == message.version:
            return run.written == message.written
        entries = run.tail
        if not entries or entries[0].seq > message.seq:
            entries = tuple(entry for page in self._runs.pages(run, message.seq - 1) for entry in page.entries)
        return any(entry.seq == message.seq and mark_of(entry) == message.mark for entry in entries)
