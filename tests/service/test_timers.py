"""Deadlines, timers and the sweep: every wait ends, even if its message is lost."""

from __future__ import annotations

import pytest

from chalicelib.model.status import Status
from chalicelib.service.ports.actions import NotTaken, Taken
from chalicelib.service.ports.queues import QueueName
from tests.service.world import NS, Small

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
def small() -> Small:
    made = Small(lambda request: Taken())
    made.submit(FLOW)
    return made


def test_a_step_times_out_at_its_deadline_by_its_own_message(small: Small) -> None:
    small.start("short")
    small.settle()
    small.clock.advance(10 * 60_000 - 1)
    small.settle()
    assert small.path() == ["A"]
    small.clock.advance(1)
    small.settle()
    assert small.path() == ["A", "B"]


def test_a_lost_timer_message_is_caught_by_the_sweep(small: Small) -> None:
    small.start("short")
    small.settle()
    lost = small.queue.receive(QueueName.WAKES, 10, 0)
    small.clock.advance(10 * 60_000)
    lost = small.queue.receive(QueueName.WAKES, 10, 0)
    small.queue.delete(QueueName.WAKES, [message.receipt for message in lost])
    small.clock.advance(3 * 60_000)
    swept = small.services.timers.sweep()
    assert (swept.sent, swept.overdue) == (1, 1)
    small.settle()
    assert small.path() == ["A", "B"]


def test_a_wait_of_a_year_ends_within_a_minute_of_its_time(small: Small) -> None:
    small.start("long")
    assert small.run().timer_at == small.clock.now() + 365 * DAY
    small.pass_time(365 * DAY - HOUR, step=DAY)
    assert small.run().status is Status.RUNNING
    small.pass_time(HOUR)
    assert small.run().status is Status.SUCCEEDED


def test_a_flow_may_time_out_as_a_whole(small: Small) -> None:
    small.start("whole")
    small.pass_time(HOUR + 60_000)
    assert (small.run().status, small.run().tail[-1].event) == (Status.FAILED, "RunTimedOut")


def test_failed_deliveries_come_back_later_each_time_and_then_give_up(small: Small) -> None:
    small.actions.script = lambda request: NotTaken("http://work.test/ refused the connection", final=False)
    small.start("short")
    for _ in range(5):
        small.settle()
        small.clock.advance(30_000)
    assert len(small.actions.calls) == 3
    run = small.run()
    assert run.status is Status.FAILED
    assert run.last_err == "Undeliverable: http://work.test/ refused the connection"


def test_what_a_service_asks_to_wait_is_waited(small: Small) -> None:
    small.actions.script = lambda request: NotTaken("busy", final=False, retry_after=60_000)
    small.start("short")
    small.settle()
    small.clock.advance(59_999)
    small.settle()
    assert len(small.actions.calls) == 1
    small.clock.advance(1)
    small.settle()
    assert len(small.actions.calls) == 2


def test_pausing_stops_the_clock_of_a_wait(small: Small) -> None:
    small.start("short")
    small.settle()
    small.clock.advance(9 * 60_000)
    small.services.operator.pause(NS, "r")
    small.pass_time(DAY, step=HOUR)
    small.services.operator.resume(NS, "r")
    small.settle()
    assert small.path()[-1] == "A"
    small.clock.advance(60_000)
    small.settle()
    assert small.path()[-1] == "B"
