"""Without a lock, moto lets several writers of one version win, and loses messages. The stack adds a lock."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import pytest
from botocore.exceptions import ClientError

from chalicelib.adapters.dynamodb.store import DynamoStore
from chalicelib.config import Backend, Settings
from chalicelib.service.errors import Busy, Malformed
from chalicelib.service.ports.queues import QueueName
from fsl.local.aws import REGION, MotoStack, adapters_for, prepare
from tests.adapters.samples import a_run, after, new
from tests.adapters.store_contract import race

THREADS = 8


@pytest.fixture(autouse=True)
def _restless_threads() -> Iterator[None]:
    """Switch threads often, so that missing locks show (verified without the lock)."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    yield
    sys.setswitchinterval(before)


def test_of_eight_threads_that_save_one_version_one_wins_each_round(dynamo: DynamoStore) -> None:
    run = a_run()
    dynamo.runs.create(new(run))
    for _ in range(20):
        rivals = [after(run, vars={"by": number}) for number in range(THREADS)]
        outcomes = race([partial(dynamo.runs.save, rival, rival.version - 1) for rival in rivals])
        winners = [rival for rival, outcome in zip(rivals, outcomes, strict=True) if outcome is None]
        assert [dynamo.runs.load("ns", "r1")] == winners
        (run,) = winners


def test_four_hundred_messages_come_once_each(stack: MotoStack) -> None:
    sent = [f"{number:03}" for number in range(400)]

    def consume(_: int) -> list[str]:
        found: list[str] = []
        while messages := stack.queue.receive(QueueName.DELIVERIES, 10, 1 if len(found) < 10 else 0):
            stack.queue.delete(QueueName.DELIVERIES, [message.receipt for message in messages])
            found += [message.body for message in messages]
        return found

    with ThreadPoolExecutor(THREADS) as pool:
        consumers = [pool.submit(consume, number) for number in range(4)]
        starts = range(0, 400, 100)
        list(pool.map(lambda start: stack.queue.send(QueueName.DELIVERIES, sent[start : start + 100]), starts))
        found = [body for consumer in consumers for body in consumer.result()]
    found += consume(0)
    assert sorted(found) == sent


def test_a_long_poll_does_not_block_others(stack: MotoStack, dynamo: DynamoStore) -> None:
    with ThreadPoolExecutor(2) as pool:
        polls = [pool.submit(stack.queue.receive, QueueName.WAKES, 1, 20) for _ in range(2)]
        for number in range(20):
            dynamo.runs.create(new(a_run(f"r{number}")))
        assert not any(poll.done() for poll in polls)
        stack.queue.send(QueueName.WAKES, ["a", "b"])
        assert sorted(poll.result(timeout=4)[0].body for poll in polls) == ["a", "b"]


def _settings(**changes: Any) -> Settings:
    """AWS's own endpoints as explicit settings: in this process moto answers them."""
    urls = {
        "dynamodb_url": f"https://dynamodb.{REGION}.amazonaws.com",
        "sqs_url": f"https://sqs.{REGION}.amazonaws.com",
    }
    return Settings(backend=Backend.AWS, **{"table": "prepared", "queue_prefix": "prepared", **urls, **changes})


EMPTY, WORD = {"S": ""}, {"S": "x"}

EMPTY_KEYS: dict[str, tuple[str, dict[str, Any]]] = {
    "get": ("get_item", {"TableName": "echoer", "Key": {"k": WORD, "s": EMPTY}}),
    "batch": ("batch_get_item", {"RequestItems": {"echoer": {"Keys": [{"k": WORD, "s": EMPTY}]}}}),
    "put": ("put_item", {"TableName": "echoer", "Item": {"k": EMPTY, "s": WORD}}),
    "key of an index": ("put_item", {"TableName": "echoer", "Item": {"k": WORD, "s": WORD, "c": EMPTY}}),
    "transaction": (
        "transact_write_items",
        {"TransactItems": [{"Delete": {"TableName": "echoer", "Key": {"k": WORD, "s": EMPTY}}}]},
    ),
    "batch of writes": (
        "batch_write_item",
        {"RequestItems": {"echoer": [{"DeleteRequest": {"Key": {"k": WORD, "s": EMPTY}}}]}},
    ),
    "query": (
        "query",
        {
            "TableName": "echoer",
            "KeyConditionExpression": "k = :k AND s > :s",
            "ExpressionAttributeValues": {":k": WORD, ":s": EMPTY},
        },
    ),
}


@pytest.mark.parametrize("case", EMPTY_KEYS)
def test_an_empty_key_is_refused_as_on_aws(dynamo: DynamoStore, case: str) -> None:
    operation, request = EMPTY_KEYS[case]
    with pytest.raises(ClientError, match="cannot contain an empty string value"):
        getattr(dynamo.table.client, operation)(**request)


def test_other_empty_values_are_stored(dynamo: DynamoStore) -> None:
    dynamo.table.client.put_item(TableName="echoer", Item={"k": WORD, "s": WORD, "b": EMPTY})
    found = dynamo.table.client.get_item(TableName="echoer", Key={"k": WORD, "s": WORD})
    assert found["Item"]["b"] == EMPTY


def test_the_table_and_the_queues_are_made_where_they_are_not_there(
    dynamo: DynamoStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_DEFAULT_REGION", REGION)
    prepare(_settings())
    made = adapters_for(_settings())
    made.store.runs.create(new(a_run()))
    made.queue.send(QueueName.WAKES, ["kept"])
    prepare(_settings())
    again = adapters_for(_settings())
    assert again.store.runs.load("ns", "r1") == a_run()
    assert [message.body for message in again.queue.receive(QueueName.WAKES, 1, 0)] == ["kept"]
    assert dynamo.runs.load("ns", "r1") is None


def test_one_endpoint_without_the_other_is_refused() -> None:
    for missing in ("dynamodb_url", "sqs_url"):
        with pytest.raises(Malformed, match="set both ECHOER_DYNAMODB_URL and ECHOER_SQS_URL"):
            adapters_for(_settings(**{missing: None}))


def test_an_endpoint_without_a_server_is_busy(stack: MotoStack, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_DEFAULT_REGION", REGION)
    with pytest.raises(Busy):
        prepare(_settings(sqs_url="http://127.0.0.1:9"))
