"""Actions without callback (`callback = none`): flows on a host with a caller that returns HTTP responses."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from chalicelib.adapters.memory import MemoryQueue
from chalicelib.engine.effects import Outcome
from chalicelib.engine.errors import NoCallback, Refused
from chalicelib.engine.events import Event
from chalicelib.model.json_values import Json
from chalicelib.model.run import Run, encode
from chalicelib.model.status import Status
from chalicelib.service import messages
from chalicelib.service.errors import Busy
from chalicelib.service.messages import Deliver
from chalicelib.service.observability.observer import Observer
from chalicelib.service.ports.actions import NotTaken, Raised, Reply, Response, Returned
from chalicelib.service.ports.queues import QueueName
from chalicelib.service.runs.answer import Answer
from chalicelib.service.runs.start import StartOrder
from tests.hosts import NS, Host

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


class Broken(MemoryQueue):
    """A queue that takes no message."""

    def send(self, _queue: QueueName, _bodies: Sequence[str], _delay: int = 0, *, early: bool = False) -> None:
        raise Busy("not now")


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


def test_a_202_without_location_is_asked_again_where_the_first_one_led_to() -> None:
    host = played(Response(202, {"location": "/j/1"}), Response(202), Response(202, {"location": "2"}), Response(200))
    host.pass_time(15_000)
    asked = [call.addresses[0].removeprefix("https://shop.example") for call in host.actions.calls]
    assert asked == ["/orders/a%2Fb?currency=EUR", "/j/1", "/j/1", "/j/2"]
    assert host.run().status is Status.SUCCEEDED


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


# ── what the engine makes of it ──────────────────────────────────────────────────────────────────────────────────────


def test_no_callback_answers_such_an_action() -> None:
    """The uuid is known to a foreign API, as the Idempotency-Key, so it must not be a key of the run."""
    host = played(Response(202, {"location": "/j"}), Response(200))
    uuid = host.uuid("Get")
    assert host.actions.calls[0].headers["Idempotency-Key"] == uuid
    for done in (True, False):
        answer = Answer(run="r", step="Get", uuid=uuid, state="OK", done=done)
        with pytest.raises(NoCallback):
            host.services.answerer.answer(NS, answer)
    host.pass_time(5_000)
    assert host.run().status is Status.SUCCEEDED


CHARGE = """
action charge addr = "http://pay/charges"; callback = none; args = (int amount = 7); return = (PAID | NO on 402);
    undo = refund (id = ${ $result.id }, etag = ${ $response.headers.etag }) on PAID; MORE
action_end
/
action refund addr = "http://pay/charges/{id}"; verb = DELETE; callback = none; return = (OK | GONE on 404);
    args = (any id = "none", str etag = "none");
action_end
/
flow f
    output = ${ $result };
    step Charge => (PAID -> Check | NO -> done | ERROR -> stopped) { action = charge; };
    deci Check => (when ${ $response.status = 201 } -> stopped | else -> done);
flow_end
"""


FUNCTION = CHARGE.replace('"http://pay/charges"; callback', '"charge"; method = lambda; callback')
FUNCTION = FUNCTION.replace(" | NO on 402", "").replace(" | NO -> done", "").replace("MORE", "")


def played_charge(*replies: Reply, more: str = "") -> Host:
    host = Host(answering(*replies))
    host.submit(CHARGE.replace("MORE", more))
    host.start("f")
    host.settle()
    return host


def test_what_a_response_did_is_undone_with_what_it_brought() -> None:
    host = played_charge(json_response(201, {"id": "a/b"}, etag="e&1"), Response(404))
    assert host.run().status is Status.FAILED
    assert host.run().undone == ("Charge",)
    assert host.run().failed_undos == 0
    charge, refund = host.actions.calls
    assert (refund.verb, refund.addresses) == ("DELETE", ("http://pay/charges/a%2Fb?etag=e%261",))
    assert charge.body == b'{"amount":7}'


def test_a_body_that_is_too_large_is_an_error_and_what_was_done_is_undone() -> None:
    host = played_charge(Response(200, {"etag": "e"}, b"x" * (256 * 1024 + 1)), Response(200))
    run = host.run()
    assert run.error is not None
    assert (run.error.name, run.error.state) == ("TooLarge", "PAID")
    assert run.undone == ("Charge",)
    assert host.actions.calls[1].addresses == ("http://pay/charges/none?etag=e",)


def test_a_state_that_did_nothing_is_not_undone() -> None:
    assert played_charge(json_response(402, {"why": "empty"})).run().undos == ()


def test_secret_data_is_stored_encrypted_with_the_headers() -> None:
    for status in (402, 403, 500):
        more = "data = secret; retry = (max = 1);"
        host = played_charge(json_response(status, {"pin": "1234"}, pin="1234"), more=more)
        stored = host.store.runs.load(NS, "r")
        assert stored is not None
        assert "1234" not in encode(stored).decode()
        assert host.run().status is (Status.SUCCEEDED if status == 402 else Status.FAILED)


def test_a_person_approves_before_anything_is_sent() -> None:
    host = played_charge(json_response(200, {"id": 1}), more="approval = required;")
    assert host.actions.calls == []
    host.answer("Charge", "APPROVE")
    host.settle()
    assert host.run().status is Status.SUCCEEDED


def test_a_function_that_raises_makes_the_step_return_error_with_its_name() -> None:
    host = Host(answering(Raised("CardExpired", "in 2026", {"errorType": "CardExpired"})))
    host.submit(FUNCTION)
    host.start("f")
    host.settle()
    run = host.run()
    assert run.error is not None
    assert (run.error.name, run.error.cause, run.error.state) == ("CardExpired", "in 2026", "ERROR")
    assert run.error.data == {"errorType": "CardExpired"}
    [call] = host.actions.calls
    assert (call.method, call.addresses, call.body) == ("lambda", ("charge",), b'{"amount":7}')


def test_what_a_function_returns_is_the_result() -> None:
    host = Host(answering(Returned('{"a": 1}')))
    host.submit(FUNCTION)
    host.start("f")
    host.settle()
    assert host.run().output == '{"a": 1}'


def test_several_addresses_share_the_time_of_one_request() -> None:
    """The next address is tried at once after a failure that is retried, as long as there is time."""
    limits: list[int] = []

    def script(request: dict[str, Any]) -> Reply:
        limits.append(host.actions.calls[-1].timeout)
        host.clock.advance(4_000)
        return Response(503) if len(limits) < 9 else Response(200)

    host = Host(script)
    four = '"http://a/x, http://b/x, http://c/x, http://d/x"'
    host.submit(CHARGE.replace("MORE", "").replace('"http://pay/charges"', four))
    host.start("f")
    host.settle()
    assert limits == [10_000, 6_000, 2_000]
    assert [call.addresses[0] for call in host.actions.calls] == ["http://a/x", "http://b/x", "http://c/x"]


WAITS = SHOP.replace("(OK -> done |", "(OK -> W |").replace(
    "flow_end", "    wait W => (DONE -> done) { for = 1h; };\nflow_end"
)


@pytest.mark.parametrize("is_read", [True, False])
def test_the_response_is_stored_only_if_the_flow_reads_it(*, is_read: bool) -> None:
    text = WAITS if is_read else WAITS.replace("$response", "$vars")
    host = played(json_response(200, 1, etag="e"), text=text)
    headers = {"content-type": "application/json", "etag": "e"}
    assert host.run().tokens[0].response == ({"status": 200, "headers": headers} if is_read else None)


def test_the_response_is_that_of_the_step_before() -> None:
    host = played(json_response(200, 1, etag="e"), text=WAITS)
    host.pass_time(3_600_000)
    assert host.run().output == {"result": None, "etag": "e"}


def test_work_that_goes_on_holds_its_permit_until_it_is_done() -> None:
    limited = SHOP.replace("verb = GET;", "verb = GET; limit = (concurrent = 1);", 1)
    later = Response(202, {"location": "/j"}, retry_after=60_000)
    host = Host(answering(later, later, Response(200), Response(200)))
    host.submit(limited)
    for name in ("first", "second"):
        host.start("f", name, id="7")
    host.pass_time(119_000)
    assert [call.run for call in host.actions.calls] == ["first", "first"]
    host.pass_time(2_000)
    assert [call.run for call in host.actions.calls] == ["first", "first", "first", "second"]
    assert {host.run(name).status for name in ("first", "second")} == {Status.SUCCEEDED}


def test_looks_are_deliveries_that_the_rate_counts() -> None:
    limited = SHOP.replace("verb = GET;", "verb = GET; limit = (per_second = 0.1);", 1)
    host = played(*[Response(202, {"location": "/j"}, retry_after=1_000)] * 5, Response(200), text=limited)
    host.pass_time(49_000)
    assert len(host.actions.calls) == 5
    host.pass_time(2_000)
    assert host.run().status is Status.SUCCEEDED


BOTH = """
action slow addr = "http://slow/x"; callback = none; reply_timeout = 1m; return = (OK); action_end
/
action quick addr = "http://quick/x"; callback = none; return = (OK); action_end
/
flow f
    fork Both => (DONE -> done) {
        join = all;
        branch a { step Slow => (OK -> done) { action = slow; }; };
        branch b { step Quick => (OK -> done) { action = quick; }; };
    };
flow_end
"""


class Watcher(Observer):
    """Notes when a step's answer is committed."""

    def __init__(self) -> None:
        self.committed = threading.Event()

    def advanced(
        self,
        _before: Run,
        after: Run,
        _events: Sequence[Event],
        _results: Sequence[Outcome | Refused],
        _trace: str = "",
    ) -> None:
        if any(entry.step == "Quick" and entry.state == "OK" for entry in after.tail):
            self.committed.set()


def test_a_result_does_not_wait_for_a_slow_delivery_of_its_run() -> None:
    watcher = Watcher()

    def script(request: dict[str, Any]) -> Reply:
        if request["address"] == "http://slow/x":
            assert watcher.committed.wait(10)
        return Response(200)

    host = Host(script, observer=watcher)
    host.submit(BOTH)
    host.start("f")
    received = host.queue.receive(QueueName.DELIVERIES, 10, 0)
    found = [messages.decode(message.body) for message in received]
    deliveries = [message for message in found if isinstance(message, Deliver)]
    assert host.services.deliverer.deliver(deliveries) == [None, None]
    assert host.run().status is Status.SUCCEEDED


WHOLE_VALUE = """
action put addr = "http://x"; verb = PUT; callback = none; args = any; approval = required; return = (OK); action_end
/
flow f
    input = any;
    step Put => (OK -> done) { action = put; args = ${ $input }; };
flow_end
"""


@pytest.mark.parametrize(("value", "shown"), [({"a": 1}, {"a": 1}), ([1], {"value": [1]}), ("x", {"value": "x"})])
def test_a_person_who_approves_sees_the_one_value_that_is_sent(value: Json, shown: Json) -> None:
    host = Host()
    host.submit(WHOLE_VALUE)
    host.services.starter.start(NS, StartOrder(flow="f", name="r", input=value))
    host.settle()
    [task] = host.services.inbox.open(NS, 10)
    assert task.args == shown
    host.answer("Put", "APPROVE")
    host.settle()
    assert json.loads(host.actions.calls[0].body) == value
