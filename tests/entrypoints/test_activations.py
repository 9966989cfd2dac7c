"""What an activation sent, and what came back."""

from __future__ import annotations

import json
from typing import Any

import pytest
from msgspec.structs import replace

from chalicelib import hosting
from chalicelib.service.ports.actions import NotTaken, Reply, Response, Taken
from tests.entrypoints.gateway import call
from tests.entrypoints.steps import NEVER
from tests.hosts import NS, Host

PAY = """action pay
    addr = "http://pay.test/"; args = (str order, int amount, str note = "-"); return = (OK | FAIL);
    headers = ("X-Shop" = "north", "Authorization" = secret "pay.key");
    retry = (max = 3, delay = 1s);
action_end
/
flow shop
    input = (str order, int amount);
    vars = (n = 1);
    step Pay => (OK -> Ship | FAIL -> Ship) {
        action = pay; args = (order = ${ $input.order }, amount = ${ $input.amount + $vars.n }); save = (n = 7);
    };
    step Ship => (OK -> done | FAIL -> stopped) {
        action = pay; args = (order = ${ $input.order }, amount = ${ $vars.n }, note = ${ $result.receipt });
    };
flow_end"""


@pytest.fixture
def shop(host: Host) -> Host:
    call("PUT", "/secret/pay.key", {"value": "a very secret key"})
    host.submit(PAY)
    host.start("shop", order="o-1", amount=5)
    return host


HIDDEN = "the cause (12 characters) is hidden because action 'pay' has secrets"


def logged(host: Host) -> None:
    host.rebuild(replace(host.services.settings, delivery_log=True))
    hosting.use(host.services)


def of(uuid: str, query: str = "") -> Any:
    reply = call("GET", f"/flowrun/r/activation/{uuid}{query}")
    assert reply.status == 200, reply.text
    return reply.json


def answer(host: Host, step: str, **more: Any) -> str:
    uuid = host.uuid(step)
    body = {"flowId": "r", "stepName": step, "uuid": uuid, "ackState": "OK", **more}
    assert call("POST", "/step", body).status == 200
    return uuid


def failing(*replies: Reply) -> Any:
    left = list(replies)
    return lambda _: left.pop(0) if left else Taken()


def test_a_waiting_activation_shows_what_it_sends(shop: Host) -> None:
    shop.settle()
    found = of(shop.uuid("Pay"))
    assert (found["step"], found["action"], found["current"], found["state"]) == ("Pay", "pay", True, "")
    assert found["args"] == {"order": "o-1", "amount": 6, "note": "-"}
    assert found["args_from"] == "head"
    assert found["answer"] is None
    assert (found["waits_for"]["kind"], found["waits_for"]["action"]) == ("action", "pay")
    assert found["waits_for"]["states"] == ["OK", "FAIL"]
    headers = found["headers"]
    assert (headers["X-Shop"], headers["Authorization"], headers["webhook-signature"]) == ("north", "***", "***")
    assert headers["Idempotency-Key"] == found["uuid"]


def test_failed_deliveries_and_inline_answers_are_in_the_history(shop: Host) -> None:
    """No log of deliveries is needed for them."""
    refused = NotTaken.own("http://pay.test/ answered 503", final=False, status=503)
    shop.actions.script = failing(refused, Taken({"ackState": "OK", "data": {"receipt": "r-1"}}, status=201))
    shop.settle()
    uuid = shop.uuid("Pay")
    shop.pass_time(10_000)
    found = of(uuid)
    assert [(one["address"], one["status"], one["error"]) for one in found["deliveries"]] == [
        ("http://pay.test/", 503, "http://pay.test/ answered 503"),
        ("http://pay.test/", 201, ""),
    ]
    assert all(one["duration_ms"] == 0 for one in found["deliveries"])
    assert found["answer"]["data"] == {"receipt": "r-1"}
    assert (found["answer"]["state"], found["answer"]["to"], found["logged"]) == ("OK", "Ship", False)


def test_another_address_is_kept(host: Host) -> None:
    host.submit(
        'action two addr = "http://a.test/, http://b.test/"; return = (OK); action_end\n/\n'
        "flow f step A => (OK -> done) { action = two; }; flow_end"
    )
    host.actions.script = lambda _: Taken({"ackState": "OK"}, status=200, address="http://b.test/")
    host.start("f")
    uuid = host.uuid("A")
    host.settle()
    assert [one["address"] for one in of(uuid)["deliveries"]] == ["http://b.test/"]


def test_an_ended_activation_without_a_log_is_evaluated_again_or_unknown(shop: Host) -> None:
    """`amount` of Pay reads a variable that was changed since; that of Ship one that was not."""
    shop.settle()
    first = answer(shop, "Pay", data={"receipt": "r-1"})
    shop.settle()
    second = answer(shop, "Ship", error={"name": "Slow", "cause": "it took long"})
    found = of(first)
    assert (found["args_from"], found["args"]) == ("history", {"order": "o-1", "note": "-"})
    assert found["unknown_args"] == ["amount"]
    found = of(second)
    assert found["args"] == {"order": "o-1", "amount": 7, "note": "r-1"}
    assert found["unknown_args"] == []
    assert found["answer"]["error"] == {"name": "Slow", "cause": HIDDEN}
    assert found["since"] is not None


def test_the_log_has_every_delivery_and_the_args(shop: Host) -> None:
    logged(shop)
    shop.actions.script = failing(NotTaken.own("it hangs", final=False), Taken(status=202, address="http://pay.test/"))
    shop.settle()
    shop.pass_time(10_000)
    uuid = answer(shop, "Pay", data={"receipt": "r-1"})
    found = of(uuid)
    assert (found["args_from"], found["args"]) == ("log", {"order": "o-1", "amount": 6, "note": "-"})
    assert [(one["status"], one["error"]) for one in found["deliveries"]] == [(None, "it hangs"), (202, "")]
    assert found["logged"]
    assert "a very secret key" not in json.dumps(found)
    call("DELETE", "/flowrun/r")


def test_secret_args_are_masked_everywhere(host: Host) -> None:
    logged(host)
    call("PUT", "/secret/card", {"value": "4111 1111"})
    host.submit(
        'action pay addr = "http://pay.test/"; args = (secret str card, str shop); return = (OK); action_end\n/\n'
        "flow f input = (secret str card);"
        ' step A => (OK -> done) { action = pay; args = (card = ${ $input.card }, shop = "x"); }; flow_end'
    )
    host.start("f", card="4222 2222")
    host.settle()
    uuid = host.uuid("A")
    assert of(uuid)["args"] == {"card": "***", "shop": "x"}
    answer(host, "A")
    assert of(uuid)["args"] == {"card": "***", "shop": "x"}
    host.rebuild(replace(host.services.settings, delivery_log=False))


def test_reports_are_listed(shop: Host) -> None:
    shop.settle()
    uuid = shop.uuid("Pay")
    half = {"flowId": "r", "stepName": "Pay", "uuid": uuid, "done": False, "data": 50, "globalVariables": {"p": 50}}
    assert call("POST", "/step", half).status == 200
    (report,) = of(uuid.upper())["reports"]
    assert (report["data"], report["vars"]) == (50, {"p": 50})


def test_direct_calls_and_their_statuses(host: Host) -> None:
    host.submit(
        'action get addr = "http://api.test/{id}"; verb = GET; callback = none; args = (str id);'
        " return = (OK | GONE on 404); action_end\n/\n"
        'flow f step A => (OK -> done | GONE -> done) { action = get; args = (id = "7"); }; flow_end'
    )
    host.actions.script = lambda _: Response(404)
    host.start("f")
    uuid = host.uuid("A")
    host.settle()
    found = of(uuid)
    assert (found["state"], found["args"]) == ("GONE", {"id": "7"})
    assert [(one["status"], one["address"]) for one in found["deliveries"]] == [(404, "http://api.test/{id}")]
    assert "webhook-id" not in found["headers"]


def test_an_old_activation_is_found_by_an_entry(host: Host) -> None:
    host.submit(PAY)
    host.start("shop", order="o-1", amount=5)
    uuid = answer(host, "Pay", data={"receipt": "r-1"})
    run = host.run()
    view = host.services.activations.find(NS, "r", uuid, 1)
    assert view.step == "Pay"
    assert run.seq >= 2


def test_what_was_never_issued_is_not_found(shop: Host) -> None:
    for uuid in (NEVER, "x", "activation"):
        assert call("GET", f"/flowrun/r/activation/{uuid}").status == 404
    assert call("GET", f"/flowrun/none/activation/{NEVER}").status == 404
    assert call("GET", f"/flowrun/r/activation/{NEVER}?seq=x").status == 400


def test_large_values_are_references(host: Host) -> None:
    host.submit(PAY)
    host.start("shop", order="o" * 40_000, amount=5)
    found = of(host.uuid("Pay"))
    assert found["args"]["order"]["bytes"] == 40_002
    assert found["args"]["order"]["$ref"].startswith("/flowrun/r/value/")


def test_large_answers_of_other_activations_are_not_read(host: Host) -> None:
    """A history with large values stays readable: only values of the activation itself are read."""
    host.submit(
        'action work addr = "http://work.test/"; args = (any x = null); return = (OK | AGAIN); action_end\n/\n'
        "flow f step A => (OK -> B | AGAIN -> A) { action = work; };"
        " step B => (OK -> done | AGAIN -> B) { action = work; args = (x = ${ $result }); }; flow_end"
    )
    host.start("f")
    for number in range(12):
        answer(host, "A", ackState="AGAIN", data=f"{number}" * 400_000)
    uuid = answer(host, "A", data="y" * 20_000)
    last = answer(host, "B", data={"n": 1})
    read: list[int] = []
    runs = host.store.runs

    class Counting(type(runs)):  # type: ignore[misc]
        def blobs(self, *args: Any) -> Any:
            found = super().blobs(*args)
            read.append(sum(map(len, found.values())))
            return found

    runs.__class__ = Counting
    host.rebuild()
    hosting.use(host.services)
    found = of(uuid)
    assert found["answer"]["data"]["bytes"] == 20_002
    assert sum(read) < 100_000
    found = of(last)
    assert (found["answer"]["data"], found["args"]["x"]["bytes"]) == ({"n": 1}, 20_002)
