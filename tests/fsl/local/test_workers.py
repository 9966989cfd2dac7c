"""Event sources: receive, call the handler, delete."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from chalice.app import Chalice, Rate

from chalicelib.adapters.memory import MemoryQueue
from chalicelib.adapters.system import SystemClock
from chalicelib.service.ports.queues import QueueName, Received
from fsl.local.shapes import LambdaContext, failed_in, queue_event, schedule_event
from fsl.local.workers import Consumer, Schedule, Workers, consumers_of, schedules_of
from tests.fsl.conftest import until

LETTERS = [Received("1", "1.1", "a", 1, 5), Received("2", "2.1", "b", 3, 6)]


class Handler:
    """Records its events. Returns the messages in `again` as failed, or raises."""

    def __init__(self, *again: str, error: Exception | None = None) -> None:
        self.events: list[dict[str, Any]] = []
        self._again, self._error = again, error

    def __call__(self, event: dict[str, Any], context: LambdaContext) -> Any:
        assert context.get_remaining_time_in_millis() > 0
        self.events.append(event)
        if self._error:
            raise self._error
        bodies = {record["messageId"]: record["body"] for record in event["Records"]}
        return {"batchItemFailures": [{"itemIdentifier": key} for key, body in bodies.items() if body in self._again]}

    @property
    def bodies(self) -> list[str]:
        return [record["body"] for event in self.events for record in event["Records"]]


def test_a_queue_event_is_what_lambda_gets() -> None:
    """The fields that a handler may read."""
    record = queue_event(QueueName.WAKES, LETTERS)["Records"][1]
    assert record["messageId"] == "2"
    assert record["attributes"]["ApproximateReceiveCount"] == "3"
    assert record["attributes"]["SentTimestamp"] == "6"
    assert record["eventSource"] == "aws:sqs"
    assert record["eventSourceARN"].endswith(":echoer-wakes")


@pytest.mark.parametrize(
    ("answer", "failed"),
    [
        (None, set()),
        ({}, set()),
        ({"batchItemFailures": []}, set()),
        ({"batchItemFailures": [{"itemIdentifier": "2"}]}, {"2"}),
        ({"batchItemFailures": [{"itemIdentifier": "9"}]}, {"1", "2"}),
        ({"batchItemFailures": [{}]}, {"1", "2"}),
    ],
)
def test_a_partial_answer_is_read_as_lambda_reads_it(answer: Any, failed: set[str]) -> None:
    """No failed ids mean success for all. An id that is not in the batch means failure for all."""
    assert failed_in(answer, LETTERS) == failed


def test_a_schedule_event_names_its_rule() -> None:
    """The event has EventBridge's format."""
    event = schedule_event("sweep")
    assert event["detail-type"] == "Scheduled Event"
    assert event["resources"][0].endswith(":rule/sweep")


def test_an_app_says_what_feeds_it() -> None:
    """Queues and rates are read from the app's own triggers."""
    app = Chalice("app", configure_logs=False)
    app.on_sqs_message(queue="x-deliveries", batch_size=10)(lambda event: None)
    app.on_sqs_message(queue_arn="arn:aws:sqs:r:1:x-dead", batch_size=10, name="dead_letter")(lambda event: None)
    app.schedule(Rate(2, unit=Rate.MINUTES), name="sweep")(lambda event: None)
    assert [(one.queue, one.batch) for one in consumers_of(app, embedded=False)] == [("deliveries", 10), ("dead", 10)]
    assert {one.batch for one in consumers_of(app, embedded=True)} == {1}
    assert [(one.name, one.seconds) for one in schedules_of(app)] == [("sweep", 120.0)]


def test_done_messages_are_deleted_and_others_come_again() -> None:
    """A failed message is received again when its visibility ends. A handled one is not."""
    queue, handler, stopping = MemoryQueue(SystemClock(), visibility=30), Handler("b"), threading.Event()
    workers = Workers(queue, [Consumer("h", QueueName.WAKES, handler, 10, 1)], [], stopping)
    workers.start()
    queue.send(QueueName.WAKES, ["a", "b"])
    until(lambda: handler.bodies.count("b") >= 3)
    stopping.set()
    assert workers.finish(5)
    assert handler.bodies.count("a") == 1


def test_a_handler_that_fails_gives_everything_back() -> None:
    """Its messages are received again, and the receiver continues."""
    queue, stopping = MemoryQueue(SystemClock(), visibility=30), threading.Event()
    handler = Handler(error=ValueError("no"))
    Workers(queue, [Consumer("h", QueueName.WAKES, handler, 10, 1)], [], stopping).start()
    queue.send(QueueName.WAKES, ["a"])
    until(lambda: len(handler.events) >= 2)
    stopping.set()


def test_finish_waits_for_running_handlers() -> None:
    """The result is whether they ended in time."""
    begun, go_on, stopping = threading.Event(), threading.Event(), threading.Event()

    def slow(event: dict[str, Any], context: LambdaContext) -> None:
        begun.set()
        go_on.wait(10)

    workers = Workers(MemoryQueue(SystemClock()), [], [Schedule("slow", slow, 60)], stopping)
    workers.start()
    assert begun.wait(5)
    stopping.set()
    assert not workers.finish(0.01)
    go_on.set()
    assert workers.finish(5)


def test_a_schedule_is_called_at_once_and_again() -> None:
    """This includes a failed call."""
    calls: list[str] = []
    stopping = threading.Event()

    def handler(event: dict[str, Any], context: LambdaContext) -> None:
        calls.append(event["detail-type"])
        raise ValueError("no")

    Workers(MemoryQueue(SystemClock()), [], [Schedule("often", handler, 0.01)], stopping).start()
    until(lambda: len(calls) > 2)
    stopping.set()
