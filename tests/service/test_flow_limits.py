"""Limits of flows: runs over the limit wait in order, do not start, or end the oldest."""

from __future__ import annotations

from typing import Final

import pytest

from chalicelib.engine.admission import MAX_PENDING_MS
from chalicelib.engine.errors import CommandRefused
from chalicelib.model.run_error import ErrorName
from chalicelib.model.status import Status
from chalicelib.service.errors import LimitReached, RunExists
from chalicelib.service.limits import permits
from chalicelib.service.messages import Release, decode
from chalicelib.service.ports.queues import QueueName
from chalicelib.service.ports.runs import RunQuery
from chalicelib.service.runs.start import StartOrder
from tests.hosts import NS, Host, accept

SECOND: Final = 1_000
MINUTE: Final = 60_000
DAY: Final = 24 * 60 * MINUTE

FSL: Final = """
action work  addr = "http://x/"; return = (OK); action_end
/
action back  addr = "http://x/back"; return = (DONE); action_end
/
flow f
    input = (any customer = 1);
    limit = (concurrent = 1, key = ${ $input.customer });
    step One => (OK -> done) { action = work; };
flow_end
/
flow parent
    call Child => (DONE -> done | STOPPED -> stopped (error = ${ $error.name }, cause = ${ $error.cause })
                 | ERROR -> stopped (error = ${ $error.name }, cause = ${ $error.cause }) | TIMEOUT -> stopped) {
        flow = f; timeout = 1h;
    };
flow_end
"""
SKIP: Final = FSL.replace("$input.customer });", "$input.customer }, overflow = skip);")
OLDEST: Final = FSL.replace("$input.customer });", "$input.customer }, overflow = cancel_oldest);")


def status_of(host: Host, *names: str) -> list[str]:
    return [str(host.run(name).status) for name in names]


def end(host: Host, name: str) -> None:
    host.answer("One", "OK", name)
    host.settle()


def holders(host: Host, key: str = "flow-key/1/f/1") -> list[str]:
    return list(permits.decode(host.store.versioned_values.read(NS, key)[0]).holders.values())


@pytest.fixture
def host() -> Host:
    host = Host(accept)
    host.submit(FSL)
    return host


# ── queue ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_runs_over_the_limit_wait_as_pending_and_begin_in_order(host: Host) -> None:
    names = [f"r{number}" for number in range(5)]
    for name in names:
        host.start("f", name)
    host.settle()
    for number, name in enumerate(names):
        assert status_of(host, *names) == (
            ["succeeded"] * number + ["running"] + ["pending"] * (len(names) - number - 1)
        )
        end(host, name)
    assert status_of(host, *names) == ["succeeded"] * 5
    assert holders(host) == []


def test_each_key_is_counted_by_itself(host: Host) -> None:
    for name, customer in (("a1", "a"), ("a2", "a"), ("b1", "b"), ("n1", 7), ("n2", "7")):
        host.start("f", name, customer=customer)
    host.settle()
    assert status_of(host, "a1", "a2", "b1", "n1", "n2") == ["running", "pending", "running", "running", "pending"]


def test_a_pending_run_has_entered_no_step(host: Host) -> None:
    host.start("f", "a")
    host.start("f", "b")
    host.pass_time(DAY)
    run = host.run("b")
    assert [request["flowId"] for request in host.actions.requests] == ["a"]
    assert (run.steps, len(run.tokens), run.tokens[0].activation) == (0, 1, None)
    end(host, "a")
    assert host.run("b").status is Status.RUNNING
    assert host.path("b") == ["One"]


def test_a_key_that_cannot_be_made_fails_the_run(host: Host) -> None:
    host.start("f", "a", customer=[1])
    host.settle()
    run = host.run("a")
    assert run.status is Status.FAILED
    assert run.error
    assert run.error.name == ErrorName.EXPRESSION_FAILED
    assert "key" in run.error.cause
    assert run.limiter == ""


@pytest.mark.parametrize("fate", ["stop", "delete", "timeout"])
def test_the_next_one_begins_however_a_run_ends(host: Host, fate: str) -> None:
    host.submit(FSL.replace("limit =", "timeout = 1h;\n    limit ="))
    host.start("f", "a")
    host.pass_time(MINUTE)
    host.start("f", "b")
    host.settle()
    if fate == "timeout":
        host.pass_time(59 * MINUTE)
    else:
        host.services.operator.stop(NS, "a")
        if fate == "delete":
            host.services.operator.delete_run(NS, "a")
        host.settle()
    assert host.run("b").status is Status.RUNNING


def test_a_permit_is_held_until_the_work_is_undone() -> None:
    host = Host(accept)
    host.submit(
        FSL.replace("return = (OK); action_end", "return = (OK); undo = back; action_end")
        .replace("(OK -> done)", "(OK -> Two)")
        .replace("flow_end\n/\nflow parent", "wait Two => (DONE -> done) { for = 1h; };\nflow_end\n/\nflow parent")
    )
    host.start("f", "a")
    host.start("f", "b")
    host.settle()
    end(host, "a")
    host.services.operator.stop(NS, "a")
    host.settle()
    assert status_of(host, "a", "b") == ["canceling", "pending"]
    host.answer("One", "DONE", "a")
    host.settle()
    assert status_of(host, "a", "b") == ["canceled", "running"]


def test_a_pending_run_can_be_stopped_and_the_others_keep_their_order(host: Host) -> None:
    for name in ("a", "b", "c"):
        host.start("f", name)
    host.settle()
    host.services.operator.stop(NS, "b", reason="no need")
    host.settle()
    assert host.run("b").status is Status.CANCELED
    end(host, "a")
    assert status_of(host, "a", "b", "c") == ["succeeded", "canceled", "running"]


def test_a_pending_run_times_out(host: Host) -> None:
    host.submit(FSL.replace("limit =", "timeout = 1h;\n    limit ="))
    host.submit("flow holder limit = (concurrent = 1); wait W => (DONE -> done) { for = 3h; }; flow_end")
    host.submit("flow short timeout = 1h; limit = (concurrent = 1); wait W => (DONE -> done) { for = 50m; }; flow_end")
    host.start("short", "a")
    host.start("short", "b")
    host.pass_time(61 * MINUTE)
    run = host.run("b")
    assert run.status is Status.FAILED
    assert run.error
    assert run.error.name == ErrorName.TIMEOUT


def test_a_run_waits_for_its_turn_no_longer_than_a_year(host: Host) -> None:
    host.submit("flow slow limit = (concurrent = 1); wait W => (DONE -> W) { for = 300d; }; flow_end")
    host.start("slow", "a")
    host.start("slow", "b")
    host.pass_time(MAX_PENDING_MS - MINUTE)
    assert status_of(host, "a", "b") == ["running", "pending"]
    host.pass_time(MINUTE)
    assert status_of(host, "a", "b") == ["running", "failed"]


def test_a_pending_run_can_be_paused_and_waits_again_when_it_is_continued(host: Host) -> None:
    for name in ("a", "b", "c"):
        host.start("f", name)
        host.pass_time(1)
    host.services.operator.pause(NS, "b")
    end(host, "a")
    assert status_of(host, "b", "c") == ["paused", "running"]
    host.services.operator.resume(NS, "b")
    host.settle()
    assert status_of(host, "b", "c") == ["pending", "running"]
    end(host, "c")
    assert status_of(host, "b", "c") == ["running", "succeeded"]


def test_a_run_that_is_paused_just_when_its_turn_comes_begins_when_it_is_continued(host: Host) -> None:
    for name in ("a", "b"):
        host.start("f", name)
    host.settle()
    host.services.operator.stop(NS, "a")
    for received in host.queue.receive(QueueName.WAKES, 10, 0):
        message = decode(received.body)
        if isinstance(message, Release):
            assert host.services.limiter.release(message) is None
            host.queue.delete(QueueName.WAKES, [received.receipt])
    assert holders(host) == ["b"]
    host.services.operator.pause(NS, "b")
    host.settle()
    host.services.operator.resume(NS, "b")
    host.settle()
    assert host.run("b").status is Status.RUNNING
    end(host, "b")
    assert holders(host) == []


def test_a_retried_run_waits_for_its_turn_again(host: Host) -> None:
    for name in ("a", "b"):
        host.start("f", name)
    host.settle()
    host.services.operator.stop(NS, "a")
    host.settle()
    host.services.operator.retry(NS, "a")
    host.settle()
    assert status_of(host, "a", "b") == ["pending", "running"]
    end(host, "b")
    assert host.run("a").status is Status.RUNNING
    end(host, "a")
    assert host.run("a").status is Status.SUCCEEDED
    assert holders(host) == []


def test_a_pending_run_cannot_be_retried_or_deleted(host: Host) -> None:
    host.start("f", "a")
    host.start("f", "b")
    host.settle()
    with pytest.raises(CommandRefused):
        host.services.operator.retry(NS, "b")
    with pytest.raises(CommandRefused):
        host.services.operator.delete_run(NS, "b")


def test_a_call_waits_for_its_pending_child_no_longer_than_its_timeout(host: Host) -> None:
    host.start("f", "a")
    host.settle()
    host.start("parent", "p")
    host.settle()
    (child,) = [run for run in host.services.runs.list(NS, RunQuery()).runs if run.parent]
    assert child.status is Status.PENDING
    host.pass_time(61 * MINUTE)
    assert host.run("p").status is Status.FAILED
    assert host.run(child.name).status is Status.CANCELED
    end(host, "a")
    assert holders(host) == []


def test_a_call_goes_on_when_its_child_has_had_its_turn(host: Host) -> None:
    host.start("f", "a")
    host.settle()
    host.start("parent", "p")
    host.settle()
    end(host, "a")
    (child,) = [run for run in host.services.runs.list(NS, RunQuery()).runs if run.parent]
    end(host, child.name)
    assert host.run("p").status is Status.SUCCEEDED


def test_a_hundred_runs_that_wait_cost_few_messages(host: Host) -> None:
    names = [f"r{number:03}" for number in range(100)]
    for name in names:
        host.start("f", name)
    host.settle()
    sent = host.queue.sent
    for name in names:
        end(host, name)
        host.pass_time(SECOND)
    assert status_of(host, *names) == ["succeeded"] * 100
    assert host.queue.sent - sent < 4 * 100 + 20  # a release, a beginning, a delivery and a timer each


def test_a_run_that_a_document_starts_waits_too(host: Host) -> None:
    host.start("f", "a")
    host.submit("flow_run doc flow = f; flow_run_end")
    host.settle()
    assert host.run("doc").status is Status.PENDING
    end(host, "a")
    assert host.run("doc").status is Status.RUNNING


# ── skip ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_run_over_the_limit_is_not_started() -> None:
    host = Host(accept)
    host.submit(SKIP)
    host.start("f", "a")
    host.settle()
    with pytest.raises(LimitReached, match="limit of flow 'f' for key '1' is reached"):
        host.start("f", "b")
    with pytest.raises(RunExists):
        host.start("f", "a")
    end(host, "a")
    host.start("f", "b")
    host.settle()
    assert host.run("b").status is Status.RUNNING


def test_of_two_runs_that_start_at_once_one_ends_as_canceled() -> None:
    host = Host(accept)
    host.submit(SKIP)
    host.start("f", "a")
    host.start("f", "b")
    host.settle()
    assert status_of(host, "a", "b") == ["running", "canceled"]
    assert "limit of flow 'f'" in host.run("b").last_err
    end(host, "a")
    assert holders(host) == []


def test_a_repeated_request_returns_the_run_that_it_started() -> None:
    host = Host(accept)
    host.submit(SKIP)
    order = StartOrder(flow="f", name="a", key="once")
    first = host.services.starter.start(NS, order)
    host.settle()
    again = host.services.starter.start(NS, order)
    assert (first.created, again.created, again.run.name) == (True, False, "a")


def test_a_call_of_a_flow_that_skips_returns_an_error() -> None:
    host = Host(accept)
    host.submit(SKIP)
    host.start("f", "a")
    host.settle()
    host.start("parent", "p")
    host.settle()
    run = host.run("p")
    assert run.error
    assert run.error.name == ErrorName.CHILD_FAILED
    assert "limit of flow 'f'" in run.error.cause


# ── cancel_oldest ────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_new_run_ends_the_oldest() -> None:
    host = Host(accept)
    host.submit(OLDEST.replace("concurrent = 1", "concurrent = 2"))
    for name in ("a", "b", "c", "d"):
        host.start("f", name)
        host.pass_time(SECOND)
    assert status_of(host, "a", "b", "c", "d") == ["canceled", "canceled", "running", "running"]
    assert "newer run" in host.run("a").last_err


def test_of_many_new_runs_the_newest_stays() -> None:
    host = Host(accept)
    host.submit(OLDEST)
    names = [f"r{number}" for number in range(6)]
    for name in names:
        host.start("f", name)
    host.settle()
    assert status_of(host, *names) == ["canceled"] * 5 + ["running"]
    end(host, "r5")
    assert holders(host) == []


def test_a_new_run_waits_until_the_oldest_is_undone() -> None:
    host = Host(accept)
    host.submit(
        OLDEST.replace("return = (OK); action_end", "return = (OK); undo = back; action_end")
        .replace("(OK -> done)", "(OK -> Two)")
        .replace("flow_end\n/\nflow parent", "wait Two => (DONE -> done) { for = 1h; };\nflow_end\n/\nflow parent")
    )
    host.start("f", "a")
    host.settle()
    end(host, "a")
    host.start("f", "b")
    host.settle()
    assert status_of(host, "a", "b") == ["canceling", "pending"]
    host.answer("One", "DONE", "a")
    host.settle()
    assert status_of(host, "a", "b") == ["canceled", "running"]


def test_a_start_step_of_a_flow_that_skips_returns_an_error() -> None:
    host = Host(accept)
    host.submit(SKIP)
    host.submit(
        "flow starter start S => (DONE -> done | ERROR -> stopped (error = ${ $error.name })) { flow = f; }; flow_end"
    )
    host.start("f", "a")
    host.settle()
    host.start("starter", "s")
    host.settle()
    assert host.run("s").last_err.startswith(ErrorName.REFUSED)
