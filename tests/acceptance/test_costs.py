"""The cost of each path in a warm container on AWS: the calls that leave the process (docs/architecture.md, 6)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import pytest

from chalicelib import hosting
from chalicelib.adapters.system import SystemClock, SystemIds
from chalicelib.adapters.virtual import ScriptedCaller
from chalicelib.config import Backend, Settings
from chalicelib.engine.paging import MAX_TAIL_ENTRIES
from chalicelib.entrypoints import workers
from chalicelib.hosting import Adapters, Services, assemble
from chalicelib.service.ports.actions import Taken
from chalicelib.service.ports.queues import QueueName
from fsl.local.aws import MotoStack
from fsl.local.shapes import queue_event
from tests.entrypoints.gateway import call
from tests.fakes import Counting, Operation
from tests.hosts import accept

FLOWS = """
action work addr = "http://work.test/"; args = (str what = "x"); return = (OK | AGAIN | FAIL); action_end
/
flow loop step A => (OK -> B | AGAIN -> A | FAIL -> stopped) { action = work; };
          step B => (OK -> done | AGAIN -> B | FAIL -> stopped) { action = work; }; flow_end
"""

READ = Operation("GetItem", consistent=True)


@dataclass
class Cost:
    """The requests to DynamoDB and SQS."""

    dynamo: list[Operation] = field(default_factory=list)
    sqs: list[str] = field(default_factory=list)

    @property
    def plain(self) -> list[tuple[str, bool]]:
        """Return each operation, and whether it is conditional (a write) or consistent (a read)."""
        return [(found.name, found.conditional or found.consistent) for found in self.dynamo]


class Container:
    """A warm container on AWS, and calls that advance its runs."""

    def __init__(self, stack: MotoStack) -> None:
        self.stack, self.actions = stack, ScriptedCaller(accept)
        self.services: Services = assemble(
            Settings(backend=Backend.AWS, definition_max_age=3_600_000),
            Adapters(store=stack.store, queue=stack.queue, caller=self.actions, clock=SystemClock(), ids=SystemIds()),
        )
        hosting.use(self.services)
        assert call("POST", "/fsl", FLOWS).status == 200
        self.start("warm")
        self.answer("warm", "OK")

    def start(self, run: str) -> None:
        assert call("POST", "/flow/loop/runs", {"name": run}).status == 201

    def answer(self, run: str, state: str) -> None:
        head = self.services.reader.run("default", run)
        token = head.tokens[0]
        assert token.activation
        told = {"flowId": run, "stepName": token.step, "uuid": token.activation.uuid, "ackState": state, "done": True}
        with self.counting() as cost:
            assert call("POST", "/step", told).json == {"outcome": "advanced"}
        self.cost = cost

    @contextmanager
    def counting(self) -> Iterator[Cost]:
        cost, client = Cost(), self.stack.queue._client
        client.meta.events.register("before-parameter-build.sqs", lambda model, **_: cost.sqs.append(model.name), "n")
        with Counting(self.stack.store.table.client) as counted:
            yield cost
        client.meta.events.unregister("before-parameter-build.sqs", unique_id="n")
        cost.dynamo = counted.operations

    def deliver(self) -> Cost:
        """Receive one delivery, handle it, and delete it as Lambda does."""
        with self.counting() as cost:
            (message,) = self.stack.queue.receive(QueueName.DELIVERIES, 1, 0)
            assert workers.deliver(queue_event(QueueName.DELIVERIES, [message])) == {"batchItemFailures": []}
            self.stack.queue.delete(QueueName.DELIVERIES, [message.receipt])
        return cost

    def drain(self) -> None:
        while messages := self.stack.queue.receive(QueueName.DELIVERIES, 10, 0):
            self.stack.queue.delete(QueueName.DELIVERIES, [message.receipt for message in messages])

    def keys(self, run: str) -> dict[str, Any]:
        """Return the attributes of a head that are index keys."""
        item = self.stack.store.runs.head_of(self.services.reader.run("default", run))
        return {name: getattr(item, name) for name in ("c", "lp", "fp", "cp", "ca", "ap", "al")}


@pytest.fixture(scope="module")
def host() -> Iterator[Container]:
    with MotoStack() as stack:
        yield Container(stack)
    hosting.forget()


def test_the_start_of_a_run_is_one_write_and_one_send(host: Container) -> None:
    with host.counting() as cost:
        host.start("start")
    assert cost.plain == [("PutItem", True)]
    assert cost.sqs == ["SendMessageBatch"]
    assert cost.dynamo[0].write_units == 1


def test_a_callback_is_one_read_one_write_and_one_send(host: Container) -> None:
    host.start("callback")
    before = host.keys("callback")
    host.answer("callback", "OK")
    assert host.cost.dynamo[0] == READ
    assert host.cost.plain == [("GetItem", True), ("PutItem", True)]
    assert host.cost.sqs == ["SendMessageBatch"]
    assert host.cost.dynamo[1].write_units == 1
    assert host.keys("callback") == before  # no index is written while the status stays


def test_a_late_answer_is_one_read(host: Container) -> None:
    host.start("late")
    token = host.services.reader.run("default", "late").tokens[0]
    assert token.activation
    told = {"flowId": "late", "stepName": "A", "uuid": token.activation.uuid, "ackState": "OK", "done": True}
    call("POST", "/step", told)
    with host.counting() as cost:
        assert call("POST", "/step", told).json == {"outcome": "duplicate"}
    assert (cost.dynamo, cost.sqs) == ([READ], [])


def test_a_delivery_that_is_taken_is_one_read_and_no_write(host: Container) -> None:
    host.drain()
    host.start("taken")
    host.actions.script = accept
    cost = host.deliver()
    assert cost.dynamo == [READ]
    assert cost.sqs == ["ReceiveMessage", "DeleteMessageBatch"]


def test_a_delivery_that_is_answered_at_once_is_one_read_one_write_and_one_send(host: Container) -> None:
    host.drain()
    host.start("answered")
    host.actions.script = lambda _: Taken({"ackState": "OK"})
    cost = host.deliver()
    assert cost.plain == [("GetItem", True), ("PutItem", True)]
    assert cost.sqs == ["ReceiveMessage", "SendMessageBatch", "DeleteMessageBatch"]
    assert host.services.reader.run("default", "answered").tokens[0].step == "B"


def test_costs_do_not_grow_with_the_history(host: Container) -> None:
    """Each of 200 transitions takes one read, one conditional write and one send. Some also write a page."""
    host.start("long")
    costs = []
    for _ in range(200):
        host.answer("long", "AGAIN")
        costs.append(host.cost)
    pages = [number for number, cost in enumerate(costs) if len(cost.dynamo) == 3]
    for number, cost in enumerate(costs):
        page = [("PutItem", False)] if number in pages else []
        assert cost.plain == [("GetItem", True), *page, ("PutItem", True)], number
        assert cost.sqs == ["SendMessageBatch"]
        assert [found.write_units for found in cost.dynamo[1:]] == [1] * (1 + len(page)), number
    gaps = Counter(later - earlier for earlier, later in pairwise(pages))
    assert PAGE_EVERY <= min(gaps) <= max(gaps) <= MAX_TAIL_ENTRIES
    heads = [cost.dynamo[-1].bytes_written for cost in costs]
    assert max(heads) <= 1_024
    assert len(list(host.services.reader.history("default", "long", 0, 1_000))) == 201


PAGE_EVERY = 11
"""Transitions of a plain flow per page of the history, which takes one more write: 1.09 writes per callback."""


def test_nothing_scans(host: Container) -> None:
    with host.counting() as cost:
        for path in ("/flowrun", "/flowrun?flow=loop", "/flow", "/action", "/task", "/event", "/step", "/healthz"):
            assert call("GET", path).status == 200
        assert call("GET", "/watch?resource=flowrun&version=1").status == 200
        workers.sweep()
    assert {found.name for found in cost.dynamo} <= {"Query", "GetItem", "BatchGetItem"}
    assert cost.dynamo
