"""What inline delivery costs on AWS: the requests to DynamoDB and SQS of a run of five steps that answer at once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import pytest
from msgspec.structs import replace

from chalicelib import hosting
from chalicelib.adapters.system import SystemClock, SystemIds
from chalicelib.adapters.virtual import ScriptedCaller
from chalicelib.config import Backend, Settings
from chalicelib.entrypoints import workers
from chalicelib.hosting import Adapters, assemble
from chalicelib.model.run import encode
from chalicelib.service.ports.actions import Taken
from chalicelib.service.ports.queues import QueueName
from chalicelib.service.runs.start import StartOrder
from fsl.local.aws import MotoStack
from fsl.local.shapes import queue_event
from tests.fakes import Counting

STEPS = "".join(f"step S{n} => (OK -> {f'S{n + 1}' if n < 4 else 'done'}) {{ action = work; }}; " for n in range(5))
FLOWS = f"""
action work addr = "http://work.test/"; return = (OK); action_end
/
flow five {STEPS} flow_end
"""


class Container:
    """A warm container, which counts its requests."""

    def __init__(self, stack: MotoStack, *, is_inline: bool) -> None:
        self.stack, self.actions = stack, ScriptedCaller(lambda _: Taken({"ackState": "OK"}))
        settings = Settings(backend=Backend.AWS, definition_max_age=3_600_000, inline_delivery=is_inline)
        adapters = Adapters(
            store=stack.store, queue=stack.queue, caller=self.actions, clock=SystemClock(), ids=SystemIds()
        )
        self.services = assemble(settings, adapters)
        hosting.use(self.services)
        self.services.submitter.submit("default", FLOWS)
        self.start("warm")
        self.work()
        while self.work():
            pass

    def start(self, name: str) -> None:
        self.services.starter.start("default", StartOrder(flow="five", name=name))

    def work(self) -> int:
        """Receive, handle and delete one batch. Return how many messages it had."""
        received = self.stack.queue.receive(QueueName.DELIVERIES, 10, 0)
        if received:
            workers.deliver(queue_event(QueueName.DELIVERIES, received), "", 150_000)
            self.stack.queue.delete(QueueName.DELIVERIES, [message.receipt for message in received])
        return len(received)

    def counted(self, name: str) -> tuple[Counter[str], Counter[str], int]:
        """Start a run and handle what is due. Return the requests to DynamoDB and SQS, and the deliveries."""
        self.start(name)
        sqs, before = Counter[str](), len(self.actions.calls)
        events = self.stack.queue._client.meta.events
        events.register("before-parameter-build.sqs", lambda model, **_: sqs.update([model.name]), "n")
        with Counting(self.stack.store.table.client) as counted:
            while self.work():
                pass
        events.unregister("before-parameter-build.sqs", unique_id="n")
        sqs["ReceiveMessage"] -= 1  # the last one finds nothing
        return Counter(one.name for one in counted.operations), sqs, len(self.actions.calls) - before


@pytest.fixture
def stack() -> Iterator[MotoStack]:
    with MotoStack() as stack:
        yield stack
    hosting.forget()


def test_through_the_queue_each_step_is_a_read_a_write_and_a_hop(stack: MotoStack) -> None:
    dynamo, sqs, calls = Container(stack, is_inline=False).counted("r")
    assert calls == 5
    assert (dynamo["GetItem"], sqs["ReceiveMessage"], sqs["SendMessageBatch"]) == (5, 5, 4)
    assert 5 <= dynamo["PutItem"] <= 7  # pages of the history included


def test_inline_one_message_serves_all_steps_and_nothing_is_read_in_between(stack: MotoStack) -> None:
    dynamo, sqs, calls = Container(stack, is_inline=True).counted("r")
    assert calls == 5
    assert (dynamo["GetItem"], sqs["ReceiveMessage"], sqs["SendMessageBatch"]) == (1, 1, 0)
    assert 5 <= dynamo["PutItem"] <= 7


def test_a_step_that_waits_for_a_callback_ends_the_chain_and_takes_no_write(stack: MotoStack) -> None:
    container = Container(stack, is_inline=True)
    replies = [Taken({"ackState": "OK"}), Taken()]
    container.actions.script = lambda _: replies.pop(0)
    dynamo, sqs, calls = container.counted("r")
    assert (calls, dynamo["GetItem"], dynamo["PutItem"]) == (2, 1, 1)
    assert (sqs["ReceiveMessage"], sqs["SendMessageBatch"]) == (1, 0)


def test_the_head_grows_by_a_few_bytes(stack: MotoStack) -> None:
    container = Container(stack, is_inline=True)
    replies = [Taken({"ackState": "OK"}), Taken()]
    container.actions.script = lambda _: replies.pop(0)
    container.counted("r")
    run = container.services.reader.run("default", "r")
    (token,) = run.tokens
    assert token.activation is not None
    without = replace(run, tokens=(replace(token, activation=replace(token.activation, held_by="")),))
    assert len(encode(run)) - len(encode(without)) == len(',"hb":"01234567"')
