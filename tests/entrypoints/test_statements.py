"""Definitions other than actions and flows: they are submitted, listed, shown and deleted like these."""

from __future__ import annotations

import pytest

from tests.entrypoints.gateway import call
from tests.hosts import Host

EVENT = "event payment.received args = (str order, float amount = 1.5); event_end"
CONFIG = 'config REGION = { "name": "eu-west-1", "zones": [1, 2] };'


def command(text: str) -> str:
    return str(call("POST", "/command", {"command": text}).json["raw"])


def changes(text: str) -> list[tuple[str, str, int, str]]:
    found = call("POST", "/fsl", text).json["results"]
    return [(one["kind"], one["name"], one["version"], one["change"]) for one in found]


def test_they_are_versioned_like_every_definition(host: Host) -> None:
    assert changes(f"{EVENT} / {CONFIG}") == [
        ("event", "payment.received", 1, "created"),
        ("config", "REGION", 1, "created"),
    ]
    assert changes(f"{CONFIG} / {EVENT}") == [
        ("config", "REGION", 1, "unchanged"),
        ("event", "payment.received", 1, "unchanged"),
    ]
    assert changes("config REGION = 2;") == [("config", "REGION", 2, "updated")]
    assert call("GET", "/config/REGION").json["spec"]["value"] == 2
    assert call("GET", "/config/REGION?version=1").json["spec"]["value"] == {"name": "eu-west-1", "zones": [1, 2]}


def test_an_event_type_is_shown_with_its_args(host: Host) -> None:
    shown = call("POST", "/eventtype", {"data": EVENT}).json
    assert (shown["metadata"]["kind"], shown["metadata"]["name"]) == ("eventtype", "payment.received")
    assert shown["spec"]["args"] == [
        {"name": "order", "type": "str", "required": True},
        {"name": "amount", "type": "float", "required": False, "default": 1.5},
    ]
    assert shown["spec"]["text"] == EVENT
    assert call("GET", "/eventtype").json == [shown]
    assert call("GET", "/event").json == []


@pytest.mark.parametrize(
    ("path", "name", "text"), [("eventtype", "payment.received", EVENT), ("config", "REGION", CONFIG)]
)
def test_they_are_deleted_by_name_and_uuid(host: Host, path: str, name: str, text: str) -> None:
    uuid = call("POST", f"/{path}", {"data": text}).json["metadata"]["uuid"]
    assert call("DELETE", f"/{path}/{name}/{uuid[::-1]}").status == 404
    assert call("DELETE", f"/{path}/{name}/{uuid}").status == 200
    assert call("GET", f"/{path}/{name}").status == 404
    assert changes(text)[0][2:] == (2, "created")


def test_a_path_takes_only_statements_of_its_kind(host: Host) -> None:
    reply = call("POST", "/config", {"data": EVENT})
    assert (reply.status, reply.code) == (422, "wrong-statement")


def test_the_terminal_knows_them(host: Host) -> None:
    assert command(EVENT) == "event payment.received version 1 created"
    assert command(CONFIG) == "config REGION version 1 created"
    assert "payment.received" in command("list eventtype")
    assert command("get config REGION") == CONFIG
    assert command("help config") == "config NAME = VALUE;"
    assert "event ... event_end" in command("help")
    command("del config REGION")
    assert command("list config") == ""
