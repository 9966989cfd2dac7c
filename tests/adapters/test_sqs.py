from __future__ import annotations

import time
from typing import Any

import pytest
from moto.backends import get_backend
from moto.core.models import DEFAULT_ACCOUNT_ID

from chalicelib.adapters.sqs import SqsQueue, connect, create_queues, find_queues, queues_as_cloudformation
from chalicelib.service.errors import Busy, ServiceError, TooLarge
from chalicelib.service.ports.queues import QueueName
from fsl.local.aws import REGION, MotoStack
from tests.adapters.queue_contract import Bench, QueueContract


def _queues() -> dict[str, Any]:
    queues: dict[str, Any] = get_backend("sqs")[DEFAULT_ACCOUNT_ID][REGION].queues
    return queues


def _pass_time(milliseconds: int) -> None:
    """moto uses the time of the machine. Moving sent messages into the past has the same effect as waiting."""
    for queue in _queues().values():
        for message in queue._messages:
            message.visible_at -= milliseconds
            message.delayed_until -= milliseconds
            message.sent_timestamp -= milliseconds


class TestSqsQueue(QueueContract):
    @pytest.fixture
    def bench(self, stack: MotoStack) -> Bench:
        for queue in _queues().values():
            queue._messages.clear()
            queue.pending_messages.clear()
        return Bench(stack.queue, _pass_time, lambda: int(time.time() * 1000))


class _Client:
    """Answers each batch with the next of the given sets of failures."""

    def __init__(self, *failures: set[str]) -> None:
        self.failures = list(failures)
        self.sent: list[list[str]] = []

    def send_message_batch(self, QueueUrl: str, Entries: list[dict[str, Any]]) -> dict[str, Any]:  # noqa: N803 - AWS's names
        self.sent.append([entry["MessageBody"] for entry in Entries])
        failed = self.failures.pop(0)
        return {"Failed": [{"Id": e["Id"], "Code": "InternalError"} for e in Entries if e["MessageBody"] in failed]}


class _Scripted(SqsQueue):
    def __init__(self, client: _Client) -> None:
        super().__init__({queue: str(queue) for queue in QueueName})
        self._connected = client


def test_what_a_batch_left_is_sent_once_more() -> None:
    client = _Client({"b", "c"}, set())
    _Scripted(client).send(QueueName.WAKES, ["a", "b", "c"])
    assert client.sent == [["a", "b", "c"], ["b", "c"]]


def test_what_fails_twice_is_busy() -> None:
    client = _Client({"b"}, {"b"})
    with pytest.raises(Busy, match="InternalError"):
        _Scripted(client).send(QueueName.WAKES, ["a", "b"])
    assert client.sent == [["a", "b"], ["b"]]


def test_batches_are_of_ten_and_of_256_kilobytes() -> None:
    client = _Client(*[set()] * 10)
    _Scripted(client).send(QueueName.WAKES, ["x"] * 11 + ["ä" * 100_000] * 2)
    assert [len(batch) for batch in client.sent] == [10, 2, 1]


def test_a_message_larger_than_a_batch_is_refused() -> None:
    _Scripted(_Client(set())).send(QueueName.WAKES, ["x" * 262_144])
    with pytest.raises(TooLarge, match="262144"):
        _Scripted(_Client()).send(QueueName.WAKES, ["x" * 262_145])


def test_nobody_there_is_busy() -> None:
    queue = SqsQueue(dict.fromkeys(QueueName, "http://127.0.0.1:9/q"), REGION, "http://127.0.0.1:9")
    with pytest.raises(ServiceError):
        queue.send(QueueName.WAKES, ["x"])


def test_the_deployed_queues_are_the_ones_that_were_tested(stack: MotoStack) -> None:
    deployed = queues_as_cloudformation()
    assert {each["Properties"]["QueueName"] for each in deployed.values()} == set(_queues())
    assert deployed["DeadQueue"]["Properties"]["MessageRetentionPeriod"] == 1_209_600
    for name, visibility in {"DeliveriesQueue": 180, "WakesQueue": 90}.items():
        properties = deployed[name]["Properties"]
        assert properties["VisibilityTimeout"] == visibility
        assert properties["RedrivePolicy"] == {
            "deadLetterTargetArn": {"Fn::GetAtt": ["DeadQueue", "Arn"]},
            "maxReceiveCount": 100,
        }


def test_queues_that_are_there_are_found(stack: MotoStack) -> None:
    client = connect(REGION)
    made = create_queues(client, "found")
    assert find_queues(client, "found") == made
    assert set(made) == set(QueueName)
    client.delete_queue(QueueUrl=made[QueueName.WAKES])
    with pytest.raises(ServiceError, match="'found-wakes'"):
        find_queues(client, "found")
    for queue in (QueueName.DELIVERIES, QueueName.DEAD):
        client.delete_queue(QueueUrl=made[queue])


def test_where_nobody_is_no_queue_is_missing() -> None:
    with pytest.raises(ServiceError) as caught:
        find_queues(connect(REGION, "http://127.0.0.1:9"))
    assert type(caught.value) is Busy
