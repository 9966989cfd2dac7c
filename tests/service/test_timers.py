"""Deadlines, timers and the sweep: every wait ends, even if its message is lost."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from chalicelib.model.status import Status
from chalicelib.service.ports.actions import NotTaken, Taken
from chalicelib.service.ports.queues import QueueName
from tests.hosts import NS, Host

HOUR = 3_600_000
DAY = 24 * HOUR

FLOW = """
action work addr = "http://work.test/"; return = (OK); timeout = 10m; retry = (max = 3, delay = 10s); action_end
/
flow short step A => (OK -> done | TIMEOUT -> B) { action = work; }; step B => (OK -> done) { action = work; }; flow_end
/
flow long wait Year => (DONE -> done) { for = 365d; }; flow_end
/
flow whole timeout = 1h; wait W => (DONE -> done) { for = 2h; }; flow_end
"""


@pytest.fixture
def host() -> Host:
    made = Host(lambda request: Taken())
    made.submit(FLOW)
    return made


def test_a_step_times_out_at_its_deadline_by_its_own_message(host: Host) -> None:
    host.start("short")
    host.settle()
    host.clock.advance(10 * 60_000 - 1)
    host.settle()
    assert host.path() == ["A"]
    host.clock.advance(1)
    host.settle()
    assert host.path() == ["A", "B"]


def test_a_lost_timer_message_is_caught_by_the_sweep(host: Host) -> None:
    host.start("short")
    host.settle()
    lost = host.queue.receive(QueueName.WAKES, 10, 0)
    host.clock.advance(10 * 60_000)
    lost = host.queue.receive(QueueName.WAKES, 10, 0)
    host.queue.delete(QueueName.WAKES, [message.receipt for message in lost])
    host.clock.advance(3 * 60_000)
    swept = host.services.timers.sweep()
    assert (swept.sent, swept.overdue) == (1, 1)
    host.settle()
    assert host.path() == ["A", "B"]


def test_a_wait_of_a_year_ends_within_a_minute_of_its_time(host: Host) -> None:
    host.start("long")
    assert host.run().timer_at == host.clock.now() + 365 * DAY
    host.pass_time(365 * DAY - HOUR)
    assert host.run().status is Status.RUNNING
    host.pass_time(HOUR)
    assert host.run().status is Status.SUCCEEDED


def test_a_flow_may_time_out_as_a_whole(host: Host) -> None:
    host.start("whole")
    host.pass_time(HOUR + 60_000)
    assert (host.run().status, host.run().tail[-1].event) == (Status.FAILED, "RunTimedOut")


def test_failed_deliveries_come_back_later_each_time_and_then_give_up(host: Host) -> None:
    host.actions.script = lambda request: NotTaken("http://work.test/ refused the connection", final=False)
    host.start("short")
    for _ in range(5):
        host.settle()
        host.clock.advance(30_000)
    assert len(host.actions.calls) == 3
    run = host.run()
    assert run.status is Status.FAILED
    assert run.last_err == "Undeliverable: http://work.test/ refused the connection"


def test_what_a_service_asks_to_wait_is_waited(host: Host) -> None:
    host.actions.script = lambda request: NotTaken("busy", final=False, retry_after=60_000)
    host.start("short")
    host.settle()
    host.clock.advance(59_999)
    host.settle()
    assert len(host.actions.calls) == 1
    host.clock.advance(1)
    host.settle()
    assert len(host.actions.calls) == 2


def test_pausing_stops_the_clock_of_a_wait(host: Host) -> None:
    host.start("short")
    host.settle()
    host.clock.advance(9 * 60_000)
    host.services.operator.pause(NS, "r")
    host.pass_time(DAY)
    host.services.operator.resume(NS, "r")
    host.settle()
    assert host.path()[-1] == "A"
    host.clock.advance(60_000)
    host.settle()
    assert host.path()[-1] == "B"


class CountingQueue:
    """A queue that counts the requests to send."""

    def __init__(self, queue: Any) -> None:
        self._queue = queue
        self.sent: list[int] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._queue, name)

    def send(self, queue: QueueName, bodies: Sequence[str], delay: int = 0, *, early: bool = False) -> None:
        self.sent.append(len(bodies))
        self._queue.send(queue, bodies, delay, early=early)


def test_a_sweep_sends_the_timers_of_one_second_together(host: Host) -> None:
    """300 timers within 3 seconds are 3 batches, and none is early or more than a second late."""
    host.submit("flow hour wait W => (DONE -> done) { for = 1h; }; flow_end")
    for number in range(300):
        host.start("hour", f"r{number}")
        host.clock.advance(10)
    queue = CountingQueue(host.queue)
    host.rebuild(queue=queue)
    host.clock.advance(HOUR - 63_000)
    assert host.services.timers.sweep().sent == 300
    assert len(queue.sent) <= 4
    assert sum(queue.sent) == 300
    host.pass_time(2 * 60_000)
    late = [run.ended_at - run.created_at - HOUR for run in (host.run(f"r{n}") for n in range(300)) if run.ended_at]
    assert len(late) == 300
    assert 0 <= min(late) <= max(late) <= 1_000
