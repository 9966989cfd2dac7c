"""Send the notifications of a transition, once it is known that it was committed."""

from __future__ import annotations

from collections.abc import Iterable

from chalicelib.engine.announcements import Announcement, mark_of
from chalicelib.model.run import Run
from chalicelib.service import messages
from chalicelib.service.hooks.cloud_events import cloud_event, event_id
from chalicelib.service.messages import Announce, Notify
from chalicelib.service.ports.clock import Clock
from chalicelib.service.ports.queues import Queue, QueueName
from chalicelib.service.ports.runs import RunStore


class HookAnnouncer:
    """Sends notifications to the queue of deliveries."""

    def __init__(self, runs: RunStore, queue: Queue, clock: Clock) -> None:
        self._runs = runs
        self._queue = queue
        self._clock = clock

    def announce(self, run: Run, message: Announce) -> None:
        """Send the notifications of the message, if its transition was committed. `run` is its head, or a later one."""
        if not self._is_committed(run, message):
            return
        for wanted in message.wanted:
            self.notify(run, message.seq, wanted.announcement, wanted.hooks)

    def notify(self, run: Run, place: int, one: Announcement, hooks: Iterable[str]) -> None:
        """Send a notification to each of these hooks. `place` is where in the history of the run the event is."""
        event = event_id(run, place, one)
        body = cloud_event(run, event, one)
        sent = [
            Notify(
                namespace=run.namespace,
                run=run.name,
                sent_at=self._clock.now(),
                version=0,
                hook=hook,
                event=event,
                body=body,
            )
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
