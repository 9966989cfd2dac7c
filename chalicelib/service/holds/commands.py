"""Pause and continue actions and flows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from chalicelib.model.holds import HeldKind
from chalicelib.service.errors import Busy, Conflict, NotFound, TooLarge
from chalicelib.service.holds.book import HoldBook, Holds, Pause
from chalicelib.service.messages import ReleaseHeld, encode
from chalicelib.service.ports.clock import Clock
from chalicelib.service.ports.definitions import DefinitionStore, Kind
from chalicelib.service.ports.queues import Queue, QueueName

MAX_PAUSED: Final = 1_000
"""How many actions and flows of a namespace can be paused at the same time."""

MAX_ATTEMPTS: Final = 8
"""How often a change is tried again after other writers were first."""


class HoldOperator:
    """Pauses and continues actions and flows. Repeating a command changes nothing."""

    def __init__(self, book: HoldBook, definitions: DefinitionStore, queue: Queue, clock: Clock) -> None:
        self._book = book
        self._definitions = definitions
        self._queue = queue
        self._clock = clock

    def pause(self, namespace: str, kind: HeldKind, name: str, *, by: str = "") -> Pause:
        """Pause it: nothing of the action is sent, no run of the flow starts. Raises NotFound, TooLarge."""
        if not self._definitions.latest(namespace, Kind(kind), [name]):
            raise NotFound(kind, name)
        at = self._clock.now()

        def paused(holds: Holds, version: int) -> Holds:
            if name not in holds.of(kind) and len(holds.actions) + len(holds.flows) >= MAX_PAUSED:
                raise TooLarge(f"{MAX_PAUSED} actions and flows are paused; that is the limit")
            return holds if name in holds.of(kind) else holds.changed(kind, name, Pause(at, by, version + 1))

        return self._change(namespace, paused).of(kind)[name]

    def resume(self, namespace: str, kind: HeldKind, name: str) -> None:
        """Continue it: what waits for it is sent, or starts. Raises NotFound if it is not defined and not paused."""
        is_known = name in self._book.read(namespace)[0].of(kind)
        if not is_known and not self._definitions.latest(namespace, Kind(kind), [name]):
            raise NotFound(kind, name)

        def resumed(holds: Holds, version: int) -> Holds:
            is_paused = name in holds.of(kind)
            message = ReleaseHeld(
                namespace=namespace, sent_at=self._clock.now(), version=version + is_paused, kind=kind, name=name
            )
            self._queue.send(QueueName.WAKES, [encode(message)])  # before the write, so that it cannot be lost
            return holds.changed(kind, name, None) if is_paused else holds

        self._change(namespace, resumed)

    def _change(self, namespace: str, change: Callable[[Holds, int], Holds]) -> Holds:
        """Replace the pauses by what `change(holds, version)` returns. Raises Busy."""
        for _ in range(MAX_ATTEMPTS):
            before, version = self._book.read(namespace)
            after = change(before, version)
            if after is before:
                return before
            try:
                self._book.write(namespace, after, version)
            except Conflict:
                continue
            return after
        raise Busy("the pauses of the namespace are being changed by too many requests at once; try again")
