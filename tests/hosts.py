"""The host on which tests run the service: memory, a virtual clock, scripted actions, and calls that move it.

    host = Host()                       # every action answers at once, with its first state
    host.submit(FSL)
    host.start("order", name="o-1", amount=7)
    host.settle()
    host.pass_time(3_600_000)

Options are those of `VirtualHost`; `rebuild` changes settings or adapters of a host that exists.
"""

from __future__ import annotations

from typing import Any, Final

from app import dead_letter, deliver, sweep, wake
from chalicelib.adapters.encryption import LibsodiumEncryption
from chalicelib.adapters.memory import MemoryStore
from chalicelib.adapters.virtual import Script, ScriptedCaller
from chalicelib.config import Settings
from chalicelib.engine.effects import Outcome
from chalicelib.hosting.virtual import IN_MEMORY, VirtualHost
from chalicelib.model.json_values import Json
from chalicelib.model.run import Run
from chalicelib.service.observability.observer import NULL_OBSERVER, Observer
from chalicelib.service.ports.actions import Reply, Response, Taken
from chalicelib.service.ports.encryption import Encryption
from chalicelib.service.ports.queues import QueueName
from chalicelib.service.runs.answer import Answer
from chalicelib.service.runs.start import StartOrder
from tests.entrypoints.gateway import SCHEDULE_EVENT, Context, sqs_event
from tests.fakes import KEY, FakeClock

NS: Final = "default"
HANDLERS: Final = {QueueName.DELIVERIES: deliver, QueueName.WAKES: wake, QueueName.DEAD: dead_letter}
ENCRYPTION: Final = LibsodiumEncryption(lambda: KEY)


def answer_at_once(request: dict[str, Any]) -> Reply:
    """Answer in the HTTP answer: the first state, and the arg `x` as data. A direct call is answered 200."""
    if "verb" in request:
        return Response(200)
    return Taken({"ackState": request["ackStates"][0], "data": request.get("x")})


def accept(_request: dict[str, Any]) -> Reply:
    """Accept the request and never answer."""
    return Taken()


class Host(VirtualHost):
    """A virtual host with fixed ids and a fixed key. `actions.script` replies to what is delivered."""

    clock: FakeClock

    def __init__(
        self,
        script: Script = answer_at_once,
        *,
        settings: Settings = IN_MEMORY,
        observer: Observer = NULL_OBSERVER,
        encryption: Encryption = ENCRYPTION,
        store: MemoryStore | None = None,
    ) -> None:
        self.actions = ScriptedCaller(script)
        super().__init__(
            self.actions, settings=settings, clock=FakeClock(), encryption=encryption, observer=observer, store=store
        )

    # ── requests ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def submit(self, text: str) -> None:
        self.services.submitter.submit(NS, text)

    def start(self, flow: str, name: str = "r", **given: Json) -> Run:
        return self.services.starter.start(NS, StartOrder(flow=flow, name=name, input=given)).run

    def start_in(self, trace: str, flow: str, **given: Json) -> Run:
        """Start run `r` by a request with that `traceparent`."""
        return self.services.starter.start(NS, StartOrder(flow=flow, name="r", input=given), trace=trace).run

    def answer(
        self, step: str, state: str, name: str = "r", data: Json = None, uuid: str | None = None, trace: str = ""
    ) -> Outcome:
        """Answer for the activation in which a token waits at the step, or for that of the uuid."""
        uuid = uuid or self.uuid(step, name)
        answer = Answer(run=name, step=step, uuid=uuid, state=state, done=True, data=data)
        return self.services.answerer.answer(NS, answer, trace=trace)

    # ── what is stored ───────────────────────────────────────────────────────────────────────────────────────────────

    def run(self, name: str = "r") -> Run:
        return self.services.reader.run(NS, name)

    def uuid(self, step: str, name: str = "r") -> str:
        """Return the uuid of the activation in which a token waits at the step."""
        return next(token.activation.uuid for token in self.run(name).tokens if token.step == step and token.activation)

    def path(self, name: str = "r") -> list[str]:
        """Return the steps that the run's tokens entered, in order."""
        return [entry.target for entry in self.services.reader.history(NS, name, 0, 10_000) if entry.target]

    # ── time ─────────────────────────────────────────────────────────────────────────────────────────────────────────

    def settle(self) -> None:
        """Handle every message that is due now, and those that follow from it."""
        self.pass_time(0)

    def pass_time(self, milliseconds: int) -> None:
        assert self.run_until(self.clock.now() + milliseconds)

    # ── Lambda ───────────────────────────────────────────────────────────────────────────────────────────────────────

    def work(self, queue: QueueName = QueueName.DELIVERIES) -> list[str]:
        """Hand one batch of the queue to its Lambda handler. Return the ids of the messages that it gave back."""
        received = list(self.queue.receive(queue, 10, 0))
        if not received:
            return []
        answer = HANDLERS[queue](sqs_event(queue, received), Context())
        failed = [failure["itemIdentifier"] for failure in answer["batchItemFailures"]]
        self.queue.delete(queue, [message.receipt for message in received if message.id not in failed])
        return failed

    def sweep(self) -> None:
        """Call the Lambda handler of the schedule."""
        sweep(SCHEDULE_EVENT, Context())
