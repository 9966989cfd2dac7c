"""A virtual host: the real service, and a clock that jumps from one due message to the next."""

from __future__ import annotations

import threading
from typing import Final

import pytest

from chalicelib.hosting.responder import Answer, Kind
from chalicelib.hosting.scripted import ScriptedHost
from chalicelib.model.status import Status
from chalicelib.service import messages
from chalicelib.service.messages import Deliver
from chalicelib.service.ports.queues import QueueName
from chalicelib.service.runs.children import MAX_CALL_DEPTH
from chalicelib.service.timers.run_timers import MAX_SWEPT_TIMERS, SWEEP_LOOKAHEAD_MS, Swept
from tests.hosting.programs import DAY, HOUR, SECOND, after, host_of, nested, silent

WORK: Final = 'action work addr = "http://work"; args = (any x = null); return = (OK | NO); action_end\n/\n'
ONE: Final = WORK + "flow one step A => (OK -> done | NO -> A) { action = work; }; flow_end"


def test_a_month_passes_at_once() -> None:
    host = host_of("flow month wait A => (DONE -> B) { for = 30d; }; wait B => () { for = 1s; }; flow_end")
    start = host.clock.now()
    host.start("month", {})
    assert host.run_until()
    assert host.head("run").status is Status.SUCCEEDED
    assert host.clock.now() - start == 30 * DAY + SECOND


def test_a_far_timer_takes_few_events() -> None:
    host = host_of("flow year wait A => () { for = 365d; }; flow_end")
    host.start("year", {})
    assert host.run_until(max_events=5)
    assert host.head("run").status is Status.SUCCEEDED


class FullSweep:
    """Timers of which a sweep moves one, and reports that it moved as many as a sweep can."""

    def __init__(self, host: ScriptedHost) -> None:
        self._host = host
        self.fire = host.services.timers.fire

    def sweep(self) -> Swept:
        (due,) = self._host.store.runs.due(self._host.clock.now() + SWEEP_LOOKAHEAD_MS, 1)
        wake = messages.Wake(namespace=due.namespace, run=due.run, sent_at=self._host.clock.now(), version=0)
        self._host.queue.send(QueueName.WAKES, [messages.encode(wake)], due.at - self._host.clock.now())
        return Swept(MAX_SWEPT_TIMERS, 0)


def test_every_far_timer_fires_at_its_time_however_many_there_are() -> None:
    """A sweep moves a limited number of timers; the next one moves the rest."""
    host = host_of("flow f wait A => () { for = 1h; }; flow_end")
    for number in range(4):
        host.start("f", {}, name=f"r{number}")
    host.services = host.services.changed(timers=FullSweep(host))
    start = host.clock.now()
    assert host.run_until(max_events=8)
    assert {(run.status, run.ended_at) for run in host.runs()} == {(Status.SUCCEEDED, start + HOUR)}


def test_calls_happen_in_the_order_of_their_time_and_then_in_that_of_their_planning() -> None:
    host, seen = host_of(ONE), list[int]()
    now = host.clock.now()
    for number in (1, 2, 3):
        host.at(now + HOUR, lambda number=number: seen.append(number))  # type: ignore[misc]
    host.at(now, lambda: seen.append(0))
    host.run_until()
    assert seen == [0, 1, 2, 3]


def test_a_call_and_a_message_of_the_same_moment_happen_in_the_order_in_which_they_were_planned() -> None:
    host, seen = host_of(ONE, silent), list[int]()
    host.at(host.clock.now(), lambda: seen.append(len(host.requests)))
    host.start("one", {})
    host.at(host.clock.now(), lambda: seen.append(len(host.requests)))
    host.run_until(host.clock.now())
    assert seen == [0, 1]


def test_time_passes_only_until_the_given_moment() -> None:
    host = host_of(ONE, after(2 * HOUR))
    start = host.clock.now()
    host.start("one", {})
    assert host.run_until(start + HOUR)
    assert host.clock.now() == start + HOUR
    assert host.head("run").status is Status.RUNNING
    host.run_until()
    assert host.head("run").ended_at == start + 2 * HOUR


def test_a_host_that_never_becomes_idle_is_reported() -> None:
    host = host_of("flow round wait A => (DONE -> A) { for = 1s; }; flow_end")
    host.start("round", {})
    assert not host.run_until(max_events=1_000)


def test_an_error_in_a_planned_call_leaves_the_host_usable() -> None:
    host = host_of(ONE)
    host.start("one", {})
    host.at(host.clock.now(), lambda: host.head("another"))
    with pytest.raises(Exception, match="another"):
        host.run_until()
    assert host.run_until()
    assert host.head("run").status is Status.SUCCEEDED


def test_a_message_that_is_received_too_often_becomes_a_dead_letter() -> None:
    host = host_of(ONE, silent)
    run = host.start("one", {})
    (token,) = run.tokens
    assert token.activation
    while not host.queue.receive(QueueName.DEAD, 1, 0):
        for received in host.queue.receive(QueueName.DELIVERIES, 1, 0):
            assert isinstance(messages.decode(received.body), Deliver)
            host.queue.defer(QueueName.DELIVERIES, received.receipt, 0)
    host.clock.advance(DAY)
    assert host.run_until(host.clock.now())
    assert "could not be delivered" in host.head("run").last_err


def test_hosts_do_not_share_blobs() -> None:
    """Their runs have the same ids; one read what another had stored."""
    for items in (["a", "b"], ["c", "d", "e"]):
        text = (
            WORK
            + """flow f input = (list items); each E => () { items = ${ $input.items };
                 step A => (OK -> done) { action = work; args = (x = ${ $item }); }; }; flow_end"""
        )
        host = host_of(text)
        host.start("f", {"items": items})
        host.run_until()
        assert [request.args["x"] for request in host.requests] == items


def test_a_host_starts_no_thread() -> None:
    before = threading.active_count()
    host = host_of(ONE)
    host.start("one", {})
    host.run_until()
    assert threading.active_count() == before


# ── limits of the service, which hold on every host ──────────────────────────────────────────────────────────────────

PACED: Final = """
action work addr = "http://work"; args = (int x); return = (OK); LIMIT action_end
/
flow f
    each E => () { items = [1, 2, 3, 4, 5]; step A => (OK -> done) { action = work; args = (x = ${ $item }); }; };
flow_end
"""


def test_deliveries_are_limited_per_second() -> None:
    host = host_of(PACED.replace("LIMIT", "limit = (per_second = 1);"))
    start = host.clock.now()
    host.start("f", {})
    host.run_until()
    assert [request.at - start for request in host.requests] == [0, 1_000, 2_000, 3_000, 4_000]


@pytest.mark.parametrize("duration", [SECOND // 2, HOUR, 2 * DAY])
def test_activations_are_limited_to_a_number_at_once(duration: int) -> None:
    """The others are delivered within a second after one has ended, and waiting takes few events."""
    host = host_of(PACED.replace("LIMIT", "limit = (concurrent = 2);"), after(duration))
    start = host.clock.now()
    host.start("f", {})
    assert host.run_until(max_events=250)
    times = [request.at - start for request in host.requests]
    assert times[:2] == [0, 0]
    for time, ended in zip(times[2:], times, strict=False):
        assert 0 <= time - (ended + duration) <= SECOND
    assert host.head("run").status is Status.SUCCEEDED


def test_a_permit_is_found_among_many_holders() -> None:
    """The limiter looks at few of them at a time."""
    text = PACED.replace("[1, 2, 3, 4, 5]", "${ [1..101] }").replace("LIMIT", "limit = (concurrent = 99);")
    slow = iter([DAY] * 98 + [HOUR] + [DAY] * 2)
    host = host_of(text, lambda _: (Answer(state="OK", after=next(slow)),))
    start = host.clock.now()
    host.start("f", {})
    assert host.run_until(start + 2 * HOUR)
    assert len(host.requests) == 100
    assert host.requests[99].at - start <= HOUR + 2 * SECOND


def test_a_limit_of_both_kinds_holds() -> None:
    host = host_of(PACED.replace("LIMIT", "limit = (concurrent = 1, per_second = 0.01);"), after(SECOND))
    start = host.clock.now()
    host.start("f", {})
    assert host.run_until()
    times = [request.at - start for request in host.requests]
    assert times == sorted(times)
    assert [round(time / 100_000) for time in times] == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("depth", [MAX_CALL_DEPTH, MAX_CALL_DEPTH + 1, 40])
def test_calls_are_nested_so_deep_and_no_deeper(depth: int) -> None:
    host = host_of(nested(depth))
    host.start("f0", {})
    host.run_until()
    deepest = min(depth, MAX_CALL_DEPTH)
    assert len(host.runs()) == 1 + deepest
    assert host.head("run").status is (Status.SUCCEEDED if depth == deepest else Status.FAILED)


def test_a_scripted_flow_is_called_no_deeper_either() -> None:
    last = f"f{MAX_CALL_DEPTH + 1}"
    done = Answer(state="DONE")
    host = host_of(
        nested(MAX_CALL_DEPTH + 1),
        lambda request: (done,) if (request.kind, request.name) == (Kind.FLOW, last) else None,
    )
    host.start("f0", {})
    host.run_until()
    assert last not in [request.name for request in host.requests]
    assert host.head("run").status is Status.FAILED
