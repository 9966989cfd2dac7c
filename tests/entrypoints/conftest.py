"""One small world per test: everything in memory, time and chance as values, an action that answers as it is told."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from app import dead_letter, deliver, sweep, wake
from chalicelib import hosting
from chalicelib.adapters.encryption import LibsodiumEncryption
from chalicelib.adapters.memory import MemoryQueue, MemoryStore
from chalicelib.config import Backend, Settings
from chalicelib.hosting import Adapters, Services, assemble
from chalicelib.service.ports.actions import Call, Reply, Taken
from chalicelib.service.ports.queues import QueueName
from tests.entrypoints.gateway import SCHEDULE_EVENT, Context, sqs_event
from tests.fakes import KEY, FakeClock, FakeIds

HANDLERS = {QueueName.DELIVERIES: deliver, QueueName.WAKES: wake, QueueName.DEAD: dead_letter}


@dataclass
class FakeCaller:
    """Actions: takes every call and keeps it; `reply` says what comes back."""

    reply: Callable[[dict[str, Any]], Reply] = lambda request: Taken()
    calls: list[Call] = field(default_factory=list)

    def post(self, call: Call) -> Reply:
        self.calls.append(call)
        return self.reply(json.loads(call.body))

    @property
    def last(self) -> dict[str, Any]:
        """The last request that an action received."""
        request: dict[str, Any] = json.loads(self.calls[-1].body)
        return request


@dataclass
class House:
    """The services under test and the fakes that they stand on."""

    services: Services
    store: MemoryStore
    queue: MemoryQueue
    caller: FakeCaller
    clock: FakeClock

    def work(self, queue: QueueName = QueueName.DELIVERIES) -> list[str]:
        """One batch of the queue goes through its Lambda handler; the ids that it was not done with."""
        received = list(self.queue.receive(queue, 10, 0))
        if not received:
            return []
        answer = HANDLERS[queue](sqs_event(queue, received), Context())
        failed = [failure["itemIdentifier"] for failure in answer["batchItemFailures"]]
        self.queue.delete(queue, [message.receipt for message in received if message.id not in failed])
        return failed

    def sweep(self) -> None:
        sweep(SCHEDULE_EVENT, Context())


@pytest.fixture
def house() -> Iterator[House]:
    clock, store, caller = FakeClock(), MemoryStore(), FakeCaller()
    queue = MemoryQueue(clock)
    services = assemble(
        Settings(backend=Backend.MEMORY),
        Adapters(
            store=store,
            queue=queue,
            caller=caller,
            clock=clock,
            ids=FakeIds(),
            encryption=LibsodiumEncryption(lambda: KEY),
        ),
    )
    hosting.use(services)
    yield House(services, store, queue, caller, clock)
    hosting.forget()
