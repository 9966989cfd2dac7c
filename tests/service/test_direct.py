"""Actions without callback (`callback = none`): flows on a host whose caller returns HTTP responses."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from chalicelib.model.json_values import Json
from chalicelib.model.status import Status
from chalicelib.service import messages
from chalicelib.service.messages import Deliver
from chalicelib.service.ports.actions import NotTaken, Reply, Response
from chalicelib.service.ports.queues import QueueName
from tests.hosts import NS, Host
from tests.service.test_permits import Broken

SHOP = """
action get_order
    addr = "https://shop.example/orders/{id}"; method = https; verb = GET; callback = none;
    args = (str id, str currency = "EUR");
    return = (OK | MISSING on 404 | BUSY on 409, 423);
action_end
/
flow f
    input = (str id);
    vars = (etag = null, error = null);
    output = ${ {"result": $result, "status": $response.status, "etag": $vars.etag} };
    step Get => (OK -> done | MISSING -> done | BUSY -> done | ERROR -> Failed (error = ${ $error })) {
        action = get_order; save = (etag = ${ $response.headers.etag });
    };
    set Failed => (DONE -> done) {};
flow_end
"""


def json_response(status: int, value: Json, **headers: str) -> Response:
    named = {name.replace("_", "-"): text for name, text in headers.items()}
    return Response(status, {"content-type": "application/json", **named}, json.dumps(value).encode())


def answering(*replies: Reply) -> Callable[[dict[str, Any]], Reply]:
    """Return these replies in turn, and the last one for ever."""
    left = list(replies)
    return lambda _: left.pop(0) if len(left) > 1 else left[0]


def played(*replies: Reply, text: str = SHOP, **given: Json) -> Host:
    host = Host(answering(*replies))
    host.submit(text)
    host.start("f", **(given or {"id": "a/b"}))
    host.settle()
    return host


def test_a_success_is_the_first_state_with_the_body_as_its_data() -> None:
    host = played(json_response(200, {"total": 7}, etag='"x"'))
    assert host.run().output == {"result": {"total": 7}, "status": 200, "etag": '"x"'}
    [request] = host.actions.requests
    assert (request["verb"], request["address"]) == ("GET", "https://shop.example/orders/a%2Fb?currency=EUR")
    assert request["body"] == b""
    assert sorted(request["headers"]) == ["Accept", "Idempotency-Key", "traceparent"]


@pytest.mark.parametrize(("status", "state"), [(201, "OK"), (204, "OK"), (404, "MISSING"), (423, "BUSY")])
def test_a_status_leads_to_its_state(status: int, state: str) -> None:
    host = played(Response(status))
    assert [entry.state for entry in host.run().tail if entry.event == "StepAcked"] == [state]
    assert host.run().output == {"result": None, "status": status, "etag": None}


def test_any_other_final_status_is_refused() -> None:
    host = played(json_response(403, {"why": "no"}, etag="e"))
    error = host.run().vars["error"]
    assert error["name"] == "Refused"
    assert (error["status"], error["data"]) == (403, {"why": "no"})
    assert error["cause"] == 'https://shop.example/orders/{id} answered 403: {"why": "no"}'
    assert len(host.actions.calls) == 1


def test_a_busy_service_is_called_again_and_nothing_else_is_sent() -> None:
    host = played(Response(503, retry_after=60_000), Response(200))
    assert host.run().status is Status.RUNNING
    host.pass_time(59_000)
    assert len(host.actions.calls) == 1
    host.pass_time(1_000)
    assert host.run().status is Status.SUCCEEDED
    first, second = host.actions.calls
    assert first == second


def test_no_connection_is_tried_again_and_then_undeliverable() -> None:
    host = played(NotTaken("no", final=False))
    host.pass_time(3_600_000)
    assert host.run().vars["error"]["name"] == "Undeliverable"


def location_of(host: Host) -> str:
    """Return where the first token is asked again."""
    activation = host.run().tokens[0].activation
    return activation.location if activation else ""


# ── 202: the work goes on ────────────────────────────────────────────────────────────────────────────────────────────


def test_a_202_with_location_is_asked_again_until_it_is_no_202() -> None:
    more = Response(202, {"location": "/jobs/7"}, retry_after=20_000)
    host = played(Response(202, {"location": "/jobs/7"}), more, json_response(200, {"n": 1}))
    assert location_of(host) == "https://shop.example/jobs/7"
    host.pass_time(5_000)
    assert [call.addresses[0] for call in host.actions.calls[1:]] == ["https://shop.example/jobs/7"]
    host.pass_time(19_000)
    assert len(host.actions.calls) == 2
    host.pass_time(1_000)
    assert host.run().output == {"result": {"n": 1}, "status": 200, "etag": None}
    assert [call.verb for call in host.actions.calls] == ["GET", "GET", "GET"]
    assert [entry.event for entry in host.run().tail].count("AnswerPending") == 1


def test_a_202_is_asked_again_after_a_second_at_the_earliest() -> None:
    host = played(Response(202, {"location": "/j"}, retry_after=0), Response(200))
    host.pass_time(999)
    assert len(host.actions.calls) == 1
    host.pass_time(1)
    assert host.run().status is Status.SUCCEEDED


def test_work_that_goes_on_for_longer_than_the_step_waits_times_out() -> None:
    text = SHOP.replace("| ERROR ->", "| TIMEOUT -> stopped | ERROR ->").replace(
        "action = get_order;", "action = get_order; timeout = 1h;"
    )
    host = played(Response(202, {"location": "/j"}, retry_after=1_500_000), text=text)
    host.pass_time(3_600_000)
    assert host.run().error is not None
    assert len(host.actions.calls) == 3
    host.pass_time(86_400_000)
    assert len(host.actions.calls) == 3


def test_looking_again_never_uses_up_the_receptions_of_a_message() -> None:
    """A queue dead-letters a message that it delivers 100 times; each look is a message of its own."""
    host = played(*[Response(202, {"location": "/j"}, retry_after=1_800_000)] * 300, Response(200))
    host.pass_time(299 * 1_800_000)
    assert host.run().status is Status.RUNNING
    assert host.run().seq < 10
    host.pass_time(1_800_000)
    assert host.run().status is Status.SUCCEEDED


def test_a_look_that_fails_is_tried_again_by_the_retries_of_its_own() -> None:
    later = Response(202, {"location": "/j"}, retry_after=1_000)
    host = played(later, Response(503), Response(503), later, Response(503), Response(503), Response(200))
    host.pass_time(3_600_000)
    assert host.run().status is Status.SUCCEEDED
    assert len(host.actions.calls) == 7


def test_a_status_at_the_location_leads_to_its_state() -> None:
    host = played(Response(202, {"location": "/j"}), Response(404))
    host.pass_time(5_000)
    assert host.run().output["status"] == 404


def test_a_crash_between_two_looks_loses_none() -> None:
    """The process dies after a look was committed and before its next message was sent: the old message comes back."""
    host = played(Response(202, {"location": "/j"}), Response(202, {"location": "/j"}), Response(200))
    assert host.queue.receive(QueueName.DELIVERIES, 10, 0) == []
    host.clock.advance(5_000)
    [message] = host.queue.receive(QueueName.DELIVERIES, 10, 0)
    decoded = messages.decode(message.body)
    assert isinstance(decoded, Deliver)
    host.rebuild(queue=Broken(host.clock))
    assert host.services.deliverer.deliver([decoded]) == [5_000]
    host.rebuild(queue=host.queue)
    host.queue.defer(QueueName.DELIVERIES, message.receipt, 5_000)
    host.pass_time(5_000)
    assert host.run().status is Status.SUCCEEDED


def test_a_run_that_is_paused_between_two_looks_looks_when_it_is_continued() -> None:
    host = played(Response(202, {"location": "/j"}), Response(200))
    host.services.operator.pause(NS, "r")
    host.pass_time(60_000)
    assert len(host.actions.calls) == 1
    host.services.operator.resume(NS, "r")
    host.settle()
    assert host.run().status is Status.SUCCEEDED
    assert host.actions.calls[1].addresses == ("https://shop.example/j",)
