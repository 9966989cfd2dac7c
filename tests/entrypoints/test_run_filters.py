"""Which runs a list has, and how many there are."""

from __future__ import annotations

from typing import Any

import pytest

from tests.entrypoints.flows import WORK
from tests.entrypoints.gateway import Reply, call
from tests.entrypoints.steps import answered, defined, started
from tests.hosts import Host

WAITER = """flow waiter
    input = (str key);
    wait Paid => (PAID -> done | LATE -> stopped | TIMEOUT -> stopped) {
        events = (PAID = "paid", LATE = "late"); key = ${ $input.key }; timeout = 2h;
    };
flow_end"""
CALLER = """flow caller
    call Call => (DONE -> done) { flow = called; };
flow_end
/
flow called
    step A => (OK -> done) { action = work; args = (order = "o", times = 1); };
flow_end"""


def names(query: str) -> list[str]:
    """Return the names on all pages."""
    found: list[str] = []
    cursor = ""
    while True:
        reply = call("GET", f"/flowrun?{query}&cursor={cursor}")
        assert reply.status == 200, reply.text
        found += [run["metadata"]["name"] for run in reply.json]
        cursor = reply.headers.get("x-next-cursor", "")
        if not cursor:
            return found


def counted(query: str = "") -> Any:
    reply = call("GET", f"/flowrun/count?group=status&{query}")
    assert reply.status == 200, reply.text
    return reply.json


def failed(name: str, error: str, **labels: Any) -> Reply:
    return call("POST", "/step", answered(started(name, labels=labels), ackState="FAIL", error={"name": error}))


def test_all_filters_hold_at_once(host: Host) -> None:
    for number in range(6):
        failed(f"f{number}", ["OutOfStock", "Refused"][number % 2], team="ab"[number // 3], n=number)
        host.clock.advance(1_000)
    started("live", labels={"team": "a"})
    assert names("error=OutOfStock") == ["f4", "f2", "f0"]
    assert names("error=OutOfStock&label=team:a") == ["f2", "f0"]
    assert names("label=team:a&label=n:2") == ["f2"]
    assert names("label=team:a&label=team:b") == []
    assert names("label=team:a") == ["live", "f2", "f1", "f0"]
    assert names("status=failed&flow=two&version=1&label=team:a&name_prefix=f&limit=1") == ["f2", "f1", "f0"]
    assert names("flow=two&version=2") == []
    assert names("since=2027-01-15T08:00:01Z&until=2027-01-15T08:00:03Z") == ["f3", "f2", "f1"]
    assert names("name_prefix=li") == ["live"]


def test_a_name_is_a_filter_like_the_others(host: Host) -> None:
    started("r", labels={"team": "a"})
    assert names("metadata.name=r&label=team:a&status=running") == ["r"]
    assert names("metadata.name=r&label=team:b") == []
    assert names("metadata.name=r&status=failed") == []
    assert names("metadata.name=r&waiting_for=paid") == []


def test_runs_that_wait_for_an_event_are_found(host: Host) -> None:
    defined(WAITER)
    for number in range(5):
        call("POST", "/flow/waiter/runs", {"name": f"w{number}", "input": {"key": f"k{number}"}})
        host.clock.advance(1)
    started("other")
    host.settle()
    call("POST", "/event", {"name": "paid", "key": "k1"})
    host.settle()
    call("POST", "/flowrun/w3/pause")
    assert names("waiting_for=paid&limit=1") == ["w4", "w3", "w2", "w0"]
    assert names("waiting_for=late&status=running") == ["w4", "w2", "w0"]
    assert names("waiting_for=paid&status=succeeded") == []
    assert names("waiting_for=none") == []
    assert counted("waiting_for=paid") == {"counts": {"running": 3, "paused": 1}, "more": False}


def test_runs_with_an_early_deadline_come_first(host: Host) -> None:
    defined(WAITER)
    for number in range(3):
        call("POST", "/flow/waiter/runs", {"name": f"w{number}", "input": {"key": f"k{number}"}})
        host.clock.advance(60_000)
    host.settle()
    started("other")
    assert names("due_before=2027-01-15T10:01:30Z") == ["w0", "w1"]
    assert names("due_before=2027-01-15T11:00:00Z&limit=1") == ["w0", "w1", "w2"]
    assert names("due_before=2027-01-15T11:00:00Z&name_prefix=w1") == ["w1"]


def test_called_runs_are_found_by_their_caller(host: Host) -> None:
    defined(WORK, CALLER)
    call("POST", "/flow/caller/runs", {"name": "c"})
    host.settle()
    (child,) = names("parent=c")
    assert child.startswith("c.Call.")
    assert call("GET", f"/flowrun/{child}?view=summary").json["spec"]["parent"] == {"run": "c", "step": "Call"}
    assert names("parent=d") == []


def test_every_status_of_the_contract_is_a_filter(host: Host) -> None:
    """No run is ever `completing`."""
    started()
    assert call("GET", "/flowrun?status=completing").json == []
    assert [one["metadata"]["name"] for one in call("GET", "/flowrun?status=completing,running").json] == ["r"]
    assert call("GET", "/flowrun?status=complete").code == "malformed"


def test_runs_are_counted_by_status(host: Host) -> None:
    for number in range(3):
        failed(f"f{number}", "OutOfStock", n=number)
    started("live")
    assert counted() == {"counts": {"failed": 3, "running": 1}, "more": False}
    assert counted("label=n:1") == {"counts": {"failed": 1}, "more": False}
    assert counted("status=running") == {"counts": {"running": 1}, "more": False}
    assert call("GET", "/flowrun/count?group=flow").code == "malformed"


def test_a_whole_list_has_a_total(host: Host) -> None:
    for number in range(3):
        started(f"r{number}")
    assert call("GET", "/flowrun?status=running").headers["x-total-approx"] == "3"
    assert "x-total-approx" not in call("GET", "/flowrun?limit=2").headers


def test_a_page_may_be_empty_and_yet_not_the_last(host: Host) -> None:
    for number in range(30):
        started(f"r{number:02}")
    defined(WAITER)
    call("POST", "/flow/waiter/runs", {"name": "a-waiter", "input": {"key": "k"}})
    assert names("waiting_for=paid&limit=1") == ["a-waiter"]


@pytest.mark.parametrize(
    "query", ["version=0", "version=x", "until=now", "due_before=1", "label=team", "undo=1", "status=done", "label=:a"]
)
def test_a_filter_that_cannot_be_is_refused(host: Host, query: str) -> None:
    assert call("GET", f"/flowrun?{query}").code == "malformed"
    assert call("GET", f"/flowrun/count?{query}").code == "malformed"
