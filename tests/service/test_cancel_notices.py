"""`cancel` of actions: who is notified that its work is not needed any more, and who is not."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import msgspec
import pytest

from chalicelib.model.status import Status
from chalicelib.service.ports.actions import NotTaken, Reply, Taken
from chalicelib.service.security.webhooks import signature_in
from tests.hosts import NS, Host, accept

MINUTE: Final = 60_000

WORK: Final = """
action work
    addr    = "http://x/work";
    cancel  = "http://x/cancel";
    return  = (OK);
    timeout = 10m;
    retry   = (max = 3, delay = 1s);
action_end
/
"""
FLOW: Final = (
    WORK + "flow f step One => (OK -> done | TIMEOUT -> Two) { action = work; }; wait Two => () { for = 1h; }; flow_end"
)


def notices(host: Host) -> list[dict[str, Any]]:
    return [msgspec.json.decode(call.body) for call in host.actions.calls if call.addresses == ("http://x/cancel",)]


def begun(text: str, name: str = "r") -> tuple[Host, str]:
    """Return a host with a run that waits at step One, and the activation."""
    host = Host(accept)
    host.submit(text)
    host.start("f", name)
    host.settle()
    return host, host.uuid("One", name)


def test_a_stopped_run_notifies_its_actions() -> None:
    host, uuid = begun(FLOW)
    host.services.operator.stop(NS, "r")
    host.settle()
    assert notices(host) == [{"flowId": "r", "stepName": "One", "uuid": uuid, "reason": "stopped"}]
    assert host.run().notices == ()
    assert host.run().status is Status.CANCELED


def test_the_notice_is_signed_and_has_the_headers_of_the_action() -> None:
    host, _ = begun(FLOW.replace("cancel  =", 'headers = ("X-Team" = "a");\n    cancel  ='))
    host.services.operator.stop(NS, "r")
    host.settle()
    call = host.actions.calls[-1]
    assert call.headers["X-Team"] == "a"
    assert signature_in(call.headers, call.body) is not None


def test_a_timeout_notifies_and_the_run_goes_on() -> None:
    host, uuid = begun(FLOW)
    host.pass_time(10 * MINUTE)
    assert [(one["uuid"], one["reason"]) for one in notices(host)] == [(uuid, "timeout")]
    assert host.run().status is Status.RUNNING


def test_a_timeout_of_the_run_notifies() -> None:
    host, uuid = begun(FLOW.replace("flow f", "flow f timeout = 5m;"))
    host.pass_time(5 * MINUTE)
    assert [(one["uuid"], one["reason"]) for one in notices(host)] == [(uuid, "timeout")]


def test_a_lost_branch_notifies() -> None:
    host, uuid = begun(
        WORK
        + """action quick addr = "http://x/quick"; return = (OK); action_end
        /
        flow f
            fork Both => (DONE -> Rest) {
                join = any;
                branch a { step One => (OK -> done) { action = work; }; };
                branch b { step Quick => (OK -> done) { action = quick; }; };
            };
            wait Rest => (DONE -> done) { for = 1h; };
        flow_end"""
    )
    host.answer("Quick", "OK")
    host.settle()
    assert [(one["uuid"], one["reason"]) for one in notices(host)] == [(uuid, "lost")]


def test_a_run_that_fails_elsewhere_notifies() -> None:
    host, uuid = begun(
        WORK
        + """action quick addr = "http://x/quick"; return = (OK | BAD); action_end
        /
        flow f
            fork Both => (DONE -> done | FAIL -> stopped) {
                join = all;
                branch a { step One => (OK -> done) { action = work; }; };
                branch b { step Quick => (OK -> done | BAD -> stopped) { action = quick; }; };
            };
        flow_end"""
    )
    host.answer("Quick", "BAD")
    host.settle()
    assert [one["uuid"] for one in notices(host)] == [uuid]
    assert host.run().status is Status.FAILED


def test_each_repetition_after_a_timeout_notifies() -> None:
    host, first = begun(
        FLOW.replace("action = work; };", "action = work; repeat = (TIMEOUT -> (max = 1, delay = 1s)); };")
    )
    host.pass_time(11 * MINUTE)
    second = host.uuid("One")
    host.pass_time(10 * MINUTE)
    assert [one["uuid"] for one in notices(host)] == [first, second]


def test_an_undo_that_times_out_notifies() -> None:
    text = WORK.replace("action work", "action back").replace("(OK)", "(DONE)") + WORK.replace(
        "retry", "undo    = back;\n    retry"
    ).replace("http://x/cancel", "http://x/other")
    host, _ = begun(text + "flow f step One => (OK -> Two) { action = work; }; wait Two => () { for = 1h; }; flow_end")
    host.answer("One", "OK")
    host.services.operator.stop(NS, "r")
    host.settle()
    uuid = host.uuid("One")
    host.pass_time(10 * MINUTE)
    assert [(one["uuid"], one["stepName"], one["reason"]) for one in notices(host)] == [(uuid, "One", "timeout")]


@pytest.mark.parametrize("state", ["OK", "ERROR"])
def test_an_answered_activation_notifies_nobody(state: str) -> None:
    host, _ = begun(
        FLOW.replace("return  = (OK)", "return  = (OK | ERROR)").replace("| TIMEOUT", "| ERROR -> Two | TIMEOUT")
    )
    host.answer("One", state)
    host.pass_time(2 * 60 * MINUTE)
    assert notices(host) == []


def test_a_delivery_that_was_refused_notifies_nobody() -> None:
    host = Host(lambda _: NotTaken("400", final=True, status=400))
    host.submit(FLOW)
    host.start("f")
    host.settle()
    assert host.run().status is Status.FAILED
    assert notices(host) == []


def test_what_was_held_back_or_not_approved_notifies_nobody() -> None:
    host = Host(accept)
    host.submit(FLOW.replace("timeout = 10m;", "timeout = 10m;\n    approval = required;"))
    host.start("f")
    host.settle()
    host.services.operator.stop(NS, "r")
    host.settle()
    assert notices(host) == []


def test_a_notice_is_retried_as_a_delivery_and_its_answer_is_ignored() -> None:
    host, _ = begun(FLOW)
    replies: Iterator[Reply] = iter([NotTaken("503", final=False), Taken({"ackState": "OK", "data": 1})])

    def script(request: dict[str, Any]) -> Reply:
        return next(replies)

    host.actions.script = script
    host.services.operator.stop(NS, "r")
    host.pass_time(MINUTE)
    assert len(notices(host)) == 2
    run = host.run()
    assert (run.status, run.notices) == (Status.CANCELED, ())
    events = [entry.event for entry in host.services.reader.history(NS, "r", 0, 100)]
    assert events[-2:] == ["DeliveryFailed", "NoticeDelivered"]


def test_a_notice_that_never_arrives_is_given_up() -> None:
    host, _ = begun(FLOW)
    host.actions.script = lambda _: NotTaken("503", final=False)
    host.services.operator.stop(NS, "r")
    host.pass_time(10 * MINUTE)
    assert len(notices(host)) == 3
    assert host.run().notices == ()


def test_a_limit_of_the_action_does_not_hold_its_notices() -> None:
    host = Host(accept)
    host.submit(FLOW.replace("timeout = 10m;", "timeout = 10m;\n    limit = (concurrent = 1, per_second = 0.01);"))
    host.start("f", "a")
    host.start("f", "b")
    host.settle()
    uuid = host.uuid("One", "a")
    host.services.operator.stop(NS, "a")
    host.settle()
    assert [one["uuid"] for one in notices(host)] == [uuid]
