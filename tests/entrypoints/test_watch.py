"""Changes as server-sent events."""

from __future__ import annotations

import json
import re
from typing import Any

from tests.entrypoints.flows import WORK
from tests.entrypoints.gateway import call
from tests.entrypoints.steps import answered, defined, started
from tests.fakes import START
from tests.hosts import Host


def streamed(url: str, seen: str = "") -> tuple[list[tuple[str, Any]], str]:
    """Return the (id, resource) pairs of a response, and its last id."""
    reply = call("GET", url, headers={"Last-Event-ID": seen} if seen else {})
    assert reply.status == 200
    assert reply.headers["Content-Type"] == "text/event-stream"
    assert reply.text.startswith("retry: 500\n\n")
    found = re.findall(r"id: (\d+)\ndata: (.*)\n\n", reply.text)
    ids = re.findall(r"id: (\d+)\n", reply.text)
    return [(position, json.loads(data)) for position, data in found], ids[-1]


def names(events: list[tuple[str, Any]]) -> list[str]:
    return [resource["metadata"]["name"] for _, resource in events]


def test_changes_come_in_their_order_each_with_an_id(host: Host) -> None:
    run = started("one")
    host.clock.advance(10)
    started("two")
    host.clock.advance(10)
    call("POST", "/step", answered(run))
    host.clock.advance(1)
    events, last = streamed("/watch?resource=flowrun&version=0")
    assert names(events) == ["two", "one"]
    assert [position for position, _ in events] == [str(START + 10), str(START + 20)]
    assert last == str(START + 20)


def test_a_stream_goes_on_where_it_was_left(host: Host) -> None:
    started("one")
    host.clock.advance(5)
    _, seen = streamed("/watch?resource=flowrun&version=0")
    started("two")
    host.clock.advance(5)
    events, _ = streamed("/watch?resource=flowrun&version=0", seen)
    assert names(events) == ["two"]


def test_a_stream_without_news_ends_with_an_id_to_come_again_with(host: Host) -> None:
    before = host.clock.now()
    events, last = streamed("/watch?resource=flow")
    assert (events, last) == ([], str(before))
    assert host.clock.now() == before + 20_000
    defined(WORK)
    events, _ = streamed("/watch?resource=flow&resource=action", last)
    assert names(events) == ["work"]


def test_what_is_written_within_the_moment_of_an_id_is_not_missed(host: Host) -> None:
    """Changes of the current millisecond are only sent after it has passed."""
    started("one")
    host.clock.advance(1)
    started("two")
    events, seen = streamed("/watch?resource=flowrun&version=0")
    assert names(events) == ["one"]
    events, _ = streamed("/watch?resource=flowrun&version=0", seen)
    assert names(events) == ["two"]


def test_echoers_form_names_a_version_per_resource_in_seconds(host: Host) -> None:
    defined(WORK)
    host.clock.advance(2000)
    started("r")
    host.clock.advance(10)
    url = f"/watch?resource=action?version={START // 1000 + 1}&resource=flowrun?version={START // 1000}"
    assert names(streamed(url)[0]) == ["r"]


def test_every_kind_of_resource_can_be_watched(host: Host) -> None:
    started("r")
    call("POST", "/event", {"name": "paid"})
    host.clock.advance(1)
    kinds = {}
    for kind in ("action", "flow", "flowrun", "step", "event"):
        events, _ = streamed(f"/watch?resource={kind}&version=0")
        kinds[kind] = [(resource["metadata"]["kind"], resource["metadata"]["name"]) for _, resource in events]
    assert kinds == {
        "action": [("action", "work")],
        "flow": [("flow", "two")],
        "flowrun": [("flowrun", "r")],
        "step": [("step", "A")],
        "event": [("event", "paid")],
    }
