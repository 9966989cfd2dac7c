"""Child runs: their start, their end, and stopping them."""

from __future__ import annotations

from typing import Any

import pytest

from chalicelib.model.run import Run
from chalicelib.model.status import Status
from chalicelib.service.ports.actions import NotTaken, Taken
from chalicelib.service.ports.runs import RunQuery
from chalicelib.service.redelivery import WRITER_LIFETIME_MS
from tests.hosts import NS, Host, accept, answer_at_once

FLOWS = """
action work addr = "http://work.test/"; args = (any x = null); return = (OK | FAIL); action_end
/
flow child
    input = (int n);
    output = ${ $input.n * 2 };
    step Work => (OK -> done | FAIL -> stopped) { action = work; args = (x = ${ $input.n }); };
flow_end
/
flow parent
    input = (any n);
    call Kid => (DONE -> After | STOPPED -> Sorry | ERROR -> Sorry) { flow = child; input = (n = ${ $input.n }); };
    step After => (OK -> done | FAIL -> stopped) { action = work; args = (x = ${ $result }); };
    set Sorry => (DONE -> done) { save = (why = ${ $error }); };
flow_end
"""


@pytest.fixture
def host() -> Host:
    made = Host()
    made.submit(FLOWS)
    return made


def child_of(host: Host) -> str:
    return children(host)[0].name


def children(host: Host) -> list[Run]:
    views, _ = host.services.reader.views(NS, RunQuery())
    return [view.run for view in views if view.run.parent]


def test_a_call_gives_the_output_of_the_other_flow(host: Host) -> None:
    host.start("parent", n=21)
    host.settle()
    assert host.path() == ["Kid", "After", "done"]
    assert host.run().output == 42


def test_a_child_that_stops_tells_its_error(host: Host) -> None:
    host.actions.script = lambda request: NotTaken("the service is closed", final=True)
    host.start("parent", n=1)
    host.settle()
    assert host.path() == ["Kid", "Sorry", "done"]
    assert host.run().status is Status.SUCCEEDED


def test_an_input_that_does_not_fit_is_an_error_of_the_step(host: Host) -> None:
    host.start("parent", n="no number")
    host.settle()
    assert host.path() == ["Kid", "Sorry", "done"]


def test_a_child_is_started_though_its_parent_was_paused_and_continued_in_the_meantime(host: Host) -> None:
    """`continue` sent nothing, because nothing was held yet, and the message to start the child was consumed."""
    host.start("parent", n=1)
    uuid = host.uuid("Kid")
    paused = host.services.operator.pause(NS, "r")
    host.services.operator.resume(NS, "r")
    host.services.child_runs.start_child(paused, uuid)
    assert [child.parent.uuid for child in children(host) if child.parent] == [uuid]


def test_a_child_is_stopped_when_its_parent_is(host: Host) -> None:
    host.actions.script = lambda request: Taken()
    host.start("parent", n=1)
    host.settle()
    kid = child_of(host)
    assert host.run(kid).status is Status.RUNNING
    host.services.operator.stop(NS, "r", reason="enough")
    host.settle()
    assert host.run(kid).status is Status.CANCELED
    assert host.run(kid).last_err == "run 'r' no longer waits for it"


UNDONE = """
action book addr = "http://work.test/"; return = (OK); action_end
/
action unbook addr = "http://work.test/"; args = (str who); return = (OK); action_end
/
flow booked_child
    step Book => (OK -> Rest) { action = book; undo = unbook (who = "child"); };
    wait Rest => (DONE -> done) { for = 1h; };
flow_end
/
flow booked_parent
    step Book => (OK -> Kid) { action = book; undo = unbook (who = "parent"); };
    call Kid => (DONE -> done) { flow = booked_child; };
flow_end
"""


def call(host: Host) -> None:
    """Start a run that has just entered its call: the message that starts the child is not handled yet."""
    host.submit(UNDONE)
    host.actions.script = accept
    host.start("booked_parent")
    host.settle()
    host.answer("Book", "OK")
    host.actions.script = answer_at_once


def test_a_child_that_is_created_after_its_parent_was_stopped_undoes_its_work_first(host: Host) -> None:
    """Its starter read the parent before the stop, and created the child when `StopChild` had not found it."""
    call(host)
    before, uuid = host.run(), host.uuid("Kid")
    host.services.operator.stop(NS, "r")
    host.settle()
    assert host.run().status is Status.CANCELING
    runs = host.services.child_runs
    called = runs._call(before, uuid)
    assert called
    runs._start(before, uuid, called)
    host.settle()
    runs._follow(before, uuid, called.child)
    host.settle()
    assert host.run().status is Status.CANCELED
    undone = [request["who"] for request in host.actions.requests if "who" in request]
    assert undone == ["child", "parent"]


def test_a_child_that_its_starter_creates_after_the_stop_is_stopped_at_once(host: Host) -> None:
    """Without that, the message to stop it would find it only much later."""
    call(host)
    before, uuid = host.run(), host.uuid("Kid")
    host.services.operator.stop(NS, "r")
    host.settle()
    host.services.child_runs.start_child(before, uuid)
    assert host.run(child_of(host)).status is Status.CANCELED
    host.settle()
    assert [request["who"] for request in host.actions.requests if "who" in request] == ["parent"]


def test_a_late_child_is_stopped_although_its_parent_has_another_version_by_then(host: Host) -> None:
    """Its name is made of the step's name in the version that called it."""
    call(host)
    before, uuid = host.run(), host.uuid("Kid")
    host.submit(UNDONE.replace("call Kid", "call Called").replace("OK -> Kid", "OK -> Called"))
    host.services.operator.migrate(NS, "r", "latest", steps={"Kid": "Called"})
    host.services.operator.stop(NS, "r")
    host.settle()
    host.services.child_runs.start_child(before, uuid)
    (child,) = children(host)
    assert child.status is Status.CANCELED


def test_a_child_that_was_never_started_is_reported_once_its_starter_cannot_be_running(host: Host) -> None:
    call(host)
    host.services.operator.stop(NS, "r")
    host.settle()
    assert host.run().status is Status.CANCELING
    host.pass_time(WRITER_LIFETIME_MS)
    assert not children(host)
    assert host.run().status is Status.CANCELED
    assert [request["who"] for request in host.actions.requests if "who" in request] == ["parent"]


def test_repeated_messages_start_one_child_and_notify_once(host: Host) -> None:
    run = host.start("parent", n=1)
    for _ in range(3):
        host.services.child_runs.start_child(run, run.tokens[0].activation.uuid)  # type: ignore[union-attr]
    host.settle()
    kids = children(host)
    assert len(kids) == 1
    for _ in range(3):
        host.services.child_runs.tell_parent(kids[0])
    host.settle()
    assert host.path() == ["Kid", "After", "done"]


MISSING = """
action note addr = "http://work.test/"; args = (any x = null); return = (OK); action_end
/
flow one
    input = %s;
    output = ${ $input };
    step Note => (OK -> done) { action = note; };
flow_end
/
flow main
    input = map;
    output = ${ $result };
    call Kid => (DONE -> done | ERROR -> stopped (error = ${ $error.name }, cause = ${ $error.cause })) {
        flow  = one;
        input = (a = ${ $input.a }, b = ${ $input.b }, c = {"deep": ["x", ${ $input.c }]});
    };
flow_end
"""


@pytest.mark.parametrize("declared", ["any", "map", "(any a, any b, any c = 3)"])
@pytest.mark.parametrize(
    ("given", "missing"),
    [
        ({"a": 1, "b": None, "c": 3}, []),
        ({"a": 1, "c": 3}, ["b"]),
        ({"c": 3}, ["a", "b"]),
        ({"a": 1, "b": 2}, ["c"]),
    ],
)
def test_an_entry_of_the_input_that_yields_nothing_needs_a_default(
    declared: str, given: dict[str, Any], missing: list[str]
) -> None:
    host = Host()
    host.submit(MISSING % declared)
    host.start("main", **given)
    host.settle()
    run = host.run()
    if declared.startswith("("):
        missing = [name for name in missing if name != "c"]
    if not missing:
        assert run.output == {"a": 1, "b": given.get("b"), "c": {"deep": ["x", 3]} if "c" in given else 3}
        return
    assert (run.status, children(host)) == (Status.FAILED, [])
    assert run.error is not None
    assert run.error.name == "ExpressionFailed"
    named = ", ".join(map(repr, missing))
    one = len(missing) == 1
    said = f"{'entry' if one else 'entries'} {named} {'yields' if one else 'yield'} nothing in the input for flow 'one'"
    assert run.error.cause == f"{said}, which has no default for it"
