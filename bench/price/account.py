"""The Lambda handlers on emulated AWS: moto's DynamoDB, and a queue on a virtual clock. All requests are counted.

Messages are handled one by one in the order in which they are due, so that a wait of a month takes no time. Each is
received, handled in an invocation of its own and deleted: under load SQS hands over up to ten of them at once.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import app
from bench.price.meter import Meter
from chalicelib import hosting
from chalicelib.adapters.memory import MemoryQueue
from chalicelib.adapters.virtual import ScriptedCaller, SequentialIds, VirtualClock
from chalicelib.config import Backend, Settings
from chalicelib.entrypoints.http import function_url
from chalicelib.hosting import Adapters, assemble
from chalicelib.model.json_values import Json
from chalicelib.model.run import Run
from chalicelib.service.details.cost import ANSWERED_GB_SECONDS, GB_SECONDS, SENT_GB_SECONDS
from chalicelib.service.observability.prices import Requests
from chalicelib.service.ports.actions import Reply, Response, Taken
from chalicelib.service.ports.queues import QueueName, Received
from chalicelib.service.runs.start import StartOrder
from fsl.local.aws import MotoStack
from fsl.local.shapes import LambdaContext, queue_event

NAMESPACE: Final = "default"
REPLY_MS: Final = 50
"""How long an action takes to respond. The function waits, which is priced apart."""

_BATCH: Final = 10
_CHUNK_BYTES: Final = 64 * 1024
"""SQS counts a request for each 64 KB."""

_HANDLERS: Final = {QueueName.DELIVERIES: app.deliver, QueueName.WAKES: app.wake, QueueName.DEAD: app.dead_letter}


class CountedQueue(MemoryQueue):
    """A queue that counts the requests that SQS would get: it takes at most ten messages at once."""

    def __init__(self, clock: VirtualClock, requests: Requests) -> None:
        super().__init__(clock)
        self.requests = requests
        self.sends = 0

    def send(self, queue: QueueName, bodies: Sequence[str], delay: int = 0, *, early: bool = False) -> None:
        super().send(queue, bodies, delay, early=early)
        for start in range(0, len(bodies), _BATCH):
            self.sends += 1
            size = sum(len(body.encode()) for body in bodies[start : start + _BATCH])
            self.requests.queue_requests += -(-size // _CHUNK_BYTES)

    def receive(self, queue: QueueName, limit: int, wait: float) -> Sequence[Received]:
        self.requests.queue_requests += 1
        return super().receive(queue, limit, wait)

    def delete(self, queue: QueueName, receipts: Sequence[str]) -> None:
        self.requests.queue_requests += bool(receipts)
        super().delete(queue, receipts)

    def defer(self, queue: QueueName, receipt: str, delay: int) -> None:
        self.requests.queue_requests += 1
        super().defer(queue, receipt, delay)


@dataclass
class Account:
    """An AWS account, in which `requests` are counted until `reset`. Use it in a `with` block, one at a time.

    `answers`: what actions answer in their response, by the name of the step; others answer by callback. `received`
    counts messages.
    """

    by_rest: bool = False
    is_inline: bool = True
    requests: Requests = field(default_factory=Requests)
    received: int = 0
    answers: dict[str, Json] = field(default_factory=dict)

    def __enter__(self) -> Account:
        self._stack = MotoStack().__enter__()
        self.clock = VirtualClock()
        self.queue = CountedQueue(self.clock, self.requests)
        self._meter = Meter(self._stack.store.table.client, self.requests)
        self.configure(by_rest=self.by_rest, is_inline=self.is_inline)
        return self

    def configure(self, *, by_rest: bool = False, is_inline: bool = True) -> None:
        """Deploy other settings: functions that have read nothing yet."""
        self.by_rest, self.is_inline = by_rest, is_inline
        settings = Settings(
            backend=Backend.AWS,
            callback_base=None if self.by_rest else "https://a1b2.lambda-url.us-east-1.on.aws",
            definition_max_age=10**9,
            inline_delivery=self.is_inline,
        )
        self.services = assemble(
            settings,
            Adapters(
                store=self._stack.store,
                queue=self.queue,
                caller=ScriptedCaller(self._reply),
                clock=self.clock,
                ids=SequentialIds(),
            ),
        )
        hosting.use(self.services)

    def __exit__(self, *error: Any) -> None:
        hosting.forget()
        self._stack.__exit__(*error)

    def reset(self) -> None:
        """Count from zero."""
        self.requests = self.queue.requests = self._meter.requests = Requests()
        self.received = 0

    def submit(self, text: str) -> None:
        self.services.submitter.submit(NAMESPACE, text)

    def start(self, flow: str, name: str, **given: Json) -> None:
        """Start a run through the API."""
        self.services.starter.start(NAMESPACE, StartOrder(flow=flow, name=name, input=given))
        self._invoked("api", is_rest=True)

    def stop(self, name: str) -> None:
        """Stop the run unless it has ended, and handle its messages."""
        if self.run(name).ended_at is None:
            self.services.operator.stop(NAMESPACE, name)
        self.work()

    def run(self, name: str) -> Run:
        """Return the run, by a read that is not counted."""
        counted = self._meter.requests
        self._meter.requests = Requests()
        try:
            return self.services.reader.run(NAMESPACE, name)
        finally:
            self._meter.requests = counted

    def work(self, until: int | None = None) -> None:
        """Handle all messages that are due by then; None: now."""
        end = self.clock.now() if until is None else until
        while (due := self.queue.next_due()) is not None and due[0] <= end:
            self.clock.advance_to(due[0])
            received, sends = self.queue.receive(due[2], 1, 0), self.queue.sends
            found = _HANDLERS[due[2]](queue_event(due[2], received), LambdaContext(str(due[2])))
            failed = {one["itemIdentifier"] for one in found["batchItemFailures"]}
            self.queue.delete(due[2], [one.receipt for one in received if one.id not in failed])
            self._invoked(due[2])
            self.requests.gb_seconds += (self.queue.sends - sends) * SENT_GB_SECONDS
            self.received += 1
        self.clock.advance_to(end)

    def sweep(self) -> None:
        """Let the schedule of every minute come once."""
        app.sweep({"id": "1", "detail-type": "", "source": "", "account": "", "time": "", "region": "", "resources": [],
                   "detail": {}, "version": "0"}, LambdaContext("sweep"))  # fmt: skip
        self._invoked("sweep")

    def sweep_at(self, at: int) -> None:
        """Let the sweep of that moment send its messages. What else a sweep costs is counted apart from runs."""
        self.clock.advance_to(at)
        sent, counted = self.queue.requests.queue_requests, self._meter.requests
        self._meter.requests = Requests()
        self.services.timers.sweep()
        self._meter.requests = counted
        if self.queue.requests.queue_requests == sent:
            raise AssertionError("the sweep sends nothing")

    def answer(self, name: str, state: str = "OK", data: Json = None) -> None:
        """Let the action of every token that waits for one answer by callback."""
        for token in self.run(name).tokens:
            if token.activation is None or token.activation.is_join:
                continue
            told = {"flowId": name, "stepName": token.step, "uuid": token.activation.uuid, "ackState": state}
            found = function_url.serve(_url_event("/step", {**told, "done": True, "data": data}), LambdaContext("url"))
            if found["statusCode"] != 200 or json.loads(found["body"])["outcome"] != "advanced":
                raise AssertionError(found)
            self._invoked("callback", is_rest=self.by_rest)

    def _invoked(self, function: str, *, is_rest: bool = False) -> None:
        self.requests.invocations += 1
        self.requests.gb_seconds += GB_SECONDS[function]
        self.requests.rest_requests += is_rest

    def _reply(self, request: dict[str, Any]) -> Reply:
        self.clock.advance(REPLY_MS)
        is_direct = "verb" in request
        if not is_direct and request["stepName"] not in self.answers:
            return Taken()
        self.requests.gb_seconds += ANSWERED_GB_SECONDS
        return Response(200) if is_direct else Taken({"ackState": "OK", "data": self.answers[request["stepName"]]})


def _url_event(path: str, body: Json) -> dict[str, Any]:
    """Return the event of a Function URL (AWS Lambda Developer Guide, "Invoking Lambda function URLs")."""
    return {
        "version": function_url.VERSION,
        "rawPath": path,
        "rawQueryString": "",
        "headers": {"content-type": "application/json"},
        "requestContext": {"http": {"method": "POST", "path": path, "sourceIp": "203.0.113.7"}, "requestId": "r"},
        "body": json.dumps(body),
        "isBase64Encoded": False,
    }
