"""The contracts of store and queue on other implementations of DynamoDB and SQS (scripts/other_aws.py)."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from uuid import uuid4

import pytest

from chalicelib.adapters import sqs
from chalicelib.adapters.dynamodb.items import TableLocation
from chalicelib.adapters.dynamodb.store import DynamoStore
from chalicelib.adapters.dynamodb.tables import create_tables
from chalicelib.adapters.sqs import SqsQueue
from fsl.local.aws import REGION
from tests.acceptance.conftest import OTHERS, transacts
from tests.adapters import queue_contract
from tests.adapters.queue_contract import DEAD, DELIVERIES, MAX_RECEIVES, WAKES, Bench, QueueContract
from tests.adapters.store_contract import StoreContract

ON = bool(os.environ.get(OTHERS))
VISIBILITY = 2_000
LONGEST = 3_000
"""The longest wait of a test in milliseconds: here the time is real."""

if not ON:

    def test_dynamodb_and_sqs_of_other_makers() -> None:
        """Report what was left out, in one line."""
        pytest.skip(
            f"contracts and acceptance on other makers' AWS are off: {OTHERS} is not set (scripts/other_aws.py)"
        )


@pytest.fixture(scope="module")
def shared(credentials: None) -> DynamoStore:
    table = f"t{uuid4().hex[:10]}"
    return DynamoStore(TableLocation(table=table, region=REGION, endpoint=os.environ["ECHOER_DYNAMODB_URL"]))


class TestOtherStore(StoreContract):
    __test__ = ON

    @pytest.fixture
    def store(self, shared: DynamoStore, request: pytest.FixtureRequest) -> Iterator[DynamoStore]:
        client, table = shared.table.client, shared.table.name
        create_tables(client, table)
        if not transacts(os.environ["ECHOER_DYNAMODB_URL"]) and request.node.originalname in WITH_TRANSACTIONS:
            request.applymarker(pytest.mark.xfail(reason="it has no transactions", strict=True))
        yield shared
        client.delete_table(TableName=table)
        client.get_waiter("table_not_exists").wait(TableName=table, WaiterConfig={"Delay": 1})


WITH_TRANSACTIONS = {
    "test_a_submitted_definition_is_the_latest",
    "test_latest_takes_many_names",
    "test_definitions_and_runs_are_submitted_together",
    "test_nothing_is_submitted_if_one_definition_among_many_is_late",
    "test_nothing_is_submitted_if_one_run_among_many_exists",
    "test_newest_versions_are_listed_by_name",
    "test_definitions_with_separators_in_names_do_not_collide",
}
"""Tests that submit several items in one transaction."""


def _let_pass(milliseconds: int) -> None:
    """Wait in real time, since these servers have no virtual clock. Skip the test if the wait is long."""
    if milliseconds > LONGEST:
        pytest.skip(f"{milliseconds / 1000:g} s would have to pass in truth")
    threading.Event().wait(milliseconds / 1000)


class TestOtherQueue(QueueContract):
    __test__ = ON

    @pytest.fixture
    def bench(self, credentials: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
        """Create queues with a short visibility timeout."""
        monkeypatch.setattr(queue_contract, "VISIBILITY", VISIBILITY)
        endpoint, prefix = os.environ["ECHOER_SQS_URL"], f"t{uuid4().hex[:10]}"
        client = sqs.connect(REGION, endpoint)
        urls = sqs.create_queues(client, prefix, VISIBILITY // 1000, MAX_RECEIVES)
        yield Bench(SqsQueue(urls, REGION, endpoint), _let_pass, lambda: int(time.time() * 1000))
        for url in urls.values():
            client.delete_queue(QueueUrl=url)

    def test_a_short_delay_is_kept(self, bench: Bench) -> None:
        before = time.monotonic()
        bench.queue.send(WAKES, ["later"], delay=1_200)
        assert bench.bodies(WAKES) == []
        assert [message.body for message in bench.receive(WAKES, 10, 5)] == ["later"]
        assert time.monotonic() - before >= 1.9  # whole seconds, rounded up

    def test_a_message_returned_too_often_is_dead_lettered(self, bench: Bench) -> None:
        """Each receive is followed by a deferral of zero seconds."""
        bench.queue.send(DELIVERIES, ["poison"])
        for count in range(1, MAX_RECEIVES + 1):
            (message,) = bench.receive(DELIVERIES, 1, 5)
            assert message.count == count
            bench.queue.defer(DELIVERIES, message.receipt, 0)
        assert bench.receive(DELIVERIES, 1, 1) == []
        assert [message.body for message in bench.receive(DEAD, 1, 5)] == ["poison"]
