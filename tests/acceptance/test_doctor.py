"""The doctor finds runs that are stuck and repairs them; `fsl doctor` shows its report."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from click.testing import CliRunner

from chalicelib.model.holds import HeldKind
from chalicelib.service import messages
from chalicelib.service.batches.commands import BatchCommand
from chalicelib.service.batches.operator import BatchOrder
from chalicelib.service.doctor.examine import Doctor
from chalicelib.service.doctor.findings import MAX_DETAIL_CHARS, Finding, FindingKind, Report
from chalicelib.service.messages import Deliver
from chalicelib.service.ports.actions import NotTaken, Reply, Taken
from chalicelib.service.ports.batches import BatchStatus
from chalicelib.service.ports.queues import QueueName
from chalicelib.service.ports.runs import RunQuery
from chalicelib.service.ports.tasks import Task
from fsl.cli.server.doctor import doctor as command
from tests.acceptance.actions import Actions
from tests.acceptance.api import Api
from tests.acceptance.fsl import action, flow, step
from tests.hosts import NS, Host

HOUR = 3_600_000
WORK = action("work", "http://work.test/")
WAITS = flow("waits", step("A", "work", "OK -> done | TIMEOUT -> stopped", more="timeout = 1h;"))


def takes(_: dict[str, Any]) -> Reply:
    return Taken()


def doctor_of(host: Host) -> Doctor:
    return host.services.doctor


def examine(host: Host, *, silent: int | None = None, repair: bool = False) -> Report:
    return doctor_of(host).examine(NS, 1_000, silent=silent, repair=repair)


def only(report: Report) -> Finding:
    (found,) = report.findings
    return found


def lose(host: Host) -> None:
    """Delete all messages in the queues."""
    for queue in QueueName:
        host.clock.advance(16 * 60_000)
        while lost := host.queue.receive(queue, 10, 0):
            host.queue.delete(queue, [message.receipt for message in lost])


def host_with(*statements: str, script: Callable[[dict[str, Any]], Reply] = takes) -> Host:
    host = Host(script)
    for statement in statements:
        host.submit(statement)
    return host


def test_runs_that_wait_within_their_time_are_not_reported() -> None:
    host = host_with(WORK, WAITS)
    host.start("waits")
    host.settle()
    assert examine(host) == Report((), 1, True)
    assert examine(host, silent=HOUR) == Report((), 1, True)


def test_an_overdue_timer_is_fired(caplog: pytest.LogCaptureFixture) -> None:
    host = host_with(WORK, WAITS)
    host.start("waits")
    host.settle()
    host.clock.advance(HOUR + 61_000)
    found = only(examine(host))
    assert (found.kind, found.run, found.step, found.repaired) == (FindingKind.OVERDUE_TIMER, "r", "A", False)
    assert host.run().status == "running"
    with caplog.at_level(logging.WARNING, "echoer.doctor"):
        assert only(examine(host, repair=True)).repaired
    assert "its timer did not fire; its message was sent again" in caplog.text
    host.settle()
    assert host.path() == ["A", "stopped"]
    assert only(examine(host)).kind is FindingKind.FAILED_RUN


def test_a_delivery_whose_message_is_lost_is_sent_again() -> None:
    replies: Iterator[Reply] = iter([NotTaken("no power", final=False), Taken({"ackState": "OK"})])
    host = host_with(WORK, WAITS, script=lambda _: next(replies))
    host.start("waits")
    host.services.deliverer.deliver(_deliveries(host))
    lose(host)
    found = only(examine(host, repair=True))
    assert (found.kind, found.detail, found.repaired) == (
        FindingKind.OVERDUE_DELIVERY,
        "attempt 2 of its delivery is overdue",
        True,
    )
    host.settle()
    assert host.run().status == "succeeded"


def _deliveries(host: Host) -> list[Deliver]:
    """Receive and delete all messages in the queue of deliveries."""
    received = host.queue.receive(QueueName.DELIVERIES, 10, 0)
    host.queue.delete(QueueName.DELIVERIES, [one.receipt for one in received])
    found = [messages.decode(one.body) for one in received]
    return [message for message in found if isinstance(message, Deliver)]


def test_a_silent_activation_is_delivered_again_on_request() -> None:
    """After the loss of its message it looks like an activation in progress: it is reported only with `silent`."""
    host = host_with(WORK, WAITS, script=lambda _: Taken({"ackState": "OK"}))
    host.start("waits")
    lose(host)
    assert examine(host).findings == ()
    found = only(examine(host, silent=600_000, repair=True))
    assert (found.kind, found.uuid, found.repaired) == (FindingKind.SILENT_STEP, host.uuid("A"), True)
    host.settle()
    assert host.run().status == "succeeded"


def test_a_wait_whose_event_was_lost_is_woken() -> None:
    host = host_with(flow("pays", 'wait Pay => (PAID -> done) { events = (PAID = "paid"); };'))
    host.start("pays")
    host.services.signaler.publish(NS, "paid")
    lose(host)
    assert only(examine(host, silent=600_000, repair=True)).repaired
    host.settle()
    assert host.run().status == "succeeded"


def test_a_parent_is_notified_of_an_ended_child() -> None:
    host = host_with(
        WORK,
        flow("inner", step("A", "work", "OK -> done")),
        flow("outer", "call In => (DONE -> done | STOPPED -> stopped) { flow = inner; };"),
    )
    host.start("outer")
    host.settle()
    views, _ = host.services.reader.views(NS, RunQuery())
    child = next(view.run.name for view in views if view.run.parent)
    host.answer("A", "OK", name=child)
    lose(host)
    found = only(examine(host, repair=True))
    assert (found.kind, found.step, found.repaired) == (FindingKind.ENDED_CHILD, "In", True)
    host.settle()
    assert host.run().status == "succeeded"


def test_a_dead_letter_is_shown_and_sent_again() -> None:
    host = host_with(WORK, WAITS, script=lambda _: Taken({"ackState": "OK"}))
    host.start("waits")
    (letter,) = _deliveries(host)
    host.queue.send(QueueName.DEAD, [messages.encode(letter), "no hint at all"])
    found = only(examine(host))
    assert (found.kind, found.run, found.uuid) == (FindingKind.DEAD_LETTER, "r", host.uuid("A"))
    assert only(examine(host, repair=True)).repaired
    assert examine(host).findings == ()
    host.queue.delete(QueueName.DEAD, [left.receipt for left in host.queue.receive(QueueName.DEAD, 10, 0)])
    host.settle()
    assert host.run().status == "succeeded"


def test_a_task_of_a_run_that_is_over_is_removed() -> None:
    host = host_with(
        "action ask method = human; return = (YES | NO); action_end", flow("asks", step("A", "ask", "YES -> done"))
    )
    host.start("asks")
    task = host.store.tasks.list(NS, 10)[0]
    host.clock.advance(1_000)
    host.answer("A", "YES")
    host.store.tasks.put(NS, task)
    assert examine(host).findings == ()  # a task that was answered is no problem
    assert examine(host, repair=True).findings == ()
    assert host.store.tasks.list(NS, 10) == []


def test_a_task_of_a_run_that_is_gone_is_reported_and_removed() -> None:
    host = host_with("action ask method = human; return = (YES | NO); action_end")
    host.store.tasks.put(NS, Task(run="gone", uuid="u", since=host.clock.now(), until=host.clock.now() + 10**9))
    assert examine(host).findings == ()  # its run may be about to be written
    host.clock.advance(120_000)
    assert only(examine(host)).kind is FindingKind.ORPHANED_TASK
    assert only(examine(host, repair=True)).repaired
    assert host.store.tasks.list(NS, 10) == []


def test_what_is_paused_is_reported() -> None:
    host = host_with(WORK, WAITS)
    host.services.holds.pause(NS, HeldKind.ACTION, "work", by="ann")
    found = only(examine(host))
    assert (found.kind, found.since) == (FindingKind.PAUSED, host.clock.now())
    assert "'work' was paused by ann" in found.detail
    host.services.holds.resume(NS, HeldKind.ACTION, "work")
    assert examine(host).findings == ()


def test_what_a_paused_action_holds_is_not_reported_for_each_run() -> None:
    host = host_with(WORK, WAITS)
    host.services.holds.pause(NS, HeldKind.ACTION, "work")
    host.start("waits")
    host.pass_time(5 * HOUR)
    assert only(examine(host, silent=1)).kind is FindingKind.PAUSED


def test_a_batch_whose_message_was_lost_is_reported_and_goes_on() -> None:
    host = host_with(WORK, WAITS)
    host.settle()
    order = BatchOrder(command=BatchCommand.STOP, names=("nothing",))
    batch = host.services.batches.create(NS, order)
    for received in host.queue.receive(QueueName.WAKES, 10, 0):
        host.queue.delete(QueueName.WAKES, [received.receipt])
    assert examine(host).findings == ()
    host.clock.advance(600_000)
    assert only(examine(host, repair=True)).kind is FindingKind.STALLED_BATCH
    host.settle()
    assert host.services.batches.get(NS, batch.id).status is BatchStatus.DONE


@pytest.mark.parametrize("more", [0, 1])
def test_a_long_error_is_shortened(more: int) -> None:
    """An error may have 32 KB, and a report lists the last 100 failed runs."""
    cause = MAX_DETAIL_CHARS - len("Broken: ") + more
    route = f'DONE -> stopped (error = "Broken", cause = ${{ $pad("", {cause}, "c") }})'
    host = host_with(f"flow f wait W => ({route}) {{ for = 1ms; }}; flow_end")
    host.start("f")
    host.pass_time(1)
    detail = only(examine(host)).detail
    assert len(detail) == MAX_DETAIL_CHARS
    assert detail.endswith("…" if more else "c")


def test_a_paused_run_is_not_reported() -> None:
    host = host_with(WORK, WAITS)
    host.start("waits")
    host.services.operator.pause(NS, "r")
    host.clock.advance(100 * HOUR)
    assert examine(host, silent=1).findings == ()


def test_the_number_of_examined_runs_is_limited() -> None:
    host = host_with(WORK, WAITS)
    for number in range(5):
        host.start("waits", name=f"r{number}")
    report = doctor_of(host).examine(NS, 3)
    assert (report.looked_at, report.complete) == (3, False)


def test_the_command(api: Api, actions: Actions, name: str) -> None:
    """`fsl doctor --repair` sends a delivery again over HTTP."""
    service = actions.serve()
    api.submit(action(name, service.url), flow(name, step("A", name)))
    run = api.start(name)
    service.wait()
    env = {"ECHOER_TOKEN": api.token}

    def fsl(*words: str) -> tuple[int, Any]:
        result = CliRunner(env=env).invoke(command, ["--server", api.url, "--json", *words])
        return result.exit_code, json.loads(result.stdout)

    code, report = fsl("--silent", "0s")
    mine = [found for found in report["findings"] if found["run"] == run]
    assert (code, [(found["ailment"], found["cured"]) for found in mine]) == (1, [("silent", False)])
    _, report = fsl("--silent", "0s", "--repair")
    assert [found["cured"] for found in report["findings"] if found["run"] == run] == [True]
    first, second = service.wait(2)
    assert first.uuid == second.uuid
    assert api.outcome(second.answer("OK")) == "advanced"
    assert api.ended(run)["status"] == "succeeded"
    shown = CliRunner(env=env).invoke(command, ["--server", api.url])
    assert "Traceback" not in shown.output
    assert api.refusal("GET", "/doctor?silent=soon")[0] == 400
