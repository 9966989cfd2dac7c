"""A host in memory, with virtual time: the real service, no thread, no file, and a clock that jumps.

Messages, sweeps and planned calls happen one after the other, earliest first; of those due at the same moment, the one
that was sent or planned first. The clock then jumps to the next one, so a month passes in milliseconds, and the same
calls give the same runs.

    host = VirtualHost(caller)
    host.define(action, flow)
    host.services.starter.start("default", StartOrder(flow="order", name="o-1"))
    host.at(host.clock.now() + 3_600_000, lambda: host.services.operator.stop("default", "o-1"))
    host.run_until()
"""

from __future__ import annotations

import heapq
from collections.abc import Callable
from functools import partial
from typing import Any, Final, TypeAlias

from msgspec.structs import replace

from chalicelib.adapters.memory import MemoryQueue, MemoryStore
from chalicelib.adapters.virtual import SequentialIds, VirtualClock
from chalicelib.config import Backend, Settings
from chalicelib.hosting import consumers
from chalicelib.hosting.adapters import Adapters
from chalicelib.hosting.backends import encryption_for
from chalicelib.hosting.wiring import Services, assemble
from chalicelib.model.json_values import encode
from chalicelib.model.statements import KIND_OF, DefinitionValue
from chalicelib.model.times import Instant
from chalicelib.service import messages
from chalicelib.service.messages import Message
from chalicelib.service.observability.observer import NULL_OBSERVER, Observer
from chalicelib.service.ports.actions import Caller
from chalicelib.service.ports.definitions import Definition, Kind
from chalicelib.service.ports.encryption import Encryption
from chalicelib.service.ports.queues import MAX_DEFER_MS, QueueName, Received
from chalicelib.service.timers.run_timers import MAX_SWEPT_TIMERS, SWEEP_LOOKAHEAD_MS

MAX_EVENTS: Final = 100_000
"""How many events `run_until` lets happen where its caller sets no limit."""

IN_MEMORY: Final = Settings(backend=Backend.MEMORY)

_END_OF_TIME: Final[Instant] = 1 << 53

_Event: TypeAlias = tuple[Instant, tuple[int, int], Callable[[], object]]
"""When it happens, its place among the events of that moment, and what it does."""


class VirtualHost:
    """The service on memory adapters. `caller` delivers to actions; use `services` as on any other host."""

    def __init__(
        self,
        caller: Caller,
        *,
        settings: Settings = IN_MEMORY,
        clock: VirtualClock | None = None,
        encryption: Encryption | None = None,
        observer: Observer = NULL_OBSERVER,
        store: MemoryStore | None = None,
    ) -> None:
        self.clock = clock or VirtualClock()
        self.store = store or MemoryStore()
        self.queue = MemoryQueue(self.clock)
        self.caller = caller
        adapters = Adapters(
            store=self.store,
            queue=self.queue,
            caller=caller,
            clock=self.clock,
            ids=SequentialIds(),
            observer=observer,
            encryption=encryption or encryption_for(settings),
        )
        self.services: Services = assemble(settings, adapters)
        self.namespace = settings.namespace
        self._planned: list[tuple[Instant, tuple[int, int], Callable[[], object]]] = []
        self._plans = 0
        self._swept_until = self.clock.now()

    def rebuild(self, settings: Settings | None = None, **adapters: Any) -> None:
        """Replace the services, as in another container: nothing is left in their memory.

        `settings` and `adapters` (fields of `Adapters`) take the place of those that the host has.
        """
        changed = replace(self.services.adapters, **adapters)
        self.services = assemble(settings or self.services.settings, changed)

    def define(self, *values: DefinitionValue) -> None:
        """Store the next version of each definition. They are checked already: no FSL is read."""
        definitions, made = self.services.adapters.store.definitions, list[Definition]()
        for value in values:
            kind = Kind(KIND_OF[type(value)])
            newest = definitions.latest(self.namespace, kind, [value.name], deleted=True).get(value.name)
            made.append(
                Definition(
                    kind=kind,
                    name=value.name,
                    version=newest.version + 1 if newest else 1,
                    uuid=f"{kind}-{value.name}",
                    text="",
                    value=encode(value),
                    created_at=self.clock.now(),
                )
            )
        definitions.submit(self.namespace, made, [])
        self.services.definition_cache.learn(self.namespace, made)

    def at(self, when: Instant, call: Callable[[], object]) -> None:
        """Plan a call for that moment; for now, if it has passed. An exception of the call leaves `run_until`."""
        self._plans += 1
        heapq.heappush(self._planned, (max(when, self.clock.now()), (self.queue.sent, self._plans), call))

    def run_until(self, until: Instant | None = None, *, max_events: int = MAX_EVENTS) -> bool:
        """Let everything happen that is due by `until` (None: ever). Return False if that is more than `max_events`."""
        happened = 0
        while (event := self._next()) is not None and (until is None or event[0] <= until):
            if happened == max_events:
                return False
            happened += 1
            self.clock.advance_to(event[0])
            event[2]()
        self.clock.advance_to(until or 0)
        return True

    def handle(self, message: Message) -> int | None:
        """Handle a message that was received. Return in how many milliseconds it must come again, or None."""
        queue = QueueName.DELIVERIES if isinstance(message, consumers.KINDS[QueueName.DELIVERIES]) else QueueName.WAKES
        return consumers.handle(self.services, queue, [message])[0]

    # ── what happens next ────────────────────────────────────────────────────────────────────────────────────────────

    def _next(self) -> _Event | None:
        event = self._next_message()
        if self._planned and (event is None or self._planned[0][:2] < event[:2]):
            when, place, call = self._planned[0]
            event = when, place, partial(self._call, call)
        return self._sweep_before(event) or event

    def _call(self, call: Callable[[], object]) -> None:
        heapq.heappop(self._planned)
        call()

    def _next_message(self) -> _Event | None:
        due = self.queue.next_due()
        if due is None:
            return None
        at, number, queue = due
        return at, (number, 0), partial(self._receive, queue)

    def _receive(self, queue: QueueName) -> None:
        for received in self.queue.receive(queue, 1, 0):
            self._consume(queue, received, messages.decode(received.body))

    def _consume(self, queue: QueueName, received: Received, message: Message) -> None:
        if queue is QueueName.DEAD:
            again, *_ = consumers.handle(self.services, queue, [message])
        else:
            again = self.handle(message)
        if again is None:
            self.queue.delete(queue, [received.receipt])
        else:
            self.queue.defer(queue, received.receipt, min(again, MAX_DEFER_MS))

    def _sweep_before(self, event: _Event | None) -> _Event | None:
        """Return the sweep that must come before the event: a far timer has no message until a sweep sends it.

        Elsewhere a sweep runs every minute; here only those run without which a timer would be missed.
        """
        if event is not None and event[0] <= self._swept_until:
            return None
        store = self.services.adapters.store
        due = [timer.at for timer in store.runs.due(_END_OF_TIME, 1)]
        due += [schedule.at for schedule in store.schedules.due(_END_OF_TIME, 1)]
        if not due or (event is not None and event[0] <= min(due)):
            return None
        return max(self.clock.now(), min(due) - SWEEP_LOOKAHEAD_MS), (0, 0), self._sweep

    def _sweep(self) -> None:
        now = self.clock.now()
        swept = self.services.timers.sweep()
        self._swept_until = now + SWEEP_LOOKAHEAD_MS if swept.sent < MAX_SWEPT_TIMERS else now
