"""Batches: commands over many runs, over a frozen set, at a rate, resumed after crashes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, TypeAlias

import pytest

from chalicelib.model.status import Status
from chalicelib.service import messages
from chalicelib.service.batches.audit import BatchAudit
from chalicelib.service.batches.collect import Collector
from chalicelib.service.batches.commands import BatchCommand, RunCommands
from chalicelib.service.batches.operator import BatchOrder
from chalicelib.service.batches.worker import MAX_BUSY, BatchWorker
from chalicelib.service.errors import Busy, NotFound
from chalicelib.service.ports.batches import Batch, BatchOutcome, BatchStatus, Result, Target
from chalicelib.service.ports.queues import QueueName, Received
from chalicelib.service.ports.runs import RunQuery
from tests.hosts import NS, Host, accept, answer_at_once

FSL: Final = """
action work addr = "http://x/"; args = (str x = "none"); return = (OK | BAD); action_end
/
flow f
    step One => (OK -> done | BAD -> stopped) { action = work; };
flow_end
/
flow waiting
    wait W => (GO -> done) { events = (GO = "go"); timeout = 10d; };
flow_end
"""
SECRET_FSL: Final = """
action told addr = "http://y/"; args = (secret str token); return = (OK); action_end
/
flow s
    input = (secret str token);
    step One => (OK -> done) { action = told; args = (token = ${ $input.token }); };
flow_end
"""
FAILED: Final = RunQuery(statuses=frozenset({Status.FAILED}))

RECEIVED_AGAIN_MS: Final = 30 * 60_000
"""Longer than until a message is received again that was not deleted."""


def hosted(script: Any = accept) -> Host:
    host = Host(script)
    host.submit(FSL)
    return host


def with_failed(count: int) -> Host:
    host = hosted(lambda request: answer_at_once({**request, "ackStates": ["BAD"]}))
    for number in range(count):
        host.start("f", f"r{number:05}")
    host.settle()
    assert all(host.run(f"r{number:05}").status is Status.FAILED for number in range(count))
    host.actions.script = answer_at_once
    host.clock.advance(1_000)
    return host


def create(host: Host, command: BatchCommand = BatchCommand.RETRY, **order: Any) -> Batch:
    order = {"query": FAILED} | order if "names" not in order else order
    return host.services.batches.create(NS, BatchOrder(command=command, **order), by="ann")


def now(host: Host, batch: Batch) -> Batch:
    return host.services.batches.get(NS, batch.id)


def results(host: Host, batch: Batch) -> list[Result]:
    found: list[Result] = []
    cursor: int | None = 0
    while cursor is not None:
        page = host.services.batches.results(NS, now(host, batch), cursor, 30)
        found, cursor = [*found, *page.results], page.cursor
    return found


class TestCommands:
    def test_every_run_that_matches_is_commanded(self) -> None:
        host = with_failed(250)
        batch = create(host)
        assert (batch.matched, batch.recorded) == (250, 0)
        host.pass_time(60_000)
        done = now(host, batch)
        assert (done.status, done.matched, done.recorded) == (BatchStatus.DONE, 250, 250)
        assert done.counts == {BatchOutcome.DONE: 250}
        assert {host.run(f"r{number:05}").status for number in range(250)} == {Status.SUCCEEDED}
        assert sorted(result.name for result in results(host, batch)) == [f"r{number:05}" for number in range(250)]

    def test_it_keeps_to_its_rate(self) -> None:
        host = with_failed(30)
        batch = create(host, rate=2.0)
        host.pass_time(4_900)
        assert now(host, batch).recorded == 10
        host.pass_time(10_000)
        assert now(host, batch).status is BatchStatus.DONE

    def test_less_than_one_a_second(self) -> None:
        host = with_failed(3)
        batch = create(host, rate=0.1)
        host.pass_time(9_000)
        assert now(host, batch).recorded == 1
        host.pass_time(11_000)
        assert now(host, batch).status is BatchStatus.DONE

    def test_runs_that_match_later_do_not_slip_in(self) -> None:
        host = with_failed(3)
        host.actions.script = accept
        host.start("f", "late")
        host.settle()
        batch = create(host, rate=1.0)
        host.clock.advance(1)
        host.answer("One", "BAD", "late")
        host.pass_time(60_000)
        assert now(host, batch).matched == 3
        assert host.run("late").status is Status.FAILED

    def test_a_run_that_fails_while_runs_are_collected_does_not_slip_in(self) -> None:
        host = with_failed(5)
        host.actions.script = accept
        host.start("f", "a-late-one")
        host.settle()
        batch = Batch(
            id="b",
            command="retry",
            query=FAILED,
            rate=1.0,
            created_at=host.clock.now(),
            updated_at=0,
            expires_at=1 << 50,
        )
        host.clock.advance(1)
        host.answer("One", "BAD", "a-late-one")
        found = Collector(host.services.reader.listing, host.store.batches, host.clock).collect(NS, batch, 1 << 50)
        assert found.matched == 5

    def test_what_is_refused_says_why(self) -> None:
        host = with_failed(2)
        host.start("f", "good")
        host.settle()
        batch = create(host, names=("r00000", "good", "nothing", "r00000"))
        host.pass_time(5_000)
        assert results(host, batch) == [
            Result("r00000", BatchOutcome.DONE),
            Result("good", BatchOutcome.REFUSED, "run 'good' is succeeded: it cannot retry"),
            Result("nothing", BatchOutcome.MISSING),
        ]
        assert now(host, batch).counts == {BatchOutcome.DONE: 1, BatchOutcome.REFUSED: 1, BatchOutcome.MISSING: 1}

    def test_only_wanted_outcomes_are_returned(self) -> None:
        host = with_failed(1)
        names = tuple(f"x{number}" for number in range(220))
        batch = create(host, names=(*names, "r00000"), rate=1_000.0)
        host.pass_time(5_000)
        wanted = frozenset({BatchOutcome.DONE})
        page = host.services.batches.results(NS, now(host, batch), 0, 30, wanted)
        assert [result.name for result in page.results] == ["r00000"]

    @pytest.mark.parametrize(
        ("command", "flow", "status", "args"),
        [
            (BatchCommand.PAUSE, "waiting", Status.PAUSED, {}),
            (BatchCommand.STOP, "waiting", Status.CANCELED, {"reason": "over"}),
            (BatchCommand.SIGNAL, "waiting", Status.SUCCEEDED, {"name": "go", "data": 1}),
        ],
    )
    def test_other_commands(self, command: BatchCommand, flow: str, status: Status, args: dict[str, Any]) -> None:
        host = hosted()
        for number in range(3):
            host.start(flow, f"r{number}")
        host.settle()
        batch = create(host, command, query=RunQuery(flow=flow), args=args)
        host.pass_time(5_000)
        assert now(host, batch).counts == {BatchOutcome.DONE: 3}
        assert {host.run(f"r{number}").status for number in range(3)} == {status}
        if command is BatchCommand.PAUSE:
            create(host, BatchCommand.CONTINUE, query=RunQuery(statuses=frozenset({Status.PAUSED})))
            host.pass_time(5_000)
            assert {host.run(f"r{number}").status for number in range(3)} == {Status.RUNNING}

    def test_runs_are_deleted(self) -> None:
        host = with_failed(3)
        batch = create(host, BatchCommand.DELETE)
        host.pass_time(5_000)
        assert now(host, batch).counts == {BatchOutcome.DONE: 3}
        with pytest.raises(NotFound):
            host.run("r00000")

    def test_runs_move_to_another_version(self) -> None:
        host = hosted()
        for number in range(3):
            host.start("f", f"r{number}")
        host.settle()
        host.submit(FSL.replace("BAD -> stopped", "BAD -> done"))
        host.pass_time(5_000)
        batch = create(host, BatchCommand.MIGRATE, query=RunQuery(flow="f"), args={"version": "latest"})
        host.pass_time(5_000)
        assert now(host, batch).counts == {BatchOutcome.DONE: 3}
        assert host.run("r0").definition.version == 2

    def test_values_that_may_be_secret_are_stored_encrypted(self) -> None:
        host = hosted()
        host.submit(SECRET_FSL)
        host.start("s", token="t0p")
        host.services.operator.stop(NS, "r")
        args: dict[str, Any] = {"input": {"token": "br4nd new"}, "reason": "leaked"}
        batch = create(host, names=("r",), args=args)
        assert batch.args["reason"] == "leaked"
        assert "br4nd" not in str(host.store.batches.load(NS, batch.id))
        host.pass_time(5_000)
        assert now(host, batch).counts == {BatchOutcome.DONE: 1}
        assert host.actions.requests[-1]["token"] == "br4nd new"

    def test_the_history_says_who_commanded_the_runs(self) -> None:
        host = with_failed(1)
        batch = create(host)
        host.pass_time(5_000)
        entries = host.services.reader.history(NS, "r00000", 0, 100)
        assert [entry.by for entry in entries if entry.event == "RunRetried"] == [f"batch {batch.id} of ann"]


class TestDryRuns:
    def test_a_dry_run_says_what_would_be_refused_at_once_and_changes_nothing(self) -> None:
        host = with_failed(2)
        host.start("f", "good")
        host.settle()
        versions = {name: host.run(name).version for name in ("r00000", "r00001", "good")}
        batch = create(host, names=("r00000", "r00001", "good"), dry_run=True, args={"step": "Two"})
        assert batch.status is BatchStatus.DONE
        assert [result.outcome for result in results(host, batch)] == [BatchOutcome.REFUSED] * 3
        batch = create(host, names=("r00000", "r00001", "good"), dry_run=True)
        assert batch.counts == {BatchOutcome.WOULD: 2, BatchOutcome.REFUSED: 1}
        host.pass_time(60_000)
        assert {name: host.run(name).version for name in versions} == versions

    @pytest.mark.parametrize(
        ("command", "args", "would"),
        [
            (BatchCommand.DELETE, {}, 1),
            (BatchCommand.SIGNAL, {"name": "go"}, 1),
            (BatchCommand.PAUSE, {}, 1),
            (BatchCommand.STOP, {}, 1),
            (BatchCommand.CONTINUE, {}, 1),
        ],
    )
    def test_of_every_command(self, command: BatchCommand, args: dict[str, Any], would: int) -> None:
        host = with_failed(1)
        host.start("waiting", "w")
        host.settle()
        batch = create(host, command, names=("r00000", "w"), args=args, dry_run=True)
        host.pass_time(60_000)
        assert now(host, batch).counts == {BatchOutcome.WOULD: would, BatchOutcome.REFUSED: 1}
        assert (host.run("r00000").status, host.run("w").status) == (Status.FAILED, Status.RUNNING)


class TestStopping:
    def test_a_stopped_batch_commands_no_more_runs(self) -> None:
        host = with_failed(20)
        batch = create(host, rate=1.0)
        host.pass_time(4_500)
        stopped = host.services.batches.stop(NS, batch.id)
        assert (stopped.status, stopped.recorded) == (BatchStatus.STOPPED, 5)
        host.pass_time(60_000)
        assert now(host, batch).recorded == 5
        assert host.services.batches.stop(NS, batch.id).status is BatchStatus.STOPPED

    def test_a_stopped_batch_continues_with_the_runs_that_are_left(self) -> None:
        host = with_failed(20)
        batch = create(host, rate=1.0)
        host.pass_time(4_500)
        stop(host, batch)
        host.pass_time(60_000)
        resumed = host.services.batches.resume(NS, batch.id)
        assert (resumed.status, resumed.recorded, resumed.ended_at) == (BatchStatus.RUNNING, 5, None)
        host.pass_time(60_000)
        after = now(host, batch)
        assert (after.status, after.recorded, after.counts) == (BatchStatus.DONE, 20, {BatchOutcome.DONE: 20})
        assert len({one.name for one in results(host, batch)}) == 20
        assert host.services.batches.resume(NS, batch.id) == after

    def test_an_unknown_batch(self) -> None:
        host = hosted()
        with pytest.raises(NotFound):
            host.services.batches.get(NS, "nothing")
        with pytest.raises(NotFound):
            host.services.batches.stop(NS, "nothing")
        with pytest.raises(NotFound):
            host.services.batches.resume(NS, "nothing")

    def test_a_batch_is_forgotten_after_30_days(self) -> None:
        host = with_failed(1)
        batch = create(host)
        host.pass_time(30 * 24 * 60 * 60_000)
        assert host.services.batches.list(NS, 10, "") == []
        with pytest.raises(NotFound):
            now(host, batch)

    def test_batches_are_listed_newest_first(self) -> None:
        host = with_failed(1)
        made = []
        for _ in range(3):
            made.append(create(host).id)
            host.pass_time(1_000)
        assert [batch.id for batch in host.services.batches.list(NS, 2, "")] == made[:0:-1]
        assert [batch.id for batch in host.services.batches.list(NS, 2, made[1])] == made[:1]


class Crash(BaseException):
    """The process ends."""


Before: TypeAlias = Callable[[Target], None]
Unseen: TypeAlias = Callable[[Target], bool]


class Watched(RunCommands):
    """Calls a function before each run is commanded. Where `is_unseen`, the command seems to fail after it was done."""

    def __init__(self, host: Host, before: Before, is_unseen: Unseen) -> None:
        services = host.services
        super().__init__(services.runs, services.operator, services.operator, services.signaler, services.secrets)
        self._before = before
        self._is_unseen = is_unseen

    def execute(self, namespace: str, batch: Batch, target: Target, *, repeats: bool) -> Result:
        self._before(target)
        result = super().execute(namespace, batch, target, repeats=repeats)
        if self._is_unseen(target):
            raise Busy("the store did not answer in time")
        return result


def work_with(host: Host, before: Before, is_unseen: Unseen = lambda _: False) -> None:
    """Handle the next message of a batch with a worker that calls the function before each run."""
    services, store = host.services, host.store
    collector = Collector(services.reader.listing, store.batches, host.clock)
    worker = BatchWorker(
        store.batches,
        collector,
        Watched(host, before, is_unseen),
        BatchAudit(is_open=True),
        host.queue,
        host.clock,
        services.adapters.ids,
    )
    received, message = next_slice(host)
    assert worker.work(message) is None
    host.queue.delete(QueueName.WAKES, [received.receipt])


def next_slice(host: Host) -> tuple[Received, messages.RunBatch]:
    """Receive the next message of a batch, and handle those of runs before it."""
    while True:
        (received,) = host.queue.receive(QueueName.WAKES, 1, 0)
        message = messages.decode(received.body)
        if isinstance(message, messages.RunBatch):
            return received, message
        host.handle(message)
        host.queue.delete(QueueName.WAKES, [received.receipt])


def crash_after(host: Host, count: int) -> None:
    """Let the process end after so many runs were commanded: nothing of what follows happens."""
    left = [count]

    def dying(_target: Target) -> None:
        if not left[0]:
            raise Crash
        left[0] -= 1

    with pytest.raises(Crash):
        work_with(host, dying)
    host.rebuild()


class TestCrashes:
    @pytest.mark.parametrize("after", [0, 3, 9])
    def test_a_slice_is_repeated_and_no_run_is_commanded_twice(self, after: int) -> None:
        host = with_failed(10)
        host.actions.script = lambda request: answer_at_once({**request, "ackStates": ["BAD"]})
        batch = create(host)
        crash_after(host, after)
        host.pass_time(RECEIVED_AGAIN_MS)
        assert now(host, batch).status is BatchStatus.DONE
        assert now(host, batch).counts == {BatchOutcome.DONE: 10}
        for number in range(10):
            entries = host.services.reader.history(NS, f"r{number:05}", 0, 1_000)
            assert sum(entry.event == "RunRetried" for entry in entries) == 1

    @pytest.mark.parametrize("after", [0, 1, 5])
    def test_a_batch_that_is_stopped_and_continued_after_a_crash_commands_each_run_once(self, after: int) -> None:
        host = with_failed(10)
        host.actions.script = lambda request: answer_at_once({**request, "ackStates": ["BAD"]})
        batch = create(host)
        crash_after(host, after)
        stop(host, batch)
        assert host.services.batches.resume(NS, batch.id).status is BatchStatus.RUNNING
        host.pass_time(RECEIVED_AGAIN_MS)
        assert (now(host, batch).status, now(host, batch).counts) == (BatchStatus.DONE, {BatchOutcome.DONE: 10})
        for number in range(10):
            entries = host.services.reader.history(NS, f"r{number:05}", 0, 1_000)
            assert sum(entry.event == "RunRetried" for entry in entries) == 1

    def test_a_deleted_run_is_done_when_its_slice_is_repeated(self) -> None:
        host = with_failed(4)
        batch = create(host, BatchCommand.DELETE)
        crash_after(host, 2)
        host.pass_time(RECEIVED_AGAIN_MS)
        assert now(host, batch).counts == {BatchOutcome.DONE: 4}

    def test_a_run_is_missing_and_not_done_when_a_dry_run_of_a_deletion_is_repeated(self) -> None:
        host = with_failed(1)
        target = Target("r00000", host.run("r00000").id)
        host.services.operator.delete_run(NS, "r00000")
        batch = Batch(id="b", command="delete", dry_run=True, rate=1.0, created_at=0, updated_at=0, expires_at=1 << 50)
        result = Watched(host, lambda _: None, lambda _: False).execute(NS, batch, target, repeats=True)
        assert result == Result("r00000", BatchOutcome.MISSING)

    def test_a_message_that_comes_twice_does_nothing_twice(self) -> None:
        host = with_failed(6)
        host.actions.script = lambda request: answer_at_once({**request, "ackStates": ["BAD"]})
        batch = create(host, rate=1.0)
        for received in host.queue.receive(QueueName.WAKES, 1, 0):
            host.queue.defer(QueueName.WAKES, received.receipt, 0)
            host.queue.send(QueueName.WAKES, [received.body] * 3)
        host.pass_time(120_000)
        assert now(host, batch).counts == {BatchOutcome.DONE: 6}
        for number in range(6):
            entries = host.services.reader.history(NS, f"r{number:05}", 0, 1_000)
            assert sum(entry.event == "RunRetried" for entry in entries) == 1

    def test_a_message_without_a_batch_is_dropped_in_the_end(self) -> None:
        host = hosted()
        message = messages.RunBatch(namespace=NS, sent_at=host.clock.now(), version=1, batch="x")
        assert host.handle(message) is not None
        host.clock.advance(3_600_000)
        assert host.handle(message) is None

    def test_a_busy_run_is_tried_again_and_then_left_out(self) -> None:
        host = with_failed(3)
        batch = create(host)

        def busy(target: Target) -> None:
            if target.name == "r00001":
                raise Busy("the store is slow")

        for _ in range(MAX_BUSY):
            work_with(host, busy)
            host.clock.advance(60_000)
        host.pass_time(120_000)
        assert now(host, batch).counts == {BatchOutcome.DONE: 2, BatchOutcome.BUSY: 1}
        assert Result("r00001", BatchOutcome.BUSY, "the store is slow") in results(host, batch)

    def test_a_stop_while_a_slice_is_worked_on_keeps_its_results(self) -> None:
        host = with_failed(4)
        batch = create(host)
        work_with(host, lambda _: stop(host, batch))
        host.pass_time(60_000)
        assert (now(host, batch).status, now(host, batch).recorded) == (BatchStatus.STOPPED, 4)

    def test_a_batch_that_is_stopped_and_continued_while_a_slice_is_worked_on_goes_on(self) -> None:
        host = with_failed(60)
        batch = create(host)

        def hasten(_: Target) -> None:
            stop(host, batch)
            host.services.batches.resume(NS, batch.id)

        work_with(host, hasten)
        host.pass_time(120_000)
        after = now(host, batch)
        assert (after.status, after.recorded, after.counts) == (BatchStatus.DONE, 60, {BatchOutcome.DONE: 60})


class TestWritesThatSeemToFail:
    """The store writes a run and then fails: the run seems busy, and is tried again by a later slice."""

    def test_a_run_that_was_paused_and_then_continued_is_not_paused_again(self) -> None:
        host, batch = paused_by_batch(1)
        work_with(host, lambda _: None, lambda target: target.name == "r0")
        assert (host.run("r0").status, now(host, batch).recorded) == (Status.PAUSED, 0)
        host.services.operator.resume(NS, "r0")
        host.pass_time(60_000)
        assert (now(host, batch).status, now(host, batch).counts) == (BatchStatus.DONE, {BatchOutcome.DONE: 1})
        assert (host.run("r0").status, pauses(host, "r0")) == (Status.RUNNING, 1)

    def test_also_if_the_batch_is_stopped_and_continued_meanwhile(self) -> None:
        host, batch = paused_by_batch(1)
        work_with(host, lambda _: None, lambda target: target.name == "r0")
        stop(host, batch)
        host.services.operator.resume(NS, "r0")
        host.services.batches.resume(NS, batch.id)
        host.pass_time(60_000)
        assert now(host, batch).counts == {BatchOutcome.DONE: 1}
        assert (host.run("r0").status, pauses(host, "r0")) == (Status.RUNNING, 1)

    def test_runs_of_a_crashed_slice_that_its_repetition_did_not_reach_are_not_commanded_again(self) -> None:
        host, batch = paused_by_batch(5)
        crash_after(host, 4)
        for number in range(4):
            host.services.operator.resume(NS, f"r{number}")
        host.clock.advance(RECEIVED_AGAIN_MS)

        def busy(target: Target) -> None:
            if target.name == "r1":
                raise Busy("the store is slow")

        work_with(host, busy)
        assert now(host, batch).recorded < 4
        host.pass_time(60_000)
        assert (now(host, batch).status, now(host, batch).counts) == (BatchStatus.DONE, {BatchOutcome.DONE: 5})
        assert [pauses(host, f"r{number}") for number in range(5)] == [1] * 5

    def test_a_run_that_was_deleted_is_done(self) -> None:
        host = with_failed(2)
        batch = create(host, BatchCommand.DELETE)
        work_with(host, lambda _: None, lambda _: True)
        host.pass_time(60_000)
        assert now(host, batch).counts == {BatchOutcome.DONE: 2}

    def test_the_run_after_a_busy_one_that_others_deleted_is_missing(self) -> None:
        host = with_failed(3)
        batch = create(host, BatchCommand.DELETE)
        first = host.store.batches.targets(NS, batch.id, 0)[0].name
        other = host.store.batches.targets(NS, batch.id, 0)[1].name
        work_with(host, lambda _: None, lambda target: target.name == first)
        host.services.operator.delete_run(NS, other)
        host.pass_time(60_000)
        assert now(host, batch).counts == {BatchOutcome.DONE: 2, BatchOutcome.MISSING: 1}


def paused_by_batch(count: int) -> tuple[Host, Batch]:
    """Return a host with so many runs, and the batch that pauses them and has not begun."""
    host = hosted()
    for number in range(count):
        host.start("waiting", f"r{number}")
    host.settle()
    host.clock.advance(1_000)
    return host, create(host, BatchCommand.PAUSE, query=RunQuery(flow="waiting"))


def pauses(host: Host, name: str) -> int:
    return sum(entry.event == "RunPaused" for entry in host.services.reader.history(NS, name, 0, 1_000))


def stop(host: Host, batch: Batch) -> None:
    host.services.batches.stop(NS, batch.id)
