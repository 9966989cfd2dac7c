"""The inbox: tasks and approvals that wait for a person."""

from __future__ import annotations

import pytest

from chalicelib.engine.errors import StateNotRouted
from chalicelib.model.status import Status
from tests.hosts import NS, Host

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
def host() -> Host:
    made = Host()
    made.submit(FLOW)
    made.start("f", doc="d-1")
    made.settle()
    return made


def test_a_human_step_waits_in_the_inbox_and_is_sent_nowhere(host: Host) -> None:
    (task,) = host.services.inbox.open(NS, 10)
    assert (task.run, task.step, task.states, task.args, task.approval) == (
        "r",
        "Review",
        ("AGREE", "REJECT"),
        {"doc": "d-1"},
        False,
    )
    assert task.deadline - task.since == 30 * DAY
    assert host.actions.calls == []


def test_an_answered_task_leaves_the_inbox(host: Host) -> None:
    host.clock.advance(1)
    host.answer("Review", "REJECT", data="not today")
    assert host.services.inbox.open(NS, 10) == []
    assert list(host.store.tasks.list(NS, 10)) == []
    assert host.run().tail[-1].data == "not today"


def test_an_action_that_needs_approval_is_sent_once_it_is_given(host: Host) -> None:
    host.answer("Review", "AGREE")
    host.settle()
    (task,) = host.services.inbox.open(NS, 10)
    assert (task.step, task.states, task.approval, task.args) == ("Pay", ("APPROVE", "REJECT"), True, {"x": 5})
    assert host.actions.calls == []
    with pytest.raises(StateNotRouted):
        host.answer("Pay", "PAID")
    host.answer("Pay", "APPROVE")
    host.settle()
    assert host.run().status is Status.SUCCEEDED
    assert len(host.actions.calls) == 1


def test_an_approval_that_is_refused_is_an_error_of_the_step(host: Host) -> None:
    host.answer("Review", "AGREE")
    host.answer("Pay", "REJECT", data="too dear")
    assert host.path() == ["Review", "Pay", "Review"]
    assert host.actions.calls == []


def test_the_inbox_can_be_asked_for_one_run_or_step(host: Host) -> None:
    host.clock.advance(1)
    host.start("f", "other", doc="d-2")
    assert [task.run for task in host.services.inbox.open(NS, 10)] == ["r", "other"]
    assert [task.run for task in host.services.inbox.open(NS, 10, run="other")] == ["other"]
    assert host.services.inbox.open(NS, 10, step="Pay") == []
    assert len(host.services.inbox.open(NS, 1)) == 1
