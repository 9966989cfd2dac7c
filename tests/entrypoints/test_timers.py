"""The list of what is due when."""

from __future__ import annotations

from urllib.parse import quote

import pytest

from tests.entrypoints.flows import TWO, WORK
from tests.entrypoints.gateway import call
from tests.entrypoints.steps import defined
from tests.hosts import NS, Host

WAITS = """flow waits
    input = (int minutes);
    wait W => (DONE -> done) { for = ${ $string($input.minutes) & "m" }; };
flow_end"""


def test_deadlines_and_slots_are_listed_in_order(host: Host) -> None:
    defined(WORK, TWO, WAITS, "schedule often flow = waits; every = 1h; input = (minutes = 1); schedule_end")
    for minutes in (30, 10, 90):
        host.start("waits", f"w{minutes}", minutes=minutes)
    host.start("two", "t", order="o")
    host.settle()
    found = call("GET", "/timer?until=2099-01-01T00:00:00Z").json
    assert [(one["name"], one["kind"], one["what"]) for one in found] == [
        ("w10", "run", "timer"),
        ("w30", "run", "timer"),
        ("often", "schedule", "slot"),
        ("w90", "run", "timer"),
        ("t", "run", "action"),
    ]
    assert [one["at"] for one in found] == sorted(one["at"] for one in found)
    assert (found[0]["step"], found[0]["uuid"]) == ("W", host.uuid("W", "w10"))
    soon = found[1]["at"]
    assert [one["name"] for one in call("GET", f"/timer?until={quote(soon)}").json] == ["w10", "w30"]


def test_a_day_is_looked_ahead(host: Host) -> None:
    defined(WORK, TWO, WAITS)
    host.start("two", "t", order="o")
    host.start("waits", "w", minutes=5)
    assert [one["name"] for one in call("GET", "/timer").json] == ["w"]


@pytest.mark.parametrize("limit", [1, 2, 3, 50])
def test_pages_have_every_timer_once_also_at_one_moment(host: Host, limit: int) -> None:
    defined(WAITS)
    names = [f"w{number}" for number in range(7)]
    for number, name in enumerate(names):
        host.start("waits", name, minutes=5 if number < 5 else 6)
    found, cursor = [], ""
    while True:
        page = call("GET", f"/timer?limit={limit}" + (f"&cursor={cursor}" if cursor else ""))
        found += [one["name"] for one in page.json]
        cursor = page.headers.get("x-next-cursor", "")
        if not cursor:
            break
    assert found == names


def test_timers_of_other_namespaces_are_not_shown(host: Host) -> None:
    defined(WAITS)
    host.start("waits", "w", minutes=5)
    assert len(call("GET", "/timer").json) == 1
    assert call("GET", "/timer", headers={"x-echoer-namespace": "other"}).json == []


def test_a_paused_run_has_no_timer_and_an_ended_one_its_deletion(host: Host) -> None:
    step = 'step A => (OK -> done) { action = work; args = (order = "o", times = 1); };'
    defined(WORK, f"flow k keep = 1h; {step} flow_end")
    host.start("k", "k")
    call("POST", "/flowrun/k/pause")
    assert call("GET", "/timer?until=2099-01-01T00:00:00Z").json == []
    call("POST", "/flowrun/k/continue")
    host.answer("A", "OK", "k")
    assert host.services.reader.run(NS, "k").ended_at
    assert [(one["name"], one["what"]) for one in call("GET", "/timer").json] == [("k", "deletion")]


def test_a_wrong_cursor_is_malformed(host: Host) -> None:
    assert call("GET", "/timer?cursor=abc").code == "malformed"
    assert call("GET", "/timer?until=tomorrow").code == "malformed"
