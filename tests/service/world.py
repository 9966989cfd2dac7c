"""A whole small Echoer in memory, whose time stands still until a test moves it."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from chalicelib.adapters.encryption import LibsodiumEncryption
from chalicelib.adapters.memory import MemoryQueue, MemoryStore
from chalicelib.config import Backend, Settings
from chalicelib.engine.effects import Outcome
from chalicelib.hosting import Adapters, Services, assemble
from chalicelib.model.actions import Action
from chalicelib.model.flow import Flow
from chalicelib.model.json_values import Json, encode
from chalicelib.model.run import Run
from chalicelib.service import messages
from chalicelib.service.messages import Deliver
from chalicelib.service.ports.actions import Call, Reply, Taken
from chalicelib.service.ports.definitions import Definition, Kind
from chalicelib.service.ports.queues import QueueName
from chalicelib.service.runs.answer import Answer
from chalicelib.service.runs.start import StartOrder
from tests.fakes import KEY, FakeClock, FakeIds

NS = "default"

Script = Callable[[dict[str, Any]], Reply]


def at_once(request: dict[str, Any]) -> Reply:
    """Every action answers in its answer: its first state, and what it was asked as data."""
    return Taken({"ackState": request["ackStates"][0], "data": request.get("x")})


@dataclass
class Actions:
    """Stands for all action services; `script` says what they answer."""

    script: Script = at_once
    calls: list[Call] = field(default_factory=list)

    def post(self, call: Call) -> Reply:
        self.calls.append(call)
        return self.script(json.loads(call.body))

    @property
    def requests(self) -> list[dict[str, Any]]:
        return [json.loads(call.body) for call in self.calls]


class Small:
    """The services on memory, and hands to move them."""

    def __init__(self, script: Script = at_once) -> None:
        self.clock, self.store, self.actions = FakeClock(), MemoryStore(), Actions(script)
        self.queue = MemoryQueue(self.clock)
        self.services: Services = assemble(
            Settings(backend=Backend.MEMORY),
            Adapters(
                store=self.store,
                queue=self.queue,
                caller=self.actions,
                clock=self.clock,
                ids=FakeIds(),
                encryption=LibsodiumEncryption(lambda: KEY),
            ),
        )

    def submit(self, text: str) -> None:
        self.services.submitter.submit(NS, text)

    def define(self, *values: Action | Flow) -> None:
        """The definitions are in force, made without a text."""
        made = [
            Definition(
                kind=Kind.FLOW if isinstance(value, Flow) else Kind.ACTION,
                name=value.name,
                version=1,
                uuid=f"u-{value.name}",
                text="",
                value=encode(value),
                created_at=self.clock.now(),
            )
            for value in values
        ]
        self.store.definitions.submit(NS, made, [])

    def start(self, flow: str, name: str = "r", **given: Json) -> Run:
        return self.services.starter.start(NS, StartOrder(flow=flow, name=name, input=given)).run

    def start_in(self, trace: str, flow: str, **given: Json) -> Run:
        """Start run `r` by a request with that `traceparent`."""
        return self.services.starter.start(NS, StartOrder(flow=flow, name="r", input=given), trace=trace).run

    def run(self, name: str = "r") -> Run:
        return self.services.reader.run(NS, name)

    def uuid(self, step: str, name: str = "r") -> str:
        """The uuid of the activation in which a token waits at the step."""
        return next(token.activation.uuid for token in self.run(name).tokens if token.step == step and token.activation)

    def answer(
        self, step: str, state: str, name: str = "r", data: Json = None, uuid: str | None = None, trace: str = ""
    ) -> Outcome:
        told = Answer(run=name, step=step, uuid=uuid or self.uuid(step, name), state=state, done=True, data=data)
        return self.services.answerer.answer(NS, told, trace=trace)

    def path(self, name: str = "r") -> list[str]:
        """Where the run's tokens went, in order."""
        return [entry.target for entry in self.services.reader.history(NS, name, 0, 10_000) if entry.target]

    def settle(self) -> None:
        """Every message that is due is obeyed, until there is none."""
        while self._batch(QueueName.DELIVERIES) or self._batch(QueueName.WAKES):
            pass

    def pass_time(self, milliseconds: int, step: int = 60_000) -> None:
        """Time passes, a minute at a time with a sweep, as it does on AWS."""
        end = self.clock.now() + milliseconds
        while self.clock.now() < end:
            self.clock.advance(min(step, end - self.clock.now()))
            self.services.timers.sweep()
            self.settle()

    def _batch(self, queue: QueueName) -> bool:
        received = self.queue.receive(queue, 10, 0)
        batch = [messages.decode(one.body) for one in received]
        if queue is QueueName.DELIVERIES:
            redeliveries = self.services.deliverer.deliver([one for one in batch if isinstance(one, Deliver)])
        else:
            redeliveries = self.services.waker.wake(batch)
        for one, redelivery in zip(received, redeliveries, strict=True):
            if redelivery is None:
                self.queue.delete(queue, [one.receipt])
            else:
                self.queue.defer(queue, one.receipt, redelivery)
        return bool(received)
