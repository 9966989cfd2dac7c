"""The Lambda functions of the queues and the schedule."""

from __future__ import annotations

import logging
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import pytest
from msgspec.structs import replace

from chalicelib import hosting
from chalicelib.entrypoints import workers
from chalicelib.service import messages
from chalicelib.service.errors import Busy
from chalicelib.service.messages import Deliver, Wake
from chalicelib.service.ports.actions import NotTaken, Reply, Taken
from chalicelib.service.ports.queues import Queue, QueueName, Received
from tests.entrypoints.gateway import call, sqs_event
from tests.entrypoints.steps import answered, started
from tests.fakes import START
from tests.hosts import Host

DAY = 86_400_000


@dataclass
class FakeQueue:
    """Records deferred messages."""

    behind: Queue
    deferred: list[tuple[QueueName, str, int]] = field(default_factory=list)
    busy: bool = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self.behind, name)

    def defer(self, queue: QueueName, receipt: str, delay: int) -> None:
        self.deferred.append((queue, receipt, delay))
        if self.busy:
            raise Busy("the queue does not answer")


def watched(host: Host) -> FakeQueue:
    """Make the workers use a queue that records deferred messages."""
    queue = FakeQueue(host.queue)
    world: Any = replace(host.services.adapters, queue=queue)
    hosting.use(host.services.changed(adapters=world))
    return queue


def received(body: str, number: int = 1, count: int = 1) -> Received:
    return Received(f"m{number}", f"receipt{number}", body, count, START)


def message(run: str, uuid: str = "u", version: int = 1, at: int = START) -> str:
    return messages.encode(Deliver(namespace="default", run=run, sent_at=at, version=version, uuid=uuid))


def wake_of(run: str, version: int = 1) -> str:
    return messages.encode(Wake(namespace="default", run=run, sent_at=START, version=version))


def failures(answer: dict[str, Any]) -> list[str]:
    assert list(answer) == ["batchItemFailures"]
    return [failure["itemIdentifier"] for failure in answer["batchItemFailures"]]


def test_a_delivered_message_is_done_with(host: Host) -> None:
    started()
    assert host.work() == []
    assert [one.addresses for one in host.actions.calls] == [("http://work.test/",)]
    assert host.work() == []
    assert len(host.actions.calls) == 1


def test_a_failed_delivery_comes_again_when_the_head_says(host: Host) -> None:
    """The message is deferred until the next attempt, and reported so that Lambda does not delete it."""
    started()
    host.actions.script = lambda _: NotTaken("connection refused", final=False, retry_after=3000)
    assert len(host.work()) == 1
    token = call("GET", "/flowrun/r").json["spec"]["tokens"][0]
    assert (token["attempt"], token["retry_at"]) == (1, "2027-01-15T08:00:03.000Z")
    assert host.work() == []
    host.clock.advance(3000)
    host.actions.script = lambda _: Taken()
    assert host.work() == []
    assert len(host.actions.calls) == 2


def test_deliveries_that_are_used_up_end_the_step(host: Host) -> None:
    started()
    host.actions.script = lambda _: NotTaken("connection refused", final=False)
    for _ in range(3):
        host.work()
        host.clock.advance(60_000)
    spec = call("GET", "/flowrun/r").json["spec"]
    assert (spec["status"], spec["current_state"]) == ("failed", "stopped")
    assert "connection refused" in spec["last_err"]
    assert spec["steps"][0]["spec"]["retry_count"] == 3


@pytest.mark.parametrize(
    "body",
    ["", "nonsense", "{}", '{"hint":"other"}', "\ud800", wake_of("r")],
    ids=["empty", "nonsense", "object", "other hint", "half a surrogate", "wrong queue"],
)
@pytest.mark.parametrize(("count", "longest"), [(1, 2000), (3, 8000), (6, 60_000), (99, 60_000)])
def test_a_message_that_cannot_be_read_comes_again_ever_later(host: Host, body: str, count: int, longest: int) -> None:
    """It is returned until the queue moves it to the dead letters."""
    queue = watched(host)
    answer = workers.deliver(sqs_event(QueueName.DELIVERIES, [received(body, count=count)]))
    assert failures(answer) == ["m1"]
    ((_, receipt, delay),) = queue.deferred
    assert receipt == "receipt1"
    assert 1000 <= delay <= longest


@pytest.mark.parametrize(("count", "longest"), [(1, 2000), (3, 8000), (6, 60_000)])
def test_messages_that_fail_together_come_again_spread_over_the_delay(host: Host, count: int, longest: int) -> None:
    """A storm of messages that failed at one moment is no storm when they come again."""
    queue = watched(host)
    batch = [received("nonsense", number, count=count) for number in range(200)]
    for start in range(0, 200, 10):
        workers.deliver(sqs_event(QueueName.DELIVERIES, batch[start : start + 10]))
    quarters = Counter((delay - 1000) * 4 // (longest - 1000) for _, _, delay in queue.deferred)
    assert all(30 <= quarters[number] <= 70 for number in range(4)), quarters


def test_one_message_that_fails_unexpectedly_does_not_lose_the_others(host: Host) -> None:
    def reply(request: dict[str, Any]) -> Reply:
        if request["flowId"] == "bad":
            raise RuntimeError("a bug")
        return Taken({"ackState": "OK"})

    host.actions.script = reply
    for name in ("one", "bad", "two"):
        started(name)
    queue = watched(host)
    received = host.queue.receive(QueueName.DELIVERIES, 10, 0)
    bad = next(one for one in received if '"bad"' in one.body)
    assert failures(workers.deliver(sqs_event(QueueName.DELIVERIES, received))) == [bad.id]
    assert [(name, receipt) for name, receipt, _ in queue.deferred] == [(QueueName.DELIVERIES, bad.receipt)]
    states = [call("GET", f"/flowrun/{name}").json["spec"]["current_state"] for name in ("one", "bad", "two")]
    assert states == ["B", "A", "B"]


def test_a_busy_service_is_retried_with_a_warning_only(host: Host, caplog: pytest.LogCaptureFixture) -> None:
    """A throttled store or a stopping server causes a retry, which needs no attention."""

    def reply(_: dict[str, Any]) -> Reply:
        raise Busy("the server is stopping; try again")

    host.actions.script = reply
    started("patient")
    queue = watched(host)
    (received,) = host.queue.receive(QueueName.DELIVERIES, 10, 0)
    assert failures(workers.deliver(sqs_event(QueueName.DELIVERIES, [received]))) == [received.id]
    assert [(name, receipt) for name, receipt, _ in queue.deferred] == [(QueueName.DELIVERIES, received.receipt)]
    (told,) = [record for record in caplog.records if record.levelno >= logging.WARNING]
    assert (told.levelname, told.exc_info) == ("WARNING", None)
    assert told.getMessage() == "messages of 'patient' will be retried: the server is stopping; try again"


def test_a_message_that_is_ahead_of_its_write_is_looked_at_again(host: Host) -> None:
    queue = watched(host)
    assert failures(workers.deliver(sqs_event(QueueName.DELIVERIES, [received(message("soon"))]))) == ["m1"]
    assert queue.deferred == [(QueueName.DELIVERIES, "receipt1", 1000)]
    late = received(message("never", at=START - DAY))
    assert failures(workers.deliver(sqs_event(QueueName.DELIVERIES, [late]))) == []


def test_a_queue_that_does_not_answer_still_gets_its_failures(host: Host) -> None:
    watched(host).busy = True
    assert failures(workers.deliver(sqs_event(QueueName.DELIVERIES, [received("nonsense")]))) == ["m1"]


def test_a_timer_ends_the_step_whose_deadline_has_come(host: Host) -> None:
    """A deadline days away has no message: the sweep sends one when it is due."""
    started()
    host.sweep()
    assert host.work(QueueName.WAKES) == []
    host.clock.advance(7 * DAY)
    host.sweep()
    assert host.work(QueueName.WAKES) == []
    spec = call("GET", "/flowrun/r").json["spec"]
    assert (spec["status"], spec["last_event"]) == ("failed", "r_A_TIMEOUT")


def test_a_dead_delivery_is_recorded_on_its_run(host: Host) -> None:
    run = started()
    body = message("r", uuid=run["spec"]["tokens"][0]["uuid"])
    assert failures(workers.dead_letter(sqs_event(QueueName.DEAD, [received(body)]))) == []
    spec = call("GET", "/flowrun/r").json["spec"]
    assert spec["status"] == "failed"
    assert "could not be delivered" in spec["last_err"]


def test_a_dead_delivery_of_a_step_that_went_on_changes_nothing(host: Host) -> None:
    run = started()
    call("POST", "/step", answered(run))
    before = call("GET", "/flowrun/r").json
    dead = [received(message("r", uuid=run["spec"]["tokens"][0]["uuid"])), received(message("gone"), 2)]
    assert failures(workers.dead_letter(sqs_event(QueueName.DEAD, dead))) == []
    assert call("GET", "/flowrun/r").json == before


def test_a_dead_timer_fires_once_more_and_the_rest_is_logged(host: Host, caplog: pytest.LogCaptureFixture) -> None:
    started()
    host.clock.advance(7 * DAY)
    dead = [received(wake_of("r")), received("nonsense", 2)]
    assert failures(workers.dead_letter(sqs_event(QueueName.DEAD, dead))) == []
    assert call("GET", "/flowrun/r").json["spec"]["status"] == "failed"
    assert "nonsense" in caplog.text


def test_every_batch_leaves_one_line_with_its_counts(host: Host, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "echoer.workers")
    started()
    batch = [*host.queue.receive(QueueName.DELIVERIES, 10, 0), received("nonsense", 77)]
    workers.deliver(sqs_event(QueueName.DELIVERIES, batch))
    (line,) = [record for record in caplog.records if record.levelname == "INFO"]
    assert line.getMessage() == "deliveries: 2 received, 1 done, 1 will be retried"
    assert (vars(line)["queue"], vars(line)["received"], vars(line)["again"]) == ("deliveries", 2, 1)
