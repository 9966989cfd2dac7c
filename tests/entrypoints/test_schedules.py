"""Schedules over HTTP and in the terminal, and messages about them in the workers."""

from __future__ import annotations

import pytest

from chalicelib.service.ports.queues import QueueName
from tests.entrypoints.gateway import Reply, call
from tests.hosts import Host

FLOW = "flow rest  input = (str day);  wait Rest => (DONE -> done) { for = 90m; };  flow_end"
HOURLY = "schedule hourly  flow = rest;  every = 1h;  input = (day = ${ $scheduled });  schedule_end"
ONCE = 'schedule once  flow = rest;  at = "2027-02-01T00:00:00Z";  input = (day = "x");  schedule_end'
HOUR = 3_600_000


@pytest.fixture(autouse=True)
def defined(host: Host) -> None:
    assert call("POST", "/fsl", f"{FLOW}\n/\n{HOURLY}\n/\n{ONCE}").status == 200
    host.settle()


def said(command: str) -> tuple[str, str]:
    reply = call("POST", "/command", {"command": command}).json
    return reply["reply"], reply["raw"]


def test_a_schedule_shows_how_far_it_has_come(host: Host) -> None:
    host.pass_time(3 * HOUR)
    spec = call("GET", "/schedule/hourly").json["spec"]
    assert spec["next"] == "2027-01-15T12:00:00Z"
    assert spec["every"] == "1h"
    assert [(one["slot"], one["outcome"], one["status"], one["reason"]) for one in spec["slots"]] == [
        ("2027-01-15T11:00:00Z", "started", "running", ""),
        ("2027-01-15T10:00:00Z", "skipped", None, "run 'hourly@2027-01-15T09:00:00Z' has not ended"),
        ("2027-01-15T09:00:00Z", "started", "succeeded", ""),
    ]
    assert spec["slots"][0]["run"] == spec["last_run"] == "hourly@2027-01-15T11:00:00Z"
    assert (spec["started"], spec["skipped"], spec["missed"], spec["failed"]) == (2, 1, 0, 0)
    assert call("GET", f"/flowrun/{spec['last_run']}").json["spec"]["input"] == {"day": "2027-01-15T11:00:00Z"}


def test_schedules_are_listed_by_name_in_pages(host: Host) -> None:
    first = call("GET", "/schedule?limit=1")
    assert [one["metadata"]["name"] for one in first.json] == ["hourly"]
    rest = call("GET", f"/schedule?limit=1&cursor={first.headers['x-next-cursor']}")
    assert [one["spec"]["at"] for one in rest.json] == ["2027-02-01T00:00:00Z"]
    assert "x-next-cursor" not in rest.headers
    assert [one["metadata"]["kind"] for one in call("GET", "/schedule?metadata.name=once").json] == ["schedule"]
    assert call("GET", "/schedule?metadata.name=none").json == []


def test_next_slots(host: Host) -> None:
    assert call("GET", "/schedule/hourly/next?n=2").json == ["2027-01-15T09:00:00Z", "2027-01-15T10:00:00Z"]
    assert len(call("GET", "/schedule/hourly/next").json) == 10
    since = call("GET", "/schedule/once/next?since=2027-02-01T01:00:00%2B01:00").json
    assert since == ["2027-02-01T00:00:00Z"]
    assert call("GET", "/schedule/once/next?since=2027-02-01T00:00:01Z").json == []


def test_a_paused_schedule(host: Host) -> None:
    paused = call("POST", "/schedule/hourly/pause").json["spec"]
    assert (paused["paused"], paused["next"], paused["paused_at"]) == (True, None, "2027-01-15T08:00:00.000Z")
    host.pass_time(2 * HOUR)
    assert call("GET", "/flowrun").json == []
    resumed = call("POST", "/schedule/hourly/continue", {}).json["spec"]
    assert (resumed["paused"], resumed["next"], resumed["skipped"]) == (False, "2027-01-15T11:00:00Z", 2)


def test_a_run_now(host: Host) -> None:
    made = call("POST", "/schedule/hourly/run")
    assert made.status == 201
    assert made.json == {"slot": "2027-01-15T08:00:00Z", "run": "hourly@2027-01-15T08:00:00Z", "created": True}
    again = call("POST", "/schedule/hourly/run")
    assert (again.status, again.json["created"]) == (200, False)


def test_a_backfill(host: Host) -> None:
    body = {"from": "2027-01-15T05:00:00Z", "to": "2027-01-15T08:30:00+01:00"}
    done = call("POST", "/schedule/hourly/backfill", body).json
    assert [one["slot"] for one in done["started"]] == [f"2027-01-15T0{hour}:00:00Z" for hour in (5, 6, 7)]
    assert call("POST", "/schedule/hourly/backfill", body).json == {
        "started": [],
        "existed": [{**one, "created": False} for one in done["started"]],
        "failed": [],
    }


@pytest.mark.parametrize(
    ("reply", "status", "code", "message"),
    [
        (lambda: call("GET", "/schedule/none"), 404, "not-found", "there is no schedule 'none'"),
        (lambda: call("POST", "/schedule/none/pause"), 404, "not-found", "there is no schedule 'none'"),
        (lambda: call("GET", "/schedule/hourly/next?n=0"), 400, "malformed", "`n` must be an integer from 1 to 100"),
        (lambda: call("GET", "/schedule/hourly/next?since=x"), 400, "malformed", "`since` must be an RFC 3339 time"),
        (lambda: call("POST", "/schedule/hourly/backfill", {}), 400, "malformed", "`from`"),
        (
            lambda: call("POST", "/schedule/hourly/backfill", {"from": "x", "to": "y"}),
            400,
            "malformed",
            "`from` must be an RFC 3339 time",
        ),
        (
            lambda: call("POST", "/schedule/hourly/backfill", {"from": "2027-01-15T05:00:00Z", "till": "x"}),
            400,
            "malformed",
            "till",
        ),
        (
            lambda: call(
                "POST", "/schedule/hourly/backfill", {"from": "2026-01-15T05:00:00Z", "to": "2027-01-15T05:00:00Z"}
            ),
            422,
            "invalid",
            "more than 100 slots",
        ),
        (lambda: call("POST", "/schedule", {"data": FLOW}), 422, "wrong-statement", "only schedule statements"),
        (lambda: call("DELETE", "/flow/rest"), 409, "still-referred", "schedule 'hourly' refers to it"),
    ],
)
def test_what_is_refused(host: Host, reply: object, status: int, code: str, message: str) -> None:
    assert callable(reply)
    found: Reply = reply()
    assert (found.status, found.code) == (status, code)
    assert message in found.json["message"]


def test_a_run_that_cannot_start_is_refused(host: Host) -> None:
    changed = FLOW.replace("(str day)", "(int day)")
    assert call("POST", "/fsl", changed).status == 200
    reply = call("POST", "/schedule/hourly/run")
    assert (reply.status, reply.code) == (422, "start-failed")
    assert "day: must be of type int" in reply.json["message"]


def test_a_deleted_schedule_is_gone(host: Host) -> None:
    uuid = call("GET", "/schedule/hourly").json["metadata"]["uuid"]
    assert call("DELETE", "/schedule/hourly/00000000-0000-4000-8000-000000000000").status == 404
    assert call("DELETE", f"/schedule/hourly/{uuid}").json["spec"]["flow"] == "rest"
    assert call("GET", "/schedule/hourly").status == 404
    assert call("DELETE", "/schedule/once").status == 200
    host.pass_time(5 * HOUR)
    assert call("GET", "/flowrun").json == []


def test_the_terminal_commands_schedules(host: Host) -> None:
    assert "| hourly | schedule |" in said("list schedule")[1]
    assert said("get schedule hourly") == ("Raw", HOURLY)
    assert said("next hourly")[1].splitlines()[:2] == ["2027-01-15T09:00:00Z", "2027-01-15T10:00:00Z"]
    assert said("pause schedule hourly") == ("OK", "")
    assert call("GET", "/schedule/hourly").json["spec"]["paused"]
    assert said("continue schedule hourly") == ("OK", "")
    assert not call("GET", "/schedule/hourly").json["spec"]["paused"]
    assert said("run schedule hourly") == ("OK", "hourly@2027-01-15T08:00:00Z")
    range_ = "2027-01-15T07:00:00Z 2027-01-15T08:00:00Z"
    assert said(f"backfill hourly {range_}") == (
        "OK",
        "hourly@2027-01-15T07:00:00Z started\nhourly@2027-01-15T08:00:00Z existed",
    )
    assert said("backfill hourly x y")[0] == "ERR"
    assert said("pause hook rest")[1].startswith("a hook cannot be named here; write a run, or one of schedule, ")
    assert said("del schedule once") == ("OK", "")
    assert said("next once") == ("ERR", "there is no schedule 'once'")
    assert "cron" in said("help schedule")[1]


def test_the_workers_look_at_schedules(host: Host) -> None:
    """A sweep sends what is due, and the wake handler starts it."""
    host.clock.advance(HOUR)
    host.sweep()
    assert host.work(QueueName.WAKES) == []
    assert [one["metadata"]["name"] for one in call("GET", "/flowrun").json] == ["hourly@2027-01-15T09:00:00Z"]


def test_the_doctor_shows_schedules_that_do_not_start_their_runs(host: Host) -> None:
    changed = FLOW.replace("(str day)", "(int day)")
    assert call("POST", "/fsl", changed).status == 200
    host.pass_time(HOUR)
    (finding,) = call("GET", "/doctor").json["findings"]
    assert finding["ailment"] == "slot"
    assert finding["run"] == "hourly@2027-01-15T09:00:00Z"
    assert finding["detail"].startswith(
        "schedule 'hourly' could not start it: the input does not fit flow 'rest': day:"
    )
    assert call("POST", "/fsl", FLOW).status == 200
    host.pass_time(HOUR)
    assert call("GET", "/doctor").json["findings"] == []


def test_the_doctor_has_forgotten_schedules_looked_at(host: Host) -> None:
    host.clock.advance(2 * HOUR)
    for queue in QueueName:
        while lost := host.queue.receive(queue, 10, 0):
            host.queue.delete(queue, [message.receipt for message in lost])
    found = call("POST", "/doctor/repair").json["findings"]
    assert [(one["ailment"], one["detail"], one["cured"]) for one in found] == [
        ("schedule", "schedule 'hourly' is due, but nothing has looked at it", True)
    ]
    host.settle()
    assert len(call("GET", "/flowrun").json) == 1
    assert call("GET", "/doctor").json["findings"] == []
