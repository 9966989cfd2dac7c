"""The inbox: tasks and approvals that wait for a person."""

from __future__ import annotations

import pytest

from chalicelib.engine.errors import StateNotRouted
from chalicelib.model.status import Status
from tests.service.world import NS, Small

DAY = 86_400_000

FLOW = """
action review method = human; args = (str doc); return = (AGREE | REJECT); action_end
/
action pay addr = "http://pay.test/"; approval = required; args = (int x); return = (PAID); action_end
/
flow f
    input = (str doc);
    deci Review => (AGREE -> Pay | REJECT -> stopped | TIMEOUT -> stopped) { action = review; };
    step Pay => (PAID -> done | ERROR -> Review) { action = pay; args = (x = 5); };
flow_end
"""


@pytest.fixture
def small() -> Small:
    made = Small()
    made.submit(FLOW)
    made.start("f", doc="d-1")
    made.settle()
    return made


def test_a_human_step_waits_in_the_inbox_and_is_sent_nowhere(small: Small) -> None:
    (task,) = small.services.inbox.open(NS, 10)
    assert (task.run, task.step, task.states, task.args, task.approval) == (
        "r",
        "Review",
        ("AGREE", "REJECT"),
        {"doc": "d-1"},
        False,
    )
    assert task.deadline - task.since == 30 * DAY
    assert small.actions.calls == []


def test_an_answered_task_leaves_the_inbox(small: Small) -> None:
    small.clock.advance(1)
    small.answer("Review", "REJECT", data="not today")
    assert small.services.inbox.open(NS, 10) == []
    assert list(small.store.tasks.list(NS, 10)) == []
    assert small.run().tail[-1].data == "not today"


def test_an_action_that_needs_approval_is_sent_once_it_is_given(small: Small) -> None:
    small.answer("Review", "AGREE")
    small.settle()
    (task,) = small.services.inbox.open(NS, 10)
    assert (task.step, task.states, task.approval, task.args) == ("Pay", ("APPROVE", "REJECT"), True, {"x": 5})
    assert small.actions.calls == []
    with pytest.raises(StateNotRouted):
        small.answer("Pay", "PAID")
    small.answer("Pay", "APPROVE")
    small.settle()
    assert small.run().status is Status.SUCCEEDED
    assert len(small.actions.calls) == 1


def test_an_approval_that_is_refused_is_an_error_of_the_step(small: Small) -> None:
    small.answer("Review", "AGREE")
    small.answer("Pay", "REJECT", data="too dear")
    assert small.path() == ["Review", "Pay", "Review"]
    assert small.actions.calls == []


def test_the_inbox_can_be_asked_for_one_run_or_step(small: Small) -> None:
    small.clock.advance(1)
    small.start("f", "other", doc="d-2")
    assert [task.run for task in small.services.inbox.open(NS, 10)] == ["r", "other"]
    assert [task.run for task in small.services.inbox.open(NS, 10, run="other")] == ["other"]
    assert small.services.inbox.open(NS, 10, step="Pay") == []
    assert len(small.services.inbox.open(NS, 1)) == 1
