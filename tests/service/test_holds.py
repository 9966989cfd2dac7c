"""Paused actions and flows: nothing is sent, time does not count, and everything goes on when they are continued."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import pytest

from chalicelib.adapters.virtual import Script
from chalicelib.engine.events import ActionHeld
from chalicelib.engine.invocation import APPROVED
from chalicelib.hosting import assemble
from chalicelib.model.holds import HeldKind
from chalicelib.model.status import Status
from chalicelib.play.session import Play, Played, play
from chalicelib.service.errors import NotFound, TooLarge
from chalicelib.service.holds.book import MAX_AGE_MS, Holds, Pause
from chalicelib.service.holds.commands import MAX_PAUSED
from chalicelib.service.ports.actions import NotTaken
from chalicelib.service.ports.queues import QueueName
from chalicelib.service.runs.start import StartOrder
from tests.hosts import NS, Host, accept, answer_at_once

MINUTE: Final = 60_000
HOUR: Final = 60 * MINUTE

FSL: Final = """
action work addr = "http://x/"; return = (OK | BAD); action_end
/
action other addr = "http://y/"; return = (OK); action_end
/
flow f
    step One => (OK -> done | BAD -> stopped) { action = work; timeout = 10m; };
flow_end
/
flow g
    timeout = 30m;
    fork Both => (DONE -> done) {
        branch a { step A => (OK -> done) { action = work; timeout = 40m; }; };
        branch b { step B => (OK -> done) { action = other; timeout = 40m; }; };
    };
flow_end
"""

NOTICES: Final = """
action told addr = "http://z/"; return = (OK); action_end
/
flow n
    wait W => (GO -> done) { events = (GO = "go"); timeout = 10d; on_leave = told; };
flow_end
"""


def replayed(host: Host) -> Played:
    return play(host.services, NS, Play(run="r"))


def hosted(script: Script = accept) -> Host:
    host = Host(script)
    host.submit(FSL)
    return host


def pause(host: Host, name: str = "work", kind: HeldKind = HeldKind.ACTION) -> None:
    host.services.holds.pause(NS, kind, name, by="ann")


def resume(host: Host, name: str = "work", kind: HeldKind = HeldKind.ACTION) -> None:
    host.services.holds.resume(NS, kind, name)


class TestActions:
    def test_nothing_of_a_paused_action_is_sent_until_it_is_continued(self) -> None:
        host = hosted(answer_at_once)
        pause(host)
        host.start("f")
        host.pass_time(5 * MINUTE)
        assert host.actions.calls == []
        resume(host)
        host.settle()
        assert host.run().status is Status.SUCCEEDED
        assert len(host.actions.calls) == 1

    def test_a_held_delivery_uses_no_message_while_the_action_is_paused(self) -> None:
        host = hosted()
        pause(host)
        host.start("f")
        host.settle()
        due = host.queue.next_due()
        assert due is None or due[0] > host.clock.now() + 5 * MINUTE

    def test_time_does_not_count_for_a_held_delivery(self) -> None:
        host = hosted()
        pause(host)
        host.start("f")
        host.pass_time(5 * HOUR)
        assert host.run().status is Status.RUNNING
        resume(host)
        host.pass_time(10 * MINUTE - 1_000)
        assert host.run().status is Status.RUNNING
        host.pass_time(2_000)
        assert host.run().status is Status.FAILED

    def test_a_delivery_that_was_sent_before_is_not_sent_again_and_waits_as_long_as_it_had_left(self) -> None:
        host = hosted()
        host.start("f")
        host.settle()
        host.pass_time(4 * MINUTE)
        pause(host)
        host.pass_time(HOUR)
        assert host.run().status is Status.RUNNING
        resume(host)
        host.pass_time(6 * MINUTE - 1_000)
        assert host.run().status is Status.RUNNING
        host.pass_time(2_000)
        assert host.run().status is Status.FAILED
        assert len(host.actions.calls) == 1

    def test_answers_are_taken_while_the_action_is_paused(self) -> None:
        host = hosted()
        host.start("f")
        host.settle()
        pause(host)
        host.pass_time(HOUR)
        host.answer("One", "OK")
        host.settle()
        assert host.run().status is Status.SUCCEEDED

    def test_deliveries_that_failed_are_tried_again_after_the_pause(self) -> None:
        replies = iter([NotTaken("down", final=False)])
        host = hosted(lambda request: next(replies, None) or answer_at_once(request))
        host.start("f")
        host.pass_time(0)
        pause(host)
        host.pass_time(HOUR)
        assert len(host.actions.calls) == 1
        resume(host)
        host.pass_time(MINUTE)
        assert host.run().status is Status.SUCCEEDED

    def test_other_actions_go_on_and_the_run_and_its_fork_do_not_time_out(self) -> None:
        host = hosted(lambda request: answer_at_once(request) if request["stepName"] == "B" else accept(request))
        pause(host)
        host.start("g")
        host.pass_time(8 * HOUR)
        assert host.run().status is Status.RUNNING
        assert [call.addresses[0] for call in host.actions.calls] == ["http://y/"]
        resume(host)
        host.settle()
        assert len(host.actions.calls) == 2
        host.answer("A", "OK")
        host.settle()
        assert host.run().status is Status.SUCCEEDED

    def test_the_time_out_of_the_run_counts_again_after_the_pause(self) -> None:
        host = hosted()
        host.start("g")
        host.settle()
        host.answer("B", "OK")
        host.pass_time(15 * MINUTE)
        pause(host)
        host.pass_time(8 * HOUR)
        resume(host)
        host.settle()
        host.pass_time(14 * MINUTE)
        assert host.run().status is Status.RUNNING
        host.pass_time(2 * MINUTE)
        assert host.run().status is Status.FAILED

    @pytest.mark.parametrize("continues_first", ["run", "action"])
    def test_a_run_may_be_paused_at_the_same_time(self, continues_first: str) -> None:
        host = hosted()
        pause(host)
        host.start("f")
        host.pass_time(MINUTE)
        host.services.operator.pause(NS, "r")
        host.pass_time(HOUR)
        steps: list[Callable[[], object]] = [lambda: host.services.operator.resume(NS, "r"), lambda: resume(host)]
        for step in steps if continues_first == "run" else reversed(steps):
            host.pass_time(HOUR)
            step()
            host.settle()
        assert len(host.actions.calls) == 1
        host.pass_time(9 * MINUTE)
        assert host.run().status is Status.RUNNING
        host.pass_time(2 * MINUTE)
        assert host.run().status is Status.FAILED

    def test_a_retried_run_of_a_suspended_one_keeps_its_own_deadline(self) -> None:
        host = hosted()
        pause(host)
        host.start("g")
        host.settle()
        host.answer("B", "OK")
        host.pass_time(HOUR)
        host.services.operator.stop(NS, "r")
        resume(host)
        host.settle()
        host.services.operator.retry(NS, "r")
        host.settle()
        deadline = host.run().deadline
        assert deadline == host.clock.now() + 30 * MINUTE
        assert host.run().suspended_at is None

    def test_a_run_that_is_paused_while_its_delivery_is_put_off_sends_it_when_it_goes_on(self) -> None:
        host = hosted()
        pause(host)
        host.start("f")
        host.services.operator.pause(NS, "r")
        uuid = host.uuid("One")
        host.services.advancer.advance(NS, "r", lambda at, nonce: [ActionHeld(at=at, nonce=nonce, uuid=uuid, since=at)])
        for received in host.queue.receive(QueueName.DELIVERIES, 10, 0):
            host.queue.delete(QueueName.DELIVERIES, [received.receipt])
        resume(host)
        host.services.operator.resume(NS, "r")
        host.settle()
        assert len(host.actions.calls) == 1

    def test_what_is_approved_after_the_pause_is_sent_before_the_release_reaches_its_run(self) -> None:
        """The simulator found this with seed 17037: time did not count for the task, and its delivery got lost."""
        host = hosted()
        host.submit("""
            action asks addr = "http://z/"; return = (OK); approval = required; action_end
            / flow a step One => (OK -> done) { action = asks; timeout = 10m; }; flow_end
        """)
        host.start("a")
        host.settle()
        pause(host, "asks")
        host.pass_time(11 * MINUTE)
        assert host.run().suspended_at is not None
        resume(host, "asks")
        for received in host.queue.receive(QueueName.WAKES, 10, 0):
            host.queue.delete(QueueName.WAKES, [received.receipt])
        assert host.answer("One", APPROVED) == "advanced"
        host.settle()
        assert (len(host.actions.calls), host.run().suspended_at) == (1, None)

    def test_a_lost_release_is_made_up_for(self) -> None:
        host = hosted()
        pause(host)
        host.start("f")
        host.settle()
        resume(host)
        for received in host.queue.receive(QueueName.WAKES, 10, 0):
            host.queue.delete(QueueName.WAKES, [received.receipt])
        host.pass_time(16 * MINUTE)
        assert len(host.actions.calls) == 1

    def test_an_unknown_action_cannot_be_paused_or_continued(self) -> None:
        host = hosted()
        with pytest.raises(NotFound):
            pause(host, "nothing")
        with pytest.raises(NotFound):
            resume(host, "nothing")

    def test_continuing_what_is_not_paused_changes_nothing(self) -> None:
        host = hosted()
        resume(host)
        host.start("f")
        host.settle()
        assert len(host.actions.calls) == 1

    def test_another_container_follows_a_pause_after_ten_seconds(self) -> None:
        host = hosted()
        assert host.services.hold_book.of(NS).actions == {}
        other = assemble(host.services.settings, host.services.adapters)
        other.holds.pause(NS, HeldKind.ACTION, "work")
        host.clock.advance(MAX_AGE_MS - 1)
        assert host.services.hold_book.of(NS).actions == {}
        host.clock.advance(1)
        assert host.services.hold_book.of(NS).actions.keys() == {"work"}

    def test_so_many_actions_are_paused_and_no_more(self) -> None:
        host = hosted()
        full = Holds(actions={f"a{number}": Pause(0) for number in range(MAX_PAUSED)})
        host.services.hold_book.write(NS, full, 0)
        with pytest.raises(TooLarge):
            pause(host)
        host.services.hold_book.write(NS, Holds(actions=dict(list(full.actions.items())[1:])), 1)
        pause(host)

    def test_a_notice_of_a_paused_action_is_sent_after_the_pause(self) -> None:
        host = hosted()
        host.submit(NOTICES)
        host.start("n")
        host.settle()
        pause(host, "told")
        host.services.operator.stop(NS, "r")
        host.pass_time(HOUR)
        assert host.actions.calls == []
        assert len(host.run().notices) == 1
        resume(host, "told")
        host.settle()
        assert len(host.actions.calls) == 1
        assert host.run().notices == ()


class TestFlows:
    def test_new_runs_of_a_paused_flow_are_pending_until_it_is_continued(self) -> None:
        host = hosted(answer_at_once)
        pause(host, "f", HeldKind.FLOW)
        host.start("f")
        host.pass_time(HOUR)
        assert host.run().status is Status.PENDING
        assert host.actions.calls == []
        resume(host, "f", HeldKind.FLOW)
        host.settle()
        assert host.run().status is Status.SUCCEEDED

    def test_runs_that_have_begun_go_on(self) -> None:
        host = hosted()
        host.start("f")
        host.settle()
        pause(host, "f", HeldKind.FLOW)
        host.answer("One", "OK")
        host.settle()
        assert host.run().status is Status.SUCCEEDED

    def test_the_time_out_of_a_held_run_counts_from_when_it_begins(self) -> None:
        host = hosted()
        pause(host, "g", HeldKind.FLOW)
        host.start("g")
        host.pass_time(8 * HOUR)
        assert host.run().status is Status.PENDING
        resume(host, "g", HeldKind.FLOW)
        host.settle()
        assert host.run().status is Status.RUNNING
        assert host.run().deadline == host.clock.now() + 30 * MINUTE

    def test_many_held_runs_begin(self) -> None:
        host = hosted(answer_at_once)
        pause(host, "f", HeldKind.FLOW)
        for number in range(1_150):
            host.start("f", f"r{number}")
        host.settle()
        resume(host, "f", HeldKind.FLOW)
        host.settle()
        assert {host.run(f"r{number}").status for number in range(1_150)} == {Status.SUCCEEDED}

    def test_a_held_run_can_be_paused_stopped_and_retried(self) -> None:
        host = hosted()
        pause(host, "f", HeldKind.FLOW)
        host.start("f")
        host.settle()
        host.services.operator.pause(NS, "r")
        resume(host, "f", HeldKind.FLOW)
        host.settle()
        assert host.run().status is Status.PAUSED
        host.services.operator.resume(NS, "r")
        host.settle()
        assert host.run().status is Status.RUNNING
        host.services.operator.stop(NS, "r")
        host.services.operator.retry(NS, "r")
        assert host.run().status is Status.RUNNING

    def test_a_retried_run_of_a_paused_flow_is_pending_until_the_flow_is_continued(self) -> None:
        host = hosted()
        host.start("g")
        host.settle()
        host.services.operator.stop(NS, "r")
        pause(host, "g", HeldKind.FLOW)
        host.services.operator.retry(NS, "r")
        host.pass_time(HOUR)
        assert (host.run().status, len(host.actions.calls)) == (Status.PENDING, 2)
        resume(host, "g", HeldKind.FLOW)
        host.settle()
        assert (host.run().status, len(host.actions.calls)) == (Status.RUNNING, 4)
        assert host.run().deadline == host.clock.now() + 30 * MINUTE
        assert replayed(host).differs is None

    def test_a_replay_of_a_retried_run_that_waits_for_its_flow_is_pending(self) -> None:
        host = hosted()
        host.submit(
            "flow s vars = (n = 0); set One => (DONE -> Two) { save = (n = 1); };"
            " step Two => (OK -> done) { action = work; }; flow_end"
        )
        host.start("s")
        host.settle()
        host.services.operator.stop(NS, "r")
        pause(host, "s", HeldKind.FLOW)
        host.services.operator.retry(NS, "r", step="One")
        host.settle()
        found = replayed(host)
        assert (found.differs, found.run.status, host.run().status) == (None, Status.PENDING, Status.PENDING)

    def test_a_held_retry_can_be_stopped_and_retried_again(self) -> None:
        host = hosted()
        host.start("f")
        host.settle()
        host.services.operator.stop(NS, "r")
        pause(host, "f", HeldKind.FLOW)
        host.services.operator.retry(NS, "r")
        host.services.operator.stop(NS, "r")
        resume(host, "f", HeldKind.FLOW)
        host.settle()
        assert host.run().status is Status.CANCELED
        host.services.operator.retry(NS, "r")
        host.settle()
        assert (host.run().status, len(host.actions.calls)) == (Status.RUNNING, 2)


class TestDelayedStarts:
    def start(self, host: Host, at: int, flow: str = "f") -> None:
        host.services.starter.start(NS, StartOrder(flow=flow, name="r", start_at=host.clock.now() + at))

    def test_the_run_is_pending_until_then(self) -> None:
        host = hosted(answer_at_once)
        self.start(host, HOUR)
        host.pass_time(HOUR - 1_000)
        assert host.run().status is Status.PENDING
        assert host.actions.calls == []
        host.pass_time(1_000)
        assert host.run().status is Status.SUCCEEDED

    def test_a_past_moment_starts_it_at_once(self) -> None:
        host = hosted(answer_at_once)
        self.start(host, -HOUR)
        host.settle()
        assert host.run().status is Status.SUCCEEDED

    def test_its_time_out_counts_from_then(self) -> None:
        host = hosted()
        self.start(host, 5 * HOUR, "g")
        host.pass_time(5 * HOUR)
        assert host.run().status is Status.RUNNING
        assert host.run().deadline == host.clock.now() + 30 * MINUTE

    def test_it_can_be_stopped_before(self) -> None:
        host = hosted()
        self.start(host, HOUR)
        host.services.operator.stop(NS, "r")
        host.pass_time(2 * HOUR)
        assert host.run().status is Status.CANCELED
        assert host.actions.calls == []

    def test_a_pause_across_its_moment_lets_it_begin_when_it_is_continued(self) -> None:
        host = hosted()
        self.start(host, HOUR)
        host.services.operator.pause(NS, "r")
        host.pass_time(3 * HOUR)
        assert host.run().status is Status.PAUSED
        host.services.operator.resume(NS, "r")
        host.settle()
        assert host.run().status is Status.RUNNING
        assert len(host.actions.calls) == 1

    def test_a_paused_flow_holds_it_longer(self) -> None:
        host = hosted()
        self.start(host, HOUR)
        pause(host, "f", HeldKind.FLOW)
        host.pass_time(3 * HOUR)
        assert host.run().status is Status.PENDING
        resume(host, "f", HeldKind.FLOW)
        host.settle()
        assert host.run().status is Status.RUNNING
