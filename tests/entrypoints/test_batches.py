"""Batches over HTTP."""

from __future__ import annotations

import logging
from typing import Any, Final

import pytest

from tests.entrypoints.gateway import call
from tests.entrypoints.test_access import FIRST, GUARDED, bearer, under
from tests.hosts import Host

FSL: Final = """
action work addr = "http://x/"; return = (OK | BAD); action_end
/
flow f step One => (OK -> done | BAD -> stopped) { action = work; }; flow_end
"""


@pytest.fixture(autouse=True)
def _runs(host: Host) -> None:
    host.submit(FSL)
    for name in ("a", "b", "c"):
        reply = call("POST", "/flow/f/runs", {"name": name, "labels": {"team": name, "n": 1}})
        assert reply.status == 201
    host.settle()
    host.clock.advance(1_000)


def created(**body: Any) -> Any:
    reply = call("POST", "/batch", {"do": "stop", "select": {"flow": "f"}, **body})
    assert reply.status == 202, reply.text
    return reply.json


def statuses() -> list[str]:
    return [call("GET", f"/flowrun/{name}").json["spec"]["status"] for name in ("a", "b", "c")]


def test_a_batch_is_done_in_the_background(host: Host) -> None:
    batch = created(**{"with": {"reason": "over"}})
    assert (batch["matched"], batch["done"], batch["left"], batch["status"]) == (3, 0, 3, "running")
    host.pass_time(5_000)
    found = call("GET", f"/batch/{batch['id']}").json
    assert (found["matched"], found["done"], found["refused"], found["status"]) == (3, 3, 0, "done")
    assert [one["outcome"] for one in found["results"]] == ["done"] * 3
    assert sorted(one["run"] for one in found["results"]) == ["a", "b", "c"]
    assert statuses() == ["canceled"] * 3
    assert call("GET", "/flowrun/a").json["spec"]["last_err"] == "over"
    again = created()
    host.pass_time(5_000)
    assert call("GET", f"/batch/{again['id']}").json["done"] == 3


@pytest.mark.parametrize(
    ("select", "matched"),
    [
        ({"status": "running"}, 3),
        ({"status": ["running", "paused"]}, 3),
        ({"label": "team:a"}, 1),
        ({"label": {"team": "a"}}, 1),
        ({"label": ["team:a", "n:1"]}, 1),
        ({"label": ["team:a", "team:b"]}, 0),
        ({"name_prefix": "a"}, 1),
        ({"flow": "f", "version": 1, "until": "2030-01-01T00:00:00Z"}, 3),
        ({"error": "Boom"}, 0),
        ({"waiting_for": "paid"}, 0),
        ({"undo": "failed"}, 0),
        ({"names": ["a", "b"]}, 2),
        ({"names": []}, 0),
        ({"flow": "other"}, 0),
        ({"since": "2030-01-01T00:00:00Z"}, 0),
    ],
)
def test_filters_are_those_of_the_list(host: Host, select: Any, matched: int) -> None:
    assert created(select=select, dry_run=True)["matched"] == matched


def test_results_come_in_pages_and_by_outcome(host: Host) -> None:
    batch = created(select={"names": ["a", "x", "b", "y"]})
    host.pass_time(5_000)
    first = call("GET", f"/batch/{batch['id']}?limit=3")
    assert [one["run"] for one in first.json["results"]] == ["a", "x", "b"]
    rest = call("GET", f"/batch/{batch['id']}?limit=3&cursor={first.headers['x-next-cursor']}")
    assert [one["run"] for one in rest.json["results"]] == ["y"]
    assert "x-next-cursor" not in rest.headers
    missing = call("GET", f"/batch/{batch['id']}?outcome=missing,refused").json
    assert [one["run"] for one in missing["results"]] == ["x", "y"]
    assert call("GET", f"/batch/{batch['id']}?outcome=lost").status == 400


def test_a_dry_run_changes_nothing(host: Host) -> None:
    batch = created(dry_run=True)
    assert (batch["would"], batch["done"], batch["status"]) == (3, 0, "done")
    host.pass_time(5_000)
    assert statuses() == ["running"] * 3


def test_a_batch_can_be_stopped(host: Host) -> None:
    batch = created(rate=0.5)
    host.pass_time(1_000)
    assert call("POST", f"/batch/{batch['id']}/stop").json["status"] == "stopped"
    host.pass_time(60_000)
    assert sorted(statuses()) == ["canceled", "running", "running"]
    assert call("POST", f"/batch/{batch['id']}/stop").status == 200
    assert call("POST", f"/batch/{batch['id']}/continue").json["status"] == "running"
    host.pass_time(60_000)
    assert statuses() == ["canceled"] * 3
    assert call("GET", f"/batch/{batch['id']}").json["left"] == 0


def test_batches_are_listed(host: Host) -> None:
    ids = []
    for _ in range(3):
        ids.append(created(dry_run=True)["id"])
        host.clock.advance(1_000)
    page = call("GET", "/batch?limit=2")
    assert [one["id"] for one in page.json] == ids[:0:-1]
    rest = call("GET", f"/batch?limit=2&cursor={page.headers['x-next-cursor']}")
    assert [one["id"] for one in rest.json] == ids[:1]


@pytest.mark.parametrize(
    ("body", "status", "said"),
    [
        ({"do": "explode", "select": {"flow": "f"}}, 400, "do"),
        ({"do": "stop"}, 400, "select"),
        ({"do": "stop", "select": {}}, 422, "empty"),
        ({"do": "stop", "select": {"flw": "f"}}, 400, "flow"),
        ({"do": "stop", "select": {"limit": 5}}, 400, "limit"),
        ({"do": "stop", "select": {"status": "dead"}}, 400, "status"),
        ({"do": "stop", "select": {"flow": {"a": 1}}}, 400, "flow"),
        ({"do": "stop", "select": {"names": "a"}}, 400, "names"),
        ({"do": "stop", "select": {"names": [1]}}, 400, "names"),
        ({"do": "stop", "select": {"names": ["a"], "flow": "f"}}, 400, "names"),
        ({"do": "stop", "select": {"names": ["a"] * 10_001}}, 422, "10000"),
        ({"do": "stop", "select": {"flow": "f"}, "with": {"why": "x"}}, 400, "why"),
        ({"do": "pause", "select": {"flow": "f"}, "with": {"reason": "x"}}, 400, "reason"),
        ({"do": "migrate", "select": {"flow": "f"}}, 400, "version"),
        ({"do": "signal", "select": {"flow": "f"}, "with": {"name": ""}}, 400, "name"),
        ({"do": "stop", "select": {"flow": "f"}, "rate": 0}, 400, "rate"),
        ({"do": "stop", "select": {"flow": "f"}, "fast": True}, 400, "fast"),
    ],
)
def test_a_bad_request_is_refused_and_changes_nothing(host: Host, body: Any, status: int, said: str) -> None:
    reply = call("POST", "/batch", body)
    assert reply.status == status, reply.text
    assert said in reply.json["message"]
    host.pass_time(5_000)
    assert statuses() == ["running"] * 3
    assert call("GET", "/batch").json == []


def test_an_unknown_batch_is_404(host: Host) -> None:
    assert call("GET", "/batch/x").status == 404
    assert call("POST", "/batch/x/stop").status == 404
    assert call("POST", "/batch/x/continue").status == 404


def test_deleting_requires_the_role_author_and_the_audit_has_a_line_per_run(
    host: Host, caplog: pytest.LogCaptureFixture
) -> None:
    under(host, GUARDED)
    tokens = {}
    for role in ("viewer", "operator", "author"):
        tokens[role] = call("POST", "/token", {"name": role, "role": role}, headers=bearer(FIRST)).json["token"]
    delete = {"do": "delete", "select": {"names": ["a", "x"]}}

    def post(role: str, body: Any) -> int:
        return call("POST", "/batch", body, headers=bearer(tokens[role])).status

    assert post("viewer", {**delete, "do": "stop"}) == 403
    assert post("operator", delete) == 403
    made = call("POST", "/batch", {**delete, "dry_run": True}, headers=bearer(tokens["author"])).json["id"]
    assert call("POST", f"/batch/{made}/continue", headers=bearer(tokens["operator"])).status == 403
    assert call("POST", f"/batch/{made}/continue", headers=bearer(tokens["author"])).status == 200
    assert post("author", {**delete, "do": "stop"}) == 202
    with caplog.at_level(logging.INFO, logger="echoer.audit"):
        host.pass_time(5_000)
    lines = [
        vars(record) for record in caplog.records if record.name == "echoer.audit" and "batch " in vars(record)["call"]
    ]
    assert [(line["who"], line["call"], line["names"], line["status"]) for line in lines] == [
        ("token author", "batch stop", ["a"], "done"),
        ("token author", "batch stop", ["x"], "missing"),
    ]
