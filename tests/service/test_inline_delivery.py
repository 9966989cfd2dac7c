"""Inline delivery: the worker that commits an answer delivers the run's next action itself."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from msgspec.structs import replace

from chalicelib import hosting
from chalicelib.adapters.memory import MemoryQueue
from chalicelib.config import Backend
from chalicelib.entrypoints import workers
from chalicelib.hosting.virtual import IN_MEMORY
from chalicelib.model.run import Run
from chalicelib.model.status import Status
from chalicelib.service import messages
from chalicelib.service.deliveries.inline import MAX_DELIVERIES, NET_DELAY_MS
from chalicelib.service.errors import Busy, Conflict
from chalicelib.service.messages import Deliver
from chalicelib.service.ports.actions import NotTaken, Reply, Taken
from chalicelib.service.ports.queues import QueueName
from tests.entrypoints.gateway import sqs_event
from tests.hosts import NS, Host, accept, answer_at_once

ON = replace(IN_MEMORY, inline_delivery=True)
ON_AWS = replace(ON, backend=Backend.AWS)

WORK = """
action work addr = "http://work.test/"; args = (any x = 1); return = (OK | AGAIN | FAIL); action_end
/
action slow addr = "http://slow.test/"; return = (OK); action_end
/
action direct addr = "http://direct.test/"; callback = none; reply_timeout = 100s; return = (OK); action_end
/
action limited addr = "http://limited.test/"; return = (OK); limit = (concurrent = 1); action_end
/
action guarded addr = "http://guarded.test/"; return = (OK); breaker = (failures = 2, pause = 1m); action_end
/
"""

FLOW = """
flow f
    step A => (OK -> B) { action = work; };
    step B => (OK -> C) { action = work; };
    step C => (OK -> done) { action = work; };
flow_end
"""


class Machine(Host):
    """A host with inline delivery, whose queue can be one that cannot change messages."""

    def __init__(self, *, is_aws: bool = False, script: Callable[[dict[str, Any]], Reply] = answer_at_once) -> None:
        super().__init__(script, settings=ON_AWS if is_aws else ON)
        if is_aws:
            self.queue.hand_on = lambda *_: False  # type: ignore[method-assign]
        self.submit(WORK + FLOW)
        hosting.use(self.services)

    def steps_sent(self) -> list[str]:
        return [request["stepName"] for request in self.actions.requests]

    def late(self) -> list[Deliver]:
        """Return the messages in the queue of deliveries that are not due yet."""
        found = self.queue._queues[QueueName.DELIVERIES].values()
        decoded = [messages.decode(one.body) for one in found if one.visible_at > self.clock.now()]
        return [one for one in decoded if isinstance(one, Deliver)]


def test_one_message_delivers_a_run_to_its_end_and_is_deleted() -> None:
    host = Machine()
    host.start("f")
    assert host.work() == []
    assert host.run().status is Status.SUCCEEDED
    assert host.steps_sent() == ["A", "B", "C"]
    assert host.queue.sent == 1
    assert host.late() == []


def test_nothing_is_inline_where_it_is_switched_off() -> None:
    host = Host(answer_at_once)
    host.submit(WORK + FLOW)
    hosting.use(host.services)
    host.start("f")
    host.work()
    assert [request["stepName"] for request in host.actions.requests] == ["A"]


def test_the_message_asks_for_what_is_being_delivered_if_the_worker_fails() -> None:
    host = Machine()
    host.start("f")

    def crash_at_b(request: dict[str, Any]) -> Reply:
        if request["stepName"] == "B":
            raise KeyboardInterrupt
        return answer_at_once(request)

    host.actions.script = crash_at_b
    with pytest.raises(KeyboardInterrupt):
        host.work()
    (left,) = host.late()
    assert (left.uuid, left.previous != "") == (host.uuid("B"), True)
    host.actions.script = answer_at_once
    host.clock.advance(host.queue._visibility)
    assert host.work() == []
    assert host.steps_sent() == ["A", "B", "B", "C"]
    assert host.run().status is Status.SUCCEEDED


def test_a_message_that_was_changed_for_a_commit_that_did_not_come_asks_for_the_one_before() -> None:
    host = Machine()
    host.start("f")
    uuid = host.uuid("A")
    save = host.store.runs.save

    def failing(run: Run, seen: int, body: bytes = b"") -> None:
        raise Busy("the store is throttled")

    host.store.runs.save = failing  # type: ignore[method-assign]
    assert len(host.work()) == 1
    (left,) = host.late()
    assert left.previous == uuid
    host.store.runs.save = save  # type: ignore[method-assign]
    host.clock.advance(60_000)
    assert host.work() == []
    assert host.steps_sent() == ["A", "A", "B", "C"]


def test_a_message_that_was_changed_in_doubt_comes_again() -> None:
    """The write was committed, its response was lost, and another writer came before the next look."""
    host = Machine()
    host.start("f")
    save, calls = host.store.runs.save, list[int]()

    def though_written(run: Run, seen: int, body: bytes = b"") -> None:
        save(run, seen, body)
        calls.append(seen)
        if len(calls) == 1:
            host.services.operator.set_vars(NS, "r", {})
            host.services.operator.pause(NS, "r")
            raise Conflict("flow_run", "r")

    host.store.runs.save = though_written  # type: ignore[method-assign]
    assert len(host.work()) == 1
    host.store.runs.save = save  # type: ignore[method-assign]
    assert host.steps_sent() == ["A"]
    host.services.operator.resume(NS, "r")
    host.pass_time(120_000)
    assert host.run().status is Status.SUCCEEDED


def test_a_failed_delivery_of_a_chain_comes_again_with_the_same_message() -> None:
    host = Machine()
    host.start("f")
    ok = Taken({"ackState": "OK"})
    replies: list[Reply] = [ok, NotTaken("refused", final=False), ok]
    host.actions.script = lambda _: replies.pop(0)
    assert len(host.work()) == 1
    assert host.run().tokens[0].activation.attempt == 1  # type: ignore[union-attr]
    host.clock.advance(5_000)
    assert host.work() == []
    assert host.steps_sent() == ["A", "B", "B"]
    assert host.queue.sent == 2  # a retry leads on through the queue


def test_an_action_that_was_seen_to_answer_by_callback_is_left_to_the_queue() -> None:
    host = Machine()

    def by_callback_at_b(request: dict[str, Any]) -> Reply:
        return Taken() if request["stepName"] == "B" else answer_at_once(request)

    host.actions.script = by_callback_at_b
    host.start("f")
    assert host.work() == []
    assert host.steps_sent() == ["A", "B"]
    assert host.late() == []  # the message is deleted: the action has taken the delivery
    host.answer("B", "OK")
    host.work()
    assert host.steps_sent() == ["A", "B", "C"]
    host.start("f", name="s")
    host.actions.script = accept
    host.work()
    host.actions.script = answer_at_once
    host.answer("A", "OK", name="s")
    assert host.work() == []
    assert host.steps_sent()[3:] == ["A", "B", "C"]


@pytest.mark.parametrize("action", ["limited", "guarded"])
def test_deliveries_with_a_limit_or_a_breaker_go_through_the_queue(action: str) -> None:
    host = Machine()
    host.submit(f"""flow g step A => (OK -> B) {{ action = work; }};
                           step B => (OK -> done) {{ action = {action}; }}; flow_end""")
    host.start("g")
    host.work()
    assert host.steps_sent() == ["A"]
    host.settle()
    assert host.run().status is Status.SUCCEEDED


def test_of_several_branches_one_stays_and_the_others_go_to_other_workers() -> None:
    host = Machine()
    branches = "".join(f"branch b{n} {{ step S{n} => (OK -> done) {{ action = work; }}; }};" for n in range(3))
    host.submit(f"""flow g step A => (OK -> Both) {{ action = work; }};
                           fork Both => (DONE -> done) {{ join = all; {branches} }}; flow_end""")
    host.start("g")
    assert host.work() == []
    assert len(host.steps_sent()) == 2
    assert host.queue.sent == 3
    host.settle()
    assert sorted(host.steps_sent()) == ["A", "S0", "S1", "S2"]


def test_a_chain_ends_so_that_other_runs_have_their_turn() -> None:
    host = Machine()
    host.submit("flow g step A => (OK -> A) { action = work; }; flow_end")
    host.start("g")
    assert host.work() == []
    assert len(host.steps_sent()) == MAX_DELIVERIES
    assert host.queue.sent == 2


@pytest.mark.parametrize(("is_aws", "milliseconds"), [(False, 100), (True, 10_000)])
def test_a_chain_ends_after_some_time(*, is_aws: bool, milliseconds: int) -> None:
    host = Machine(is_aws=is_aws)

    def slowly(request: dict[str, Any]) -> Reply:
        host.clock.advance(milliseconds // 2)
        return answer_at_once(request)

    host.actions.script = slowly
    host.start("f")
    assert host.work() == []
    assert host.steps_sent() == ["A", "B"]


@pytest.mark.parametrize(("remaining", "sent"), [(14_000, ["A"]), (60_000, ["A", "B", "C"])])
def test_a_delivery_whose_time_out_does_not_fit_into_what_is_left_goes_to_the_queue(
    remaining: int, sent: list[str]
) -> None:
    host = Machine()
    host.start("f")
    received = host.queue.receive(QueueName.DELIVERIES, 10, 0)
    workers.deliver(sqs_event(QueueName.DELIVERIES, list(received)), "", remaining)
    assert host.steps_sent() == sent


def test_a_pause_or_a_stop_is_seen_at_the_next_step() -> None:
    host = Machine()

    def paused_meanwhile(request: dict[str, Any]) -> Reply:
        if request["stepName"] == "A":
            host.services.operator.pause(NS, "r")
        return answer_at_once(request)

    host.actions.script = paused_meanwhile
    host.start("f")
    host.work()
    host.settle()
    assert host.steps_sent() == ["A"]
    host.services.operator.resume(NS, "r")
    host.settle()
    assert host.run().status is Status.SUCCEEDED


# ── a queue that cannot change messages ──────────────────────────────────────────────────────────────────────────────


def test_each_delivery_of_a_chain_has_a_late_message_that_finds_nothing_to_do() -> None:
    host = Machine(is_aws=True)
    host.start("f")
    assert host.work() == []
    assert host.steps_sent() == ["A", "B", "C"]
    assert [one.is_net for one in host.late()] == [True, True]
    host.clock.advance(NET_DELAY_MS)
    assert host.work() == []
    assert host.work() == []
    assert (host.steps_sent(), host.late()) == (["A", "B", "C"], [])


def test_the_late_message_delivers_after_a_crash() -> None:
    host = Machine(is_aws=True)
    host.start("f")

    def crash_at_b(request: dict[str, Any]) -> Reply:
        if request["stepName"] == "B":
            raise KeyboardInterrupt
        return answer_at_once(request)

    host.actions.script = crash_at_b
    with pytest.raises(KeyboardInterrupt):
        host.work()
    host.actions.script = answer_at_once
    host.pass_time(NET_DELAY_MS + 1_000)
    assert host.run().status is Status.SUCCEEDED
    assert host.steps_sent() == ["A", "B", "B", "C"]


def test_the_late_message_of_a_delivery_that_was_only_taken_does_not_deliver_again() -> None:
    host = Machine(
        is_aws=True, script=lambda request: answer_at_once(request) if request["stepName"] == "A" else Taken()
    )
    host.start("f")
    before = host.run().version
    assert host.work() == []
    assert host.run().version == before + 2  # the answer, and that B was delivered
    assert host.run().tokens[0].activation.is_taken  # type: ignore[union-attr]
    host.pass_time(NET_DELAY_MS + 1_000)
    assert host.steps_sent() == ["A", "B"]
    host.answer("B", "OK")
    host.settle()
    assert host.steps_sent() == ["A", "B", "C"]


def test_the_late_message_of_a_delivery_that_failed_and_came_again_does_not_deliver_again() -> None:
    host = Machine(is_aws=True)
    replies: list[Reply] = [Taken({"ackState": "OK"}), NotTaken("refused", final=False), Taken()]
    host.actions.script = lambda _: replies.pop(0)
    host.start("f")
    assert host.work() == []
    host.pass_time(10_000)
    assert host.steps_sent() == ["A", "B", "B"]
    host.pass_time(NET_DELAY_MS + 1_000)
    assert host.steps_sent() == ["A", "B", "B"]


def test_both_messages_exist_before_the_head_is_written() -> None:
    """A crash between the late message and the commit loses nothing: the message that was received comes again."""
    host = Machine(is_aws=True)
    host.start("f")
    save = host.store.runs.save

    def crash(run: Run, seen: int, body: bytes = b"") -> None:
        raise KeyboardInterrupt

    host.store.runs.save = crash  # type: ignore[method-assign]
    with pytest.raises(KeyboardInterrupt):
        host.work()
    host.store.runs.save = save  # type: ignore[method-assign]
    assert isinstance(host.queue, MemoryQueue)
    host.pass_time(400_000)
    assert host.run().status is Status.SUCCEEDED
    assert host.steps_sent() == ["A", "A", "B", "C"]
