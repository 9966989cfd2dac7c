"""Child runs: their start, their end, and stopping them."""

from __future__ import annotations

import pytest

from chalicelib.model.run import Run
from chalicelib.model.status import Status
from chalicelib.service.ports.actions import NotTaken, Taken
from chalicelib.service.ports.runs import RunQuery
from tests.service.world import NS, Small

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
def small() -> Small:
    made = Small()
    made.submit(FLOWS)
    return made


def child_of(small: Small) -> str:
    return children(small)[0].name


def children(small: Small) -> list[Run]:
    views, _ = small.services.reader.views(NS, RunQuery())
    return [view.run for view in views if view.run.parent]


def test_a_call_gives_the_output_of_the_other_flow(small: Small) -> None:
    small.start("parent", n=21)
    small.settle()
    assert small.path() == ["Kid", "After", "done"]
    assert small.run().output == 42


def test_a_child_that_stops_tells_its_error(small: Small) -> None:
    small.actions.script = lambda request: NotTaken("the service is closed", final=True)
    small.start("parent", n=1)
    small.settle()
    assert small.path() == ["Kid", "Sorry", "done"]
    assert small.run().status is Status.SUCCEEDED


def test_an_input_that_does_not_fit_is_an_error_of_the_step(small: Small) -> None:
    small.start("parent", n="no number")
    small.settle()
    assert small.path() == ["Kid", "Sorry", "done"]


def test_a_child_is_stopped_when_its_parent_is(small: Small) -> None:
    small.actions.script = lambda request: Taken()
    small.start("parent", n=1)
    small.settle()
    kid = child_of(small)
    assert small.run(kid).status is Status.RUNNING
    small.services.operator.stop(NS, "r", reason="enough")
    small.settle()
    assert small.run(kid).status is Status.CANCELED
    assert small.run(kid).last_err == "run 'r' no longer waits for it"


def test_hints_that_come_twice_start_one_child_and_tell_once(small: Small) -> None:
    run = small.start("parent", n=1)
    for _ in range(3):
        small.services.waker._child_runs.start_child(run, run.tokens[0].activation.uuid)  # type: ignore[union-attr]
    small.settle()
    kids = children(small)
    assert len(kids) == 1
    for _ in range(3):
        small.services.waker._child_runs.tell_parent(kids[0])
    small.settle()
    assert small.path() == ["Kid", "After", "done"]
