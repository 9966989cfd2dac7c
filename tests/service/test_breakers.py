"""Breakers of actions: after failures in a row nothing is delivered for a while, and no attempt is lost by that."""

from __future__ import annotations

from typing import Any, Final

import pytest

from chalicelib.model.run_error import ErrorName
from chalicelib.model.status import Status
from chalicelib.service.limits.breakers import Circuit
from chalicelib.service.ports.actions import NotTaken, Reply
from tests.hosts import NS, Host, accept, answer_at_once

SECOND: Final = 1_000
MINUTE: Final = 60_000

FSL: Final = """
action work
    addr    = "http://x/";
    return  = (OK);
    retry   = (max = 3, delay = 1s, rate = 1.0);
    breaker = (failures = 3, pause = 1m);
action_end
/
flow f
    step One => (OK -> done) { action = work; };
flow_end
"""


def down(_request: dict[str, Any]) -> Reply:
    return NotTaken("503", final=False, retry_after=SECOND, status=503)


def taken_in(host: Host) -> list[str]:
    return [request["flowId"] for request in host.actions.requests]


def circuit(host: Host) -> Circuit:
    return host.services.breakers.circuit(NS, "work")


@pytest.fixture
def host() -> Host:
    """A host of which the circuit of the action has just opened: run `a` has failed three times."""
    host = Host(down)
    host.submit(FSL)
    host.start("f", "a")
    host.pass_time(2 * SECOND)
    assert taken_in(host) == ["a", "a", "a"]
    return host


def test_it_opens_after_so_many_failures_in_a_row(host: Host) -> None:
    assert host.run("a").status is Status.FAILED
    assert circuit(host) == Circuit(3, host.clock.now() + MINUTE)
    host.start("f", "b")
    host.pass_time(59 * SECOND)
    assert taken_in(host)[3:] == []


def test_after_the_pause_one_is_tried_and_its_success_lets_all_go(host: Host) -> None:
    names = ["b", "c", "d", "e"]
    for name in names:
        host.start("f", name)
        host.pass_time(SECOND)
    host.actions.script = accept
    host.pass_time(56 * SECOND)
    assert taken_in(host)[3:] == names
    assert circuit(host) == Circuit(0, None)
    for name in names:
        host.answer("One", "OK", name)
        assert host.run(name).status is Status.SUCCEEDED


def test_only_one_is_tried_at_a_time_and_a_failure_opens_it_again(host: Host) -> None:
    for name in ("b", "c", "d"):
        host.start("f", name)
        host.pass_time(1)
    host.pass_time(MINUTE)
    assert taken_in(host)[3:] == ["b"]
    opened = circuit(host).open_until
    assert opened is not None
    assert opened > host.clock.now() + 59 * SECOND - 10
    host.pass_time(MINUTE)
    assert taken_in(host)[3:] == ["b", "c"]


def test_those_that_wait_lose_no_attempt(host: Host) -> None:
    host.start("f", "b")
    host.pass_time(4 * MINUTE)
    attempts = len(taken_in(host)) - 3
    assert attempts == 3  # one each minute, and no more than `retry` allows
    assert host.run("b").status is Status.FAILED


def test_an_answer_in_the_http_answer_closes_it_too(host: Host) -> None:
    host.start("f", "b")
    host.actions.script = answer_at_once
    host.pass_time(MINUTE)
    assert host.run("b").status is Status.SUCCEEDED
    assert circuit(host) == Circuit(0, None)


def test_failures_that_are_not_in_a_row_do_not_count() -> None:
    replies = iter([down, accept, down, accept, down, accept, down, accept])
    host = Host(lambda request: next(replies)(request))
    host.submit(FSL)
    for number in range(4):
        host.start("f", f"r{number}")
        host.pass_time(2 * SECOND)
    assert len(taken_in(host)) == 8
    assert circuit(host) == Circuit(0, None)


def test_final_refusals_count() -> None:
    host = Host(lambda _: NotTaken("400", final=True, status=400))
    host.submit(FSL)
    for number in range(5):
        host.start("f", f"r{number}")
        host.settle()
    assert taken_in(host) == ["r0", "r1", "r2"]


def test_a_step_times_out_while_the_circuit_is_open(host: Host) -> None:
    host.submit(FSL.replace("return  = (OK);", "return  = (OK);\n    timeout = 30s;"))
    host.start("f", "b")
    host.pass_time(30 * SECOND)
    run = host.run("b")
    assert run.status is Status.FAILED
    assert run.error
    assert (run.error.name, run.error.state) == (ErrorName.CIRCUIT_OPEN, "TIMEOUT")
    host.actions.script = accept
    host.pass_time(MINUTE)
    assert taken_in(host)[3:] == []


def test_a_timeout_after_the_delivery_is_an_ordinary_one(host: Host) -> None:
    host.submit(FSL.replace("return  = (OK);", "return  = (OK);\n    timeout = 90s;"))
    host.start("f", "b")
    host.actions.script = accept
    host.pass_time(91 * SECOND)
    run = host.run("b")
    assert run.error
    assert run.error.name == ErrorName.TIMEOUT
    assert taken_in(host)[3:] == ["b"]


@pytest.mark.parametrize("fate", ["stop", "pause"])
def test_the_one_that_is_tried_does_not_block_the_others(host: Host, fate: str) -> None:
    """It is stopped, or its run is paused, while its delivery is on the way."""
    host.start("f", "b")
    host.pass_time(1)
    host.start("f", "c")
    host.actions.script = accept
    operator = host.services.operator
    host.pass_time(59 * SECOND - 1_500)
    command = operator.stop if fate == "stop" else operator.pause
    command(NS, "b")
    host.pass_time(2 * MINUTE)
    assert taken_in(host)[3:] == ["c"]
    if fate == "pause":
        operator.resume(NS, "b")
        host.settle()
        assert taken_in(host)[3:] == ["c", "b"]


def test_a_delivery_that_is_accepted_writes_nothing() -> None:
    host = Host(accept)
    host.submit(FSL)
    for number in range(5):
        host.start("f", f"r{number}")
    host.settle()
    assert host.store.versioned_values.read(NS, "breaker/work") == (b"", 0)


def test_a_breaker_and_a_limit_work_together() -> None:
    host = Host(down)
    host.submit(FSL.replace("breaker", "limit = (concurrent = 1);\n    breaker"))
    host.start("f", "a")
    host.pass_time(2 * SECOND)
    for name in ("b", "c"):
        host.start("f", name)
        host.pass_time(1)
    host.actions.script = accept
    host.pass_time(MINUTE)
    assert taken_in(host)[3:] == ["b"]
    host.answer("One", "OK", "b")
    host.settle()
    assert taken_in(host)[3:] == ["b", "c"]


def test_many_that_wait_all_go_once_it_closes(host: Host) -> None:
    for number in range(700):
        host.start("f", f"r{number:03}")
    host.actions.script = accept
    host.pass_time(3 * MINUTE)
    assert sorted(taken_in(host)[3:]) == [f"r{number:03}" for number in range(700)]


def test_a_heartbeat_does_not_count_while_the_circuit_is_open() -> None:
    host = Host(down)
    host.submit(FSL.replace("return  = (OK);", "return  = (OK); heartbeat = 20s; timeout = 1d;"))
    host.start("f", "a")
    host.pass_time(2 * SECOND)
    host.start("f", "b")
    host.actions.script = accept
    host.pass_time(MINUTE)
    assert taken_in(host) == ["a", "a", "a", "b"]
    assert host.run("b").status is Status.RUNNING
    host.pass_time(20 * SECOND)
    error = host.run("b").error
    assert error is not None
    assert error.name == ErrorName.HEARTBEAT_TIMEOUT
