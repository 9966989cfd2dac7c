"""Labels of runs change, and lists follow."""

from __future__ import annotations

import pytest

from tests.entrypoints.gateway import call
from tests.entrypoints.steps import started
from tests.hosts import Host, accept


def test_labels_are_set_and_removed_and_the_lists_follow(host: Host) -> None:
    started(labels={"team": "a", "shop": "north"})
    run = call("POST", "/flowrun/r/labels", {"set": {"team": "b", "prio": 1}, "remove": ["shop", "none"]}).json
    assert run["metadata"]["labels"] == {"team": "b", "prio": 1}
    for label, found in (("team:a", 0), ("team:b", 1), ("shop:north", 0), ("prio:1", 1)):
        assert len(call("GET", f"/flowrun?label={label}").json) == found, label
    entry = call("GET", "/flowrun/r/history").json[-1]
    assert (entry["event"], entry["data"]) == ("LabelsSet", {"set": {"team": "b", "prio": 1}, "remove": ["shop"]})
    version = run["metadata"]["version"]
    assert call("POST", "/flowrun/r/labels", {"set": {"prio": 1}}).json["metadata"]["version"] == version


def test_labels_of_an_ended_run_change_too(host: Host) -> None:
    started()
    call("POST", "/flowrun/r/stop")
    run = call("POST", "/flowrun/r/labels", {"set": {"handled": "yes"}}).json
    assert (run["spec"]["status"], run["metadata"]["labels"]) == ("canceled", {"handled": "yes"})


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"set": {"a:b": 1}}, 400),
        ({"set": {"": 1}}, 400),
        ({"set": {"a": 1}, "remove": ["a"]}, 422),
        ({"labels": {"a": 1}}, 400),
        ({"set": {"a": "x" * 300}}, 413),
    ],
)
def test_bad_labels_change_nothing(host: Host, body: object, status: int) -> None:
    started(labels={"team": "a"})
    assert call("POST", "/flowrun/r/labels", body).status == status
    assert call("GET", "/flowrun/r").json["metadata"] | {"uuid": ""} == {
        "name": "r", "kind": "flowrun", "namespace": "default", "version": 1, "uuid": "", "labels": {"team": "a"},
    }  # fmt: skip


def test_no_run_no_labels(host: Host) -> None:
    assert call("POST", "/flowrun/none/labels", {"set": {"a": 1}}).status == 404


def test_every_delivery_sends_the_labels_of_the_moment_of_entry(host: Host) -> None:
    host.submit(
        'action tell addr = "http://tell.test/"; args = (str team); return = (OK); retry = (max = 5); action_end\n/\n'
        "flow f step A => (OK -> done) { action = tell; args = (team = ${ $run.labels.team }); }; flow_end"
    )
    call("POST", "/flow/f/runs", {"name": "r", "labels": {"team": "a"}})
    host.work()
    call("POST", "/flowrun/r/labels", {"set": {"team": "b"}})
    call("POST", "/flowrun/r/pause")
    call("POST", "/flowrun/r/continue")
    host.actions.script = accept
    host.settle()
    assert {request["team"] for request in host.actions.requests} == {"a"}
