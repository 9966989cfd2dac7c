"""Calls that publish events: what they answer, and CloudEvents in both modes."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from chalicelib.model.json_values import Json
from tests.entrypoints.gateway import Reply, call
from tests.hosts import NS, Host

WAITING = """
flow pay
    input = (str order);
    wait Paid => (PAID -> done) { events = (PAID = "order.paid"); key = ${ $input.order }; };
flow_end
"""
STRUCTURED = "application/cloudevents+json; charset=utf-8"
EVENT: dict[str, Json] = {
    "specversion": "1.0",
    "id": "e-1",
    "source": "https://shop.example/orders",
    "type": "order.paid",
    "subject": "o-1",
    "time": "2026-11-26T12:00:00Z",
    "datacontenttype": "application/json",
    "traceparent": "00-ab-cd-01",
    "data": {"amount": 7},
}
BINARY = {
    "ce-specversion": "1.0",
    "ce-id": "e-1",
    "ce-source": "https://shop.example/orders",
    "ce-type": "order.paid",
    "ce-subject": "o-1",
    "ce-time": "2026-11-26T12:00:00Z",
    "Content-Type": "application/json",
}


def structured(**changed: Json) -> Reply:
    event = {name: value for name, value in {**EVENT, **changed}.items() if value is not None}
    return call("POST", "/event", json.dumps(event), headers={"Content-Type": STRUCTURED})


def binary(body: Any, **changed: str) -> Reply:
    headers = {**BINARY, **{name.replace("_", "-"): value for name, value in changed.items()}}
    return call("POST", "/event", body, headers={name: value for name, value in headers.items() if value})


def begun(host: Host, *names: str) -> None:
    host.submit(WAITING)
    for name in names:
        host.start("pay", name, order="o-1")
    host.settle()


def test_the_answer_names_the_runs_that_were_woken(host: Host) -> None:
    begun(host, *(f"r-{n:03}" for n in range(103)))
    woken = call("POST", "/event", {"name": "order.paid", "key": "o-1"}).json["woken"]
    assert woken["count"] == 103
    assert len(set(woken["runs"])) == 100
    assert call("POST", "/event", {"name": "order.paid", "key": "o-2"}).json["woken"] == {"count": 0, "runs": []}


def test_data_that_does_not_fit_is_a_422_with_every_path(host: Host) -> None:
    host.submit("event order.paid args = (str order, float amount); event_end")
    reply = call("POST", "/event", {"name": "order.paid", "data": {"amount": "much"}})
    assert (reply.status, reply.code) == (422, "event-refused")
    assert reply.json["error"]["fields"] == [
        {"path": "data.order", "problem": "is missing (it must be of type str)"},
        {"path": "data.amount", "problem": "must be of type float"},
    ]
    assert binary({"amount": 1}).code == structured(data=None).code == "event-refused"
    assert call("GET", "/event").json == []


def test_an_id_makes_the_request_idempotent(host: Host) -> None:
    first = call("POST", "/event", {"name": "n", "data": 1, "id": "x"})
    assert call("POST", "/event", {"name": "n", "data": 1, "id": "x"}).json == first.json
    assert len(call("GET", "/event").json) == 1
    other = call("POST", "/event", {"name": "n", "data": 2, "id": "x"})
    assert (other.status, other.code) == (409, "key-taken")


def test_an_id_has_a_limit(host: Host) -> None:
    assert call("POST", "/event", {"name": "n", "id": "x" * 2_064}).status == 200
    for wrong in ("x" * 2_065, ""):
        assert call("POST", "/event", {"name": "n", "id": wrong}).code == "malformed"


# ── CloudEvents ──────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_structured_event_wakes_the_run_of_its_subject(host: Host) -> None:
    begun(host, "r")
    reply = structured()
    assert reply.status == 200
    spec = reply.json["spec"]
    assert (spec["name"], spec["key"], spec["data"]) == ("order.paid", "o-1", {"amount": 7})
    assert reply.json["woken"] == {"count": 1, "runs": ["r"]}
    host.settle()
    assert host.run().status == "succeeded"


def test_both_modes_give_the_same_event_once(host: Host) -> None:
    """Source and id identify an event, in whichever mode it is sent."""
    first = structured()
    assert binary({"amount": 7}).json["metadata"] == first.json["metadata"]
    assert structured(source="elsewhere").json["metadata"] != first.json["metadata"]
    assert len(host.services.reader.signals(NS, 10)) == 2


@pytest.mark.parametrize(
    ("media", "raw", "data"),
    [
        ("application/json", b'{"a": [1]}', {"a": [1]}),
        ("application/vnd.shop+json; charset=utf-8", b"7", 7),
        ("", b"null", None),
        ("text/plain", "größer".encode(), "größer"),
        ("application/xml", b"<a/>", "<a/>"),
        ("application/octet-stream", b"\x00\xff", base64.b64encode(b"\x00\xff").decode()),
        ("application/json", b"", None),
    ],
)
def test_the_body_of_a_binary_event_is_its_data(host: Host, media: str, raw: bytes, data: Json) -> None:
    reply = call("POST", "/event", raw=raw, headers={**BINARY, "Content-Type": media})
    assert reply.status == 200, reply.text
    assert reply.json["spec"]["data"] == data


def test_attributes_in_headers_may_be_quoted_and_encoded(host: Host) -> None:
    spec = binary({}, ce_subject='"K%C3%B6ln \\"1\\""', ce_type="order%20paid").json["spec"]
    assert (spec["name"], spec["key"]) == ("order paid", 'Köln "1"')


@pytest.mark.parametrize(
    ("changed", "data"),
    [
        ({"data": None, "data_base64": "eyJhIjogMX0="}, {"a": 1}),
        ({"data": None, "data_base64": "aGk=", "datacontenttype": "text/plain"}, "hi"),
        ({"data": None, "data_base64": "AP8=", "datacontenttype": "image/png"}, "AP8="),
        ({"data": "text", "datacontenttype": "text/plain"}, "text"),
        ({"data": None, "subject": None}, None),
    ],
)
def test_data_of_a_structured_event(host: Host, changed: dict[str, Json], data: Json) -> None:
    reply = structured(**changed)
    assert reply.status == 200, reply.text
    assert reply.json["spec"]["data"] == data


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"id": None}, "`id` is missing"),
        ({"type": ""}, "`type` must be a string of at least 1 character"),
        ({"source": 7}, "`source` must be a string, not an integer"),
        ({"specversion": "0.3"}, "`specversion` must be '1.0', not '0.3'"),
    ],
)
def test_a_structured_event_that_is_none_is_refused(host: Host, changed: dict[str, Json], message: str) -> None:
    reply = structured(**changed)
    assert (reply.status, reply.code) == (400, "malformed")
    assert message in reply.json["message"]
    assert call("GET", "/event").json == []


@pytest.mark.parametrize(
    ("encoded", "media", "message"),
    [
        ("?", "", "`data_base64` is not base64"),
        ("ew==", "", "`data_base64` does not hold JSON: the body is not JSON"),
        ("/w==", "text/plain", "`data_base64` does not hold text/plain: the body must be UTF-8"),
    ],
)
def test_data_that_is_not_what_the_event_says_is_refused(host: Host, encoded: str, media: str, message: str) -> None:
    reply = structured(data=None, data_base64=encoded, datacontenttype=media)
    assert (reply.status, reply.code) == (422, "invalid")
    assert reply.json["message"].startswith(message)


@pytest.mark.parametrize(
    ("changed", "body", "message"),
    [
        ({"ce_id": ""}, {}, "`id` is missing"),
        ({"ce_specversion": "2.0"}, {}, "`specversion`"),
        ({"ce_type": "x" * 129}, {}, "`type`"),
        ({}, "{", "the body is not JSON"),
    ],
)
def test_a_binary_event_that_is_none_is_refused(host: Host, changed: dict[str, str], body: Json, message: str) -> None:
    reply = binary(body, **changed)
    assert (reply.status, reply.code) == (400, "malformed")
    assert message in reply.json["message"]


def test_a_batch_of_events_is_refused(host: Host) -> None:
    headers = {"Content-Type": "application/cloudevents-batch+json"}
    reply = call("POST", "/event", json.dumps([EVENT]), headers=headers)
    assert (reply.status, reply.code) == (400, "malformed")
    assert "application/cloudevents+json" in reply.json["message"]


def test_a_dry_run_names_the_runs_that_an_event_would_wake(host: Host) -> None:
    host.submit(
        "event paid args = (int n); event_end\n/\n"
        'flow f wait W => (PAID -> done) { events = (PAID = "paid"); key = "k"; timeout = 1d; }; flow_end'
    )
    for name in ("a", "b"):
        host.start("f", name)
    host.settle()
    found = call("POST", "/event?dry_run=true", {"name": "paid", "key": "k", "data": {"n": 1}})
    assert found.json == {"would_wake": 2, "runs": ["a", "b"]}
    other = {"name": "paid", "key": "other", "data": {"n": 1}}
    assert call("POST", "/event?dry_run=true", other).json == {"would_wake": 0, "runs": []}
    assert call("POST", "/event?dry_run=true", {"name": "paid", "data": {"n": "x"}}).status == 422
    assert call("POST", "/event?dry_run=true", {"name": "paid", "ttl": "soon"}).status == 400
    host.settle()
    assert call("GET", "/event").json == []
    assert host.run("a").status == "running"
