"""Limits of actions from the text to the delivery: by key, in order, through pauses, retries, undos and ends."""

from __future__ import annotations

from typing import Any, Final

import pytest
from msgspec.structs import replace

from chalicelib.model.actions import Method
from chalicelib.model.run_error import ErrorName
from chalicelib.model.status import Status
from chalicelib.service.limits import permits
from chalicelib.service.ports.actions import NotTaken, Reply, Taken
from chalicelib.service.ports.queues import QueueName
from chalicelib.service.ports.waiters import Waiter
from chalicelib.service.runs.answer import Answer
from tests.hosts import NS, Host, accept

SECOND: Final = 1_000
MINUTE: Final = 60_000

LIMITED: Final = """
action work
    addr = "http://x/";
    return = (OK);
    limit = (concurrent = 2);
action_end
/
flow f
    step One => (OK -> done) { action = work; };
flow_end
"""
BY_KEY: Final = """
action work addr = "http://x/"; return = (OK); limit = (concurrent = 1, key = ${ $input.tenant }); action_end
/
flow f
    input = (any tenant);
    step One => (OK -> done) { action = work; };
flow_end
"""


def taken_in(host: Host) -> list[str]:
    return [request["flowId"] for request in host.actions.requests]


def holders(host: Host, name: str = "limit/work") -> dict[str, str]:
    return permits.decode(host.store.versioned_values.read(NS, name)[0]).holders


def test_deliveries_over_the_limit_wait_for_an_answer_and_go_in_order() -> None:
    host = Host(accept)
    host.submit(LIMITED)
    names = [f"r{number}" for number in range(7)]
    for name in names:
        host.start("f", name)
    host.settle()
    for done in range(7):
        assert taken_in(host) == names[: done + 2]
        host.answer("One", "OK", names[done])
        host.settle()
    assert {host.run(name).status for name in names} == {Status.SUCCEEDED}
    assert holders(host) == {}


def test_a_hundred_waiters_cost_two_messages_and_four_writes_each() -> None:
    """When waiters polled, ten seconds each at `concurrent = 1` cost 80,284 messages and 164,560 reads of heads."""
    host = Host(accept)
    host.submit(LIMITED.replace("concurrent = 2", "concurrent = 1"))
    names = [f"r{number:03}" for number in range(101)]
    for name in names:
        host.start("f", name)
    host.settle()
    sent = host.queue.sent
    for name in names:
        host.pass_time(10 * SECOND)
        host.answer("One", "OK", name)
    host.settle()
    assert taken_in(host) == names
    messages = host.queue.sent - sent
    assert messages <= 101 + 100 + 20  # one release each, one delivery per waiter, and a look each minute
    _, version = host.store.versioned_values.read(NS, "limit/work")
    assert version <= 101 + 20


def test_a_long_wait_for_a_permit_is_not_dead_lettered() -> None:
    host = Host(accept)
    host.submit(LIMITED)
    for number in range(3):
        host.start("f", f"r{number}")
    host.pass_time(24 * 60 * MINUTE)
    assert len(taken_in(host)) == 2
    assert host.queue.receive(QueueName.DEAD, 10, 0) == []


BEATING: Final = """
action work addr = "http://x/"; return = (OK); limit = (concurrent = 1); heartbeat = 1m; timeout = 1d; %s action_end
/
flow f
    step One => (OK -> done | TIMEOUT -> done (output = ${ $error.name })) { action = work; };
flow_end
"""


def report(host: Host, name: str) -> None:
    host.services.answerer.answer(NS, Answer(run=name, step="One", uuid=host.uuid("One", name), done=False))


def test_a_heartbeat_does_not_count_while_a_delivery_waits_for_its_limit() -> None:
    host = Host(accept)
    host.submit(BEATING % "")
    host.start("f", "first")
    host.pass_time(MINUTE - 1)
    host.start("f", "second")
    report(host, "first")
    host.pass_time(MINUTE - 1)
    host.answer("One", "OK", "first")
    host.settle()
    assert taken_in(host) == ["first", "second"]
    host.pass_time(MINUTE - 1)
    assert host.run("second").status is Status.RUNNING
    host.pass_time(1)
    assert host.run("second").output == "HeartbeatTimeout"


def test_a_heartbeat_counts_from_the_delivery_after_an_approval_and_a_pause() -> None:
    host = Host(accept)
    host.submit(BEATING % "approval = required;")
    host.start("f", "first")
    host.start("f", "second")
    host.settle()
    host.answer("One", "APPROVE", "first")
    host.answer("One", "APPROVE", "second")
    host.settle()
    report(host, "first")
    host.services.operator.pause(NS, "second")
    host.pass_time(30 * MINUTE)
    host.services.operator.resume(NS, "second")
    host.settle()
    assert (taken_in(host), host.run("first").output) == (["first", "second"], "HeartbeatTimeout")
    host.pass_time(MINUTE - 1)
    assert host.run("second").status is Status.RUNNING
    host.pass_time(1)
    assert host.run("second").output == "HeartbeatTimeout"


@pytest.mark.parametrize("fate", ["timeout", "stop", "delete"])
def test_a_permit_comes_back_however_its_step_ends(fate: str) -> None:
    host = Host(accept)
    host.submit(LIMITED.replace("concurrent = 2);", "concurrent = 1);\n    timeout = 10m;"))
    host.start("f", "first")
    host.pass_time(5 * MINUTE)
    host.start("f", "second")
    host.settle()
    assert taken_in(host) == ["first"]
    if fate == "timeout":
        host.pass_time(5 * MINUTE)
    else:
        host.services.operator.stop(NS, "first")
        if fate == "delete":
            host.services.operator.delete_run(NS, "first")
        host.settle()
    assert taken_in(host) == ["first", "second"]


def test_a_waiter_that_times_out_is_never_delivered() -> None:
    host = Host(accept)
    host.submit(LIMITED.replace("concurrent = 2);", "concurrent = 1);\n    timeout = 10m;"))
    host.start("f", "first")
    host.start("f", "second")
    host.pass_time(9 * MINUTE)
    host.services.reader.run(NS, "first")
    host.start("f", "third")
    host.pass_time(MINUTE)
    assert host.run("second").status is Status.FAILED
    assert taken_in(host) == ["first", "third"]


def test_a_step_s_own_limit_wins() -> None:
    host = Host(accept)
    host.submit(LIMITED.replace("action = work;", "action = work; limit = (concurrent = 1);"))
    for number in range(3):
        host.start("f", f"r{number}")
    host.pass_time(3_000)
    assert taken_in(host) == ["r0"]


def test_items_of_one_run_are_delivered_in_their_order() -> None:
    host = Host()
    host.submit(
        """
        action work addr = "http://x/"; args = (int x); return = (OK); limit = (concurrent = 1); action_end
        /
        flow f
            each E => (DONE -> done) {
                items = ${ [1..20] };
                step One => (OK -> done) { action = work; args = (x = ${ $item }); };
            };
        flow_end
        """
    )
    host.start("f")
    host.settle()
    assert [request["x"] for request in host.actions.requests] == list(range(1, 21))


def test_people_have_no_limits() -> None:
    host = Host()
    host.submit(LIMITED.replace('addr = "http://x/";', "method = human;").replace("concurrent = 2", "concurrent = 1"))
    assert host.services.definition_cache.of(host.start("f", "r")).actions["work"].method is Method.HUMAN
    host.start("f", "s")
    host.settle()
    assert [host.answer("One", "OK", name) for name in "rs"]
    host.settle()
    assert host.store.versioned_values.read(NS, "limit/work") == (b"", 0)


# ── by key ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_each_key_has_permits_of_its_own() -> None:
    host = Host(accept)
    host.submit(BY_KEY)
    for number, tenant in enumerate(["a", "b", "a", "b", "c", "a"]):
        host.start("f", f"{tenant}{number}", tenant=tenant)
    host.settle()
    assert taken_in(host) == ["a0", "b1", "c4"]
    host.answer("One", "OK", "a0")
    host.settle()
    host.answer("One", "OK", "a2")
    host.settle()
    assert taken_in(host)[3:] == ["a2", "a5"]


def test_a_key_is_text_as_that_of_an_event() -> None:
    host = Host(accept)
    host.submit(BY_KEY)
    for name, tenant in (("r0", 7), ("r1", "7"), ("r2", 7.0), ("r3", True), ("r4", "true")):
        host.start("f", name, tenant=tenant)
    host.settle()
    assert taken_in(host) == ["r0", "r3"]


@pytest.mark.parametrize("tenant", [None, [1], {"a": 1}, "x" * 513])
def test_a_key_that_is_none_makes_the_step_return_error(tenant: Any) -> None:
    host = Host(accept)
    host.submit(BY_KEY)
    host.start("f", tenant=tenant)
    host.settle()
    error = host.run().error
    assert error
    assert error.name in (ErrorName.EXPRESSION_FAILED, ErrorName.TOO_LARGE)
    assert "key" in error.cause
    assert host.actions.requests == []


def test_a_key_that_yields_nothing_makes_the_step_return_error() -> None:
    host = Host(accept)
    host.submit(BY_KEY.replace("${ $input.tenant }", "${ $input.tenant.id }"))
    host.start("f", tenant={})
    host.settle()
    error = host.run().error
    assert error
    assert error.name == ErrorName.EXPRESSION_FAILED
    assert host.actions.requests == []


def test_a_key_is_evaluated_when_the_step_is_entered() -> None:
    host = Host(accept)
    host.submit(
        BY_KEY.replace("$input.tenant }", "$vars.tenant }").replace("step One", "vars = (tenant = 1);\n    step One")
    )
    host.start("f", tenant=0)
    host.settle()
    host.services.operator.set_vars(NS, "r", {"tenant": 2})
    host.start("f", "s", tenant=0)
    host.settle()
    assert taken_in(host) == ["r"]
    host.answer("One", "OK", "r")
    host.settle()
    assert taken_in(host) == ["r", "s"]


def test_names_of_actions_and_keys_do_not_collide() -> None:
    host = Host(accept)
    host.submit(BY_KEY)
    host.submit(
        """
        action "work/a" addr = "http://x/"; return = (OK); limit = (concurrent = 1); action_end
        /
        flow g step One => (OK -> done) { action = "work/a"; }; flow_end
        """
    )
    host.start("f", "one", tenant="a")
    host.start("g", "two")
    host.settle()
    assert sorted(taken_in(host)) == ["one", "two"]


# ── pauses, retries, undos ───────────────────────────────────────────────────────────────────────────────────────────


def test_a_waiting_run_that_is_paused_lets_others_pass_and_waits_again() -> None:
    host = Host(accept)
    host.submit(LIMITED.replace("concurrent = 2", "concurrent = 1"))
    for name in ("a", "b", "c", "d"):
        host.start("f", name)
        host.pass_time(1)
    host.services.operator.pause(NS, "b")
    host.answer("One", "OK", "a")
    host.settle()
    assert taken_in(host) == ["a", "c"]
    host.services.operator.resume(NS, "b")
    host.settle()
    host.answer("One", "OK", "c")
    host.settle()
    assert taken_in(host)[2:] == ["b"]
    host.answer("One", "OK", "b")
    host.settle()
    assert taken_in(host)[3:] == ["d"]


def test_a_paused_run_keeps_the_permit_of_work_that_is_done() -> None:
    host = Host(accept)
    host.submit(LIMITED.replace("concurrent = 2", "concurrent = 1"))
    host.start("f", "a")
    host.start("f", "b")
    host.settle()
    host.services.operator.pause(NS, "a")
    host.pass_time(10 * MINUTE)
    assert taken_in(host) == ["a"]
    host.answer("One", "OK", "a")
    host.settle()
    assert taken_in(host) == ["a", "b"]


def test_an_activation_that_waits_for_a_far_retry_lets_others_pass() -> None:
    refused: list[str] = []

    def refuse_once(request: dict[str, Any]) -> Reply:
        if request["flowId"] == "a" and len(refused) < 2:
            refused.append(request["flowId"])
            return NotTaken("busy", final=False, retry_after=60 * SECOND)
        return Taken()

    host = Host(refuse_once)
    host.submit(LIMITED.replace("concurrent = 2", "concurrent = 1"))
    host.start("f", "a")
    host.settle()
    host.start("f", "b")
    host.settle()
    assert taken_in(host) == ["a", "b"]
    host.pass_time(90 * SECOND)
    assert taken_in(host) == ["a", "b"]  # its time came, and it waits
    host.answer("One", "OK", "b")
    host.settle()
    assert taken_in(host) == ["a", "b", "a"]
    host.pass_time(60 * SECOND)
    assert taken_in(host) == ["a", "b", "a", "a"]
    assert len(holders(host)) == 1


def test_an_activation_that_is_retried_soon_keeps_its_permit() -> None:
    host = Host(lambda request: NotTaken("busy", final=False, retry_after=SECOND))
    host.submit(LIMITED.replace("concurrent = 2", "concurrent = 1"))
    host.start("f", "a")
    host.start("f", "b")
    host.settle()
    host.actions.script = accept
    host.pass_time(2 * SECOND)
    assert taken_in(host) == ["a", "a"]


def test_an_undo_waits_for_a_permit_too() -> None:
    host = Host(accept)
    host.submit(
        """
        action back addr = "http://x/"; return = (DONE); limit = (concurrent = 1, key = ${ $input.t }); action_end
        /
        action work addr = "http://x/"; return = (OK); undo = back; action_end
        /
        flow f
            input = (str t);
            step One => (OK -> Two) { action = work; };
            wait Two => (DONE -> done) { for = 1h; };
        flow_end
        """
    )
    for name in ("a", "b"):
        host.start("f", name, t="x")
        host.settle()
        host.answer("One", "OK", name)
        host.services.operator.stop(NS, name)
        host.settle()
    assert taken_in(host) == ["a", "a", "b"]
    host.answer("One", "DONE", "a")
    host.settle()
    assert taken_in(host) == ["a", "a", "b", "b"]
    host.answer("One", "DONE", "b")
    host.settle()
    assert holders(host, "limit-key/4/back/x") == {}
    assert host.run("b").status is Status.CANCELED


def test_a_retried_run_takes_a_new_permit() -> None:
    host = Host(accept)
    host.submit(LIMITED.replace("concurrent = 2", "concurrent = 1"))
    host.start("f", "a")
    host.start("f", "b")
    host.settle()
    host.services.operator.stop(NS, "a")
    host.settle()
    host.services.operator.retry(NS, "a")
    host.settle()
    assert taken_in(host) == ["a", "b"]
    host.answer("One", "OK", "b")
    host.settle()
    assert taken_in(host) == ["a", "b", "a"]


def test_one_that_an_old_head_put_in_the_queue_is_sent_though_its_message_is_gone() -> None:
    """Two workers had its message: one noted that its attempt failed, the other had read the head before that."""
    host = Host(lambda _request: NotTaken("503", final=False, retry_after=SECOND, status=503))
    host.submit(LIMITED.replace("concurrent = 2", "per_second = 0.5"))
    host.start("f", "r")
    host.settle()
    activation = host.run("r").tokens[0].activation
    assert activation is not None
    assert activation.attempt == 1
    at, run, uuid = host.clock.now(), host.run("r"), activation.uuid
    waiter = Waiter(at=at, place=0, uuid=uuid, run="r", id=run.id, attempt=0, per_second=0.5)
    host.store.waiters.put(NS, "limit/work", waiter)
    held, version = host.store.versioned_values.read(NS, "limit/work")
    waiting = permits.encode(replace(permits.decode(held), waiting=True))
    host.store.versioned_values.write(NS, "limit/work", waiting, version)
    host.clock.advance(2 * SECOND)
    for received in host.queue.receive(QueueName.DELIVERIES, 10, 0):
        host.queue.delete(QueueName.DELIVERIES, [received.receipt])
    host.services.limiter.serve(NS, "limit/work")
    host.pass_time(2 * MINUTE)
    assert len(taken_in(host)) > 1
