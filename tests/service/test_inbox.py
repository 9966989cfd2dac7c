"""The inbox: tasks and approvals that wait for a person."""

from __future__ import annotations

import pytest

from chalicelib.engine.errors import StateNotRouted
from chalicelib.model.json_values import Json
from chalicelib.model.status import Status
from chalicelib.service.inbox import MAX_EXAMINED, TaskQuery
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


@pytest.mark.parametrize(("given", "shown"), [({"doc": None}, {"doc": None}), ("d-1", {"value": "d-1"})])
def test_a_person_is_given_one_value(given: Json, shown: dict[str, Json]) -> None:
    host = Host()
    host.submit("""
        action sign method = human; args = any; return = (SIGNED); action_end
        /
        flow f input = (any doc); step Sign => (SIGNED -> done) { action = sign; args = ${ $input.doc }; }; flow_end
    """)
    host.start("f", doc=given)
    host.settle()
    (task,) = host.services.inbox.open(NS, 10)
    assert task.args == shown
    host.answer("Sign", "SIGNED")
    assert host.run().status is Status.SUCCEEDED


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


def test_a_page_looks_at_so_many_tasks_and_no_more(host: Host) -> None:
    for number in range(MAX_EXAMINED):
        host.start("f", f"r-{number}", doc="d")
    query = TaskQuery(labels=[("shop", "north")])
    page = host.services.inbox.page(NS, 10, query)
    assert (page.tasks, page.last is None) == ([], False)
    page = host.services.inbox.page(NS, 10, TaskQuery(labels=query.labels, after=page.last))
    assert (page.tasks, page.last) == ([], None)


def test_the_tasks_of_one_run_are_found_behind_any_number_of_others(host: Host) -> None:
    for number in range(MAX_EXAMINED):
        host.start("f", f"r-{number}", doc="d")
    page = host.services.inbox.page(NS, 10, TaskQuery(run=f"r-{MAX_EXAMINED - 1}"))
    assert [(task.run, task.step) for task in page.tasks] == [(f"r-{MAX_EXAMINED - 1}", "Review")]


def test_a_task_is_found_by_its_activation_and_nothing_is_removed(host: Host) -> None:
    uuid = host.uuid("Review")
    task = host.services.inbox.find(NS, "r", uuid)
    assert task is not None
    assert (task.step, task.flow) == ("Review", "f")
    host.answer("Review", "AGREE")
    host.clock.advance(1)
    stored = list(host.store.tasks.list(NS, 10))
    assert host.services.inbox.find(NS, "r", uuid) is None
    assert host.services.inbox.find(NS, "none", uuid) is None
    assert list(host.store.tasks.list(NS, 10)) == stored
