"""Calls on hooks, and a hook that a real HTTP request reaches."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest

from chalicelib import hosting
from chalicelib.adapters.actions.dispatch import Dispatcher
from chalicelib.adapters.actions.egress import EgressPolicy
from chalicelib.service.ports.actions import Taken
from chalicelib.service.ports.queues import QueueName
from tests.entrypoints.flows import TWO, WORK
from tests.entrypoints.gateway import call
from tests.hosts import Host

FLOW = "flow f wait W => (DONE -> done) { for = 1s; }; flow_end"
HOOK = 'hook pager addr = "ADDR"; on = (run.started); flow = f; labels = (); hook_end'


def test_a_hook_is_shown_with_what_it_wants(host: Host) -> None:
    call("POST", "/fsl", FLOW)
    shown = call("POST", "/hook", {"data": HOOK.replace("ADDR", "https://pager.example/x")}).json
    assert shown["metadata"]["kind"] == "hook"
    spec = {name: shown["spec"][name] for name in ("method", "addresses", "on", "flow", "labels")}
    assert spec == {
        "method": "http",
        "addresses": ["https://pager.example/x"],
        "on": ["run.started"],
        "flow": "f",
        "labels": {},
    }
    assert call("GET", "/hook").json == [shown]
    assert call("GET", "/hook/pager/deliveries").json == []
    assert call("GET", "/hook/nope/deliveries").status == 404


def test_an_address_that_is_forbidden_is_found_at_submission(host: Host) -> None:
    call("POST", "/fsl", FLOW)
    host.rebuild(address_problem=EgressPolicy(public=True).refuses_url)
    hosting.use(host.services)
    reply = call("POST", "/fsl", HOOK.replace("ADDR", "http://10.1.2.3/x"))
    assert (reply.status, reply.code) == (422, "fsl-refused")
    [found] = reply.json["error"]["diagnostics"]
    assert (found["code"], found["column"]) == ("FSL218", 19)
    assert found["message"] == ("address 'http://10.1.2.3/x' is a private address: add it to ECHOER_OUTBOUND_ALLOW")
    assert call("POST", "/fsl", HOOK.replace("ADDR", "https://pager.example/x")).status == 200


class Server(HTTPServer):
    received: list[tuple[dict[str, str], bytes]]
    statuses: list[int]


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.received.append(({name.lower(): value for name, value in self.headers.items()}, body))
        self.send_response(self.server.statuses.pop(0) if self.server.statuses else 204)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name in the base class
        pass


@pytest.fixture
def receiver() -> Iterator[Server]:
    server = Server(("127.0.0.1", 0), Handler)
    server.received, server.statuses = [], []
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


def test_a_notification_arrives_as_a_signed_cloud_event(host: Host, receiver: Server) -> None:
    host.rebuild(caller=Dispatcher(host.clock.now))
    hosting.use(host.services)
    address = f"http://127.0.0.1:{receiver.server_port}/echoer"
    call("POST", "/fsl", f"{FLOW} / {HOOK.replace('ADDR', address)}")
    receiver.statuses = [503]
    host.start("f")
    host.work(QueueName.WAKES)
    assert len(host.work(QueueName.DELIVERIES)) == 1
    host.clock.advance(20_000)
    assert host.work(QueueName.DELIVERIES) == []
    (first, body), (again, same) = receiver.received
    assert body == same
    assert first["content-type"] == "application/cloudevents+json"
    assert first["webhook-id"] == again["webhook-id"] == json.loads(body)["id"]
    assert first["webhook-signature"].startswith("v1,")
    listed = call("GET", "/hook/pager/deliveries").json
    assert [(one["outcome"], one["status"], one["event"], one["run"]) for one in listed] == [
        ("delivered", None, "run.started", "r"),
        ("failed", 503, "run.started", "r"),
    ]
    assert listed[0]["id"] == first["webhook-id"]


def test_the_sweep_has_stuck_runs_looked_for(host: Host) -> None:
    """In one of five minutes. The service's answer is invalid, so the run waits for its deadline."""
    call("POST", "/fsl", HOOK.replace("run.started", "run.stuck").replace("flow = f;", "").replace("ADDR", "p.example"))
    call("POST", "/fsl", f"{WORK} / {TWO}")
    host.actions.script = lambda request: Taken() if "specversion" in request else Taken({"ackState": "NEVER"})
    host.start("two", order="o-1")
    host.work()
    for _ in range(5):
        host.sweep()
        host.clock.advance(60_000)
    host.work(QueueName.WAKES)
    host.work()
    types = [json.loads(one.body).get("type") for one in host.actions.calls]
    assert types == [None, "echoer.run.stuck"]
