"""The responses of a service to a delivery, and the lack of one (docs/http-api.md, 1)."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from standardwebhooks.webhooks import Webhook

from chalicelib.service.security.webhooks import key_of
from tests.acceptance.actions import TAKEN, Act, Actions, Reply, Service, in_turn, says
from tests.acceptance.api import Api
from tests.acceptance.fsl import action, flow, step


def begin(api: Api, name: str, address: str, more: str = "", routes: str = "OK -> done | FAIL -> stopped") -> str:
    """Start a run of one step with an action at that address."""
    api.submit(action(name, address, more=more), flow(name, step("A", name, routes)))
    return api.start(name)


def serve(api: Api, actions: Actions, name: str, act: Act, more: str = "") -> tuple[Service, str]:
    service = actions.serve(act)
    return service, begin(api, name, service.url, more)


def test_an_answer_in_the_answer_is_the_callback(api: Api, actions: Actions, name: str) -> None:
    service, run = serve(api, actions, name, says("OK", data={"n": [1]}, globalVariables={"v": 2}))
    spec = api.ended(run)
    assert (spec["status"], spec["output"], spec["global_variable"]) == ("succeeded", {"n": [1]}, {"v": 2})
    assert len(service.deliveries) == 1


def test_an_answer_in_the_answer_may_be_a_report(api: Api, actions: Actions, name: str) -> None:
    service, run = serve(api, actions, name, says("OK", done=False, data="half"))
    (delivery,) = service.wait()
    api.until(run, lambda spec: spec["seq"] == 2)
    assert api.outcome(delivery.answer("OK")) == "advanced"
    assert [entry["event"] for entry in api.history(run)] == ["RunStarted", "StepReported", "StepAcked"]


def test_an_answer_that_is_not_routed_leaves_the_step_waiting(api: Api, actions: Actions, name: str) -> None:
    service, run = serve(api, actions, name, says("NEVER_HEARD_OF"))
    (delivery,) = service.wait()
    assert api.outcome(delivery.answer("OK")) == "advanced"
    assert api.ended(run)["status"] == "succeeded"


def test_a_delivery_is_signed_and_says_who_it_is(api: Api, actions: Actions, name: str) -> None:
    service, _ = serve(api, actions, name, says("OK"), 'headers = ("X-Team" = "payments");')
    (delivery,) = service.wait()
    sent = delivery.headers
    assert (sent["idempotency-key"], sent["webhook-id"], sent["x-team"]) == (delivery.uuid, delivery.uuid, "payments")
    assert sent["content-type"] == "application/json"
    assert sent["traceparent"].startswith("00-")
    key = key_of(api.key.encode(), "default")
    Webhook(key).verify(delivery.body, dict(sent))


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504])
def test_temporary_failures_are_retried(api: Api, actions: Actions, name: str, status: int) -> None:
    service, run = serve(api, actions, name, in_turn(lambda _: Reply(status), says("OK")))
    assert api.ended(run)["status"] == "succeeded"
    first, second = service.deliveries
    assert (first.uuid, first.body) == (second.uuid, second.body)
    assert [entry["event"] for entry in api.history(run)] == ["RunStarted", "DeliveryFailed", "StepAcked"]


def test_retry_after_is_honoured(api: Api, actions: Actions, name: str) -> None:
    asked = in_turn(lambda _: Reply(503, headers={"Retry-After": "2"}), says("OK"))
    service, run = serve(api, actions, name, asked)
    api.ended(run)
    first, second = service.deliveries
    assert second.at - first.at >= 1.9


def test_a_permanent_outage_returns_error_after_the_last_attempt(api: Api, actions: Actions, name: str) -> None:
    service, run = serve(api, actions, name, lambda _: Reply(503, b"no power"), "retry = (max = 2, delay = 10ms);")
    spec = api.ended(run)
    assert (spec["status"], spec["current_state"], len(service.deliveries)) == ("failed", "stopped", 2)
    assert "503" in spec["last_err"]
    assert "no power" in spec["last_err"]
    assert api.history(run)[-1]["state"] == "ERROR"


def test_error_can_be_routed(api: Api, actions: Actions, name: str) -> None:
    run = begin(api, name, "http://127.0.0.1:9/", "retry = (max = 1);", "OK -> stopped | ERROR -> done")
    assert api.ended(run)["status"] == "succeeded"
    assert "refused" in api.history(run)[-1]["error"]


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308, 400, 401, 403, 404, 410, 422])
def test_any_other_status_is_final(api: Api, actions: Actions, name: str, status: int) -> None:
    """This includes redirects: they are not followed."""
    target = actions.serve(says("OK"))
    body = b"<" + b"x" * 3_000 + b">"
    service, run = serve(api, actions, name, lambda _: Reply(status, body, {"Location": target.url}))
    spec = api.ended(run)
    assert (spec["status"], len(service.deliveries), target.deliveries) == ("failed", 1, [])
    assert str(status) in spec["last_err"]
    assert "<" + "x" * 999 in spec["last_err"]
    assert "x" * 1_000 not in spec["last_err"]


@pytest.mark.parametrize(
    "body",
    [b"", b"\x00\xff\xfe garbage {", b"[" * 100_000, b'{"ackState": 7}', b"[1]", b'"OK"', b'{"a":' + b"x" * 3_000_000],
    ids=["nothing", "garbage", "nested", "no-word", "list", "text", "megabytes"],
)
def test_a_success_without_an_answer_is_accepted(api: Api, actions: Actions, name: str, body: bytes) -> None:
    service, run = serve(api, actions, name, lambda _: Reply(200, body))
    (delivery,) = service.wait()
    assert api.outcome(delivery.answer("OK")) == "advanced"
    assert api.ended(run)["status"] == "succeeded"
    assert len(service.deliveries) == 1


def test_the_next_address_is_tried_where_one_cannot_be_reached(api: Api, actions: Actions, name: str) -> None:
    service = actions.serve(says("OK"))
    run = begin(api, name, f"http://127.0.0.1:9/,{service.url}", "retry = (max = 1);")
    assert api.ended(run)["status"] == "succeeded"


@contextmanager
def _mute() -> Iterator[tuple[str, list[Any]]]:
    """A service that accepts connections and sends nothing."""
    held: list[Any] = []

    def hold(door: socket.socket) -> None:
        while True:
            try:
                held.append(door.accept()[0])
            except OSError:
                return

    with socket.create_server(("127.0.0.1", 0)) as door:
        threading.Thread(target=hold, args=(door,), daemon=True).start()
        yield f"http://127.0.0.1:{door.getsockname()[1]}/", held
        door.shutdown(socket.SHUT_RDWR)
    for connection in held:
        connection.close()


def test_a_hanging_service_does_not_delay_other_runs(api: Api, actions: Actions, name: str, backend: str) -> None:
    """An eleventh run ends before the deliveries of ten hanging runs time out. On SQS it may end soon after them:
    the local server receives with few threads, and each of them waits for its whole batch."""
    patience = 8 if backend == "sqlite" else 30
    with _mute() as (address, held):
        api.submit(action(f"{name}_m", address, more="retry = (max = 1);"), flow(f"{name}_m", step("A", f"{name}_m")))
        hanging = [api.start(f"{name}_m") for _ in range(10)]
        _, run = serve(api, actions, name, says("OK"))
        assert api.ended(run, patience)["status"] == "succeeded"
        specs = [api.ended(one) for one in hanging]
    assert {spec["status"] for spec in specs} == {"failed"}
    assert all("did not answer within 10 s" in spec["last_err"] for spec in specs)
    assert len(held) >= 10


def test_a_step_without_an_answer_times_out(api: Api, actions: Actions, name: str) -> None:
    service = actions.serve(lambda _: TAKEN)
    routes = "OK -> stopped | TIMEOUT -> done"
    api.submit(action(name, service.url), flow(name, step("A", name, routes, more="timeout = 300ms;")))
    run = api.start(name)
    assert api.ended(run)["status"] == "succeeded"
    assert api.history(run)[-1]["state"] == "TIMEOUT"
    (delivery,) = service.deliveries
    assert api.outcome(delivery.answer("OK")) == "duplicate"


def test_a_service_that_reports_within_its_heartbeat_is_waited_for(api: Api, actions: Actions, name: str) -> None:
    service = actions.serve(lambda _: TAKEN)
    routes = "OK -> done | TIMEOUT -> stopped"
    api.submit(action(name, service.url), flow(name, step("A", name, routes, more="heartbeat = 1500ms;")))
    run = api.start(name)
    (delivery,) = service.wait()
    pause = threading.Event()
    for number in range(6):
        assert api.outcome({**delivery.answer("OK"), "done": False, "data": str(number)}) == "progress"
        pause.wait(0.4)
    assert api.outcome(delivery.answer("OK")) == "advanced"
    assert api.ended(run)["status"] == "succeeded"
