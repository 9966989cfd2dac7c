"""Inline delivery: the worker that commits an answer delivers the run's next action itself."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from msgspec.structs import replace

from chalicelib import hosting
from chalicelib.adapters import sqs, wakeup
from chalicelib.config import Backend
from chalicelib.engine.effects import Outcome
from chalicelib.entrypoints import workers
from chalicelib.hosting.virtual import IN_MEMORY
from chalicelib.model.run import Activation, Run, decode_run, encode, held_mark
from chalicelib.model.status import Status
from chalicelib.service import messages
from chalicelib.service.deliveries.inline import HELD_MS, MAX_CHAIN_MS, MAX_DELIVERIES
from chalicelib.service.deliveries.reception import Reception
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
    """A host with inline delivery, on one machine or on AWS."""

    def __init__(self, *, is_aws: bool = False, script: Callable[[dict[str, Any]], Reply] = answer_at_once) -> None:
        super().__init__(script, settings=ON_AWS if is_aws else ON)
        self.submit(WORK + FLOW)
        hosting.use(self.services)

    def steps_sent(self) -> list[str]:
        return [request["stepName"] for request in self.actions.requests]

    def late(self) -> list[Deliver]:
        """Return the messages in the queue of deliveries that are not due yet."""
        found = self.queue._queues[QueueName.DELIVERIES].values()
        decoded = [messages.decode(one.body) for one in found if one.visible_at > self.clock.now()]
        return [one for one in decoded if isinstance(one, Deliver)]

    def sent(self) -> Deliver:
        """Return the only message in the queue of deliveries."""
        (found,) = self.queue._queues[QueueName.DELIVERIES].values()
        message = messages.decode(found.body)
        assert isinstance(message, Deliver)
        return message

    def activation(self, name: str = "r") -> Activation:
        """Return what the only token waits for."""
        (token,) = self.run(name).tokens
        assert token.activation is not None
        return token.activation

    def crash_at(self, step: str) -> None:
        """Let the worker crash while it delivers to the step; then all is well again."""

        def crash(request: dict[str, Any]) -> Reply:
            if request["stepName"] == step:
                raise KeyboardInterrupt
            return answer_at_once(request)

        self.actions.script = crash
        with pytest.raises(KeyboardInterrupt):
            self.work()
        self.actions.script = answer_at_once

    def wait(self) -> list[str]:
        """Work when the messages of workers that crashed come again."""
        self.clock.advance(self.queue._visibility)
        return self.work()


@pytest.fixture(params=[False, True], ids=["one machine", "AWS"])
def host(request: pytest.FixtureRequest) -> Machine:
    return Machine(is_aws=request.param)


def test_one_message_delivers_a_run_to_its_end_and_is_deleted(host: Machine) -> None:
    host.start("f")
    assert host.work() == []
    assert host.run().status is Status.SUCCEEDED
    assert host.steps_sent() == ["A", "B", "C"]
    assert host.queue.sent == 1
    assert host.late() == []


def test_the_messages_that_were_not_sent_are_not_counted(host: Machine) -> None:
    host.start("f")
    assert host.run().messages == 1
    host.work()
    assert host.run().messages == 1


def test_nothing_is_inline_where_it_is_switched_off() -> None:
    host = Host(answer_at_once)
    host.submit(WORK + FLOW)
    hosting.use(host.services)
    host.start("f")
    host.work()
    assert [request["stepName"] for request in host.actions.requests] == ["A"]


def test_the_head_says_which_message_asks_for_what_is_being_delivered(host: Machine) -> None:
    host.start("f")
    first = host.uuid("A")
    host.crash_at("C")
    (left,) = host.late()
    assert (left.uuid, host.activation().held_by) == (first, held_mark(first))
    assert host.wait() == []
    assert host.steps_sent() == ["A", "B", "C", "C"]
    assert host.run().status is Status.SUCCEEDED


def test_after_a_crash_what_follows_goes_through_the_queue(host: Machine) -> None:
    """The message may be with two workers: only its first reception begins a chain."""
    host.start("f")
    host.crash_at("A")
    assert host.wait() == []
    assert host.steps_sent() == ["A", "A"]
    assert (host.queue.sent, host.activation().held_by) == (2, "")
    assert host.work() == []
    assert host.steps_sent() == ["A", "A", "B", "C"]


def test_a_crash_before_the_commit_leaves_the_message_to_what_it_was_sent_for(host: Machine) -> None:
    host.start("f")
    save = host.store.runs.save

    def crash(run: Run, seen: int, body: bytes = b"") -> None:
        raise KeyboardInterrupt

    host.store.runs.save = crash  # type: ignore[method-assign]
    with pytest.raises(KeyboardInterrupt):
        host.work()
    host.store.runs.save = save  # type: ignore[method-assign]
    assert host.queue.sent == 1
    host.wait()
    host.settle()
    assert host.steps_sent() == ["A", "A", "B", "C"]


def test_a_throttled_commit_is_tried_again_with_the_same_message(host: Machine) -> None:
    host.start("f")
    save = host.store.runs.save

    def failing(run: Run, seen: int, body: bytes = b"") -> None:
        raise Busy("the store is throttled")

    host.store.runs.save = failing  # type: ignore[method-assign]
    assert len(host.work()) == 1
    host.store.runs.save = save  # type: ignore[method-assign]
    host.pass_time(60_000)
    assert host.steps_sent() == ["A", "A", "B", "C"]


def test_a_commit_of_which_the_response_was_lost_leads_on(host: Machine) -> None:
    host.start("f")
    save, calls = host.store.runs.save, list[int]()

    def though_written(run: Run, seen: int, body: bytes = b"") -> None:
        save(run, seen, body)
        calls.append(seen)
        if len(calls) == 1:
            raise Conflict("flow_run", "r")

    host.store.runs.save = though_written  # type: ignore[method-assign]
    assert host.work() == []
    assert (host.steps_sent(), host.queue.sent) == (["A", "B", "C"], 1)


def test_a_message_comes_again_if_the_worker_cannot_know_whether_it_is_needed(host: Machine) -> None:
    """The write was committed, its response was lost, and another writer came before the next look."""
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
    host.pass_time(MAX_CHAIN_MS)
    assert host.activation().held
    host.services.operator.resume(NS, "r")
    assert host.activation().held_by == ""
    host.pass_time(120_000)
    assert host.run().status is Status.SUCCEEDED


def test_a_change_of_the_run_meanwhile_ends_no_chain(host: Machine) -> None:
    def change(request: dict[str, Any]) -> Reply:
        host.services.operator.set_vars(NS, "r", {})
        return answer_at_once(request)

    host.actions.script = change
    host.start("f")
    assert host.work() == []
    assert (host.steps_sent(), host.queue.sent) == (["A", "B", "C"], 1)


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


def test_a_failed_delivery_after_others_is_given_up_with_its_message(host: Machine) -> None:
    host.start("f")
    refused = NotTaken("no", final=False)
    host.actions.script = lambda request: answer_at_once(request) if request["stepName"] == "A" else refused
    host.work()
    (left,) = host.late()
    host.services.deliverer.give_up(left, "too often")
    assert host.run().status is Status.FAILED
    assert "too often" in host.run().last_err
    host.services.deliverer.give_up(left, "too often")  # it comes twice


def test_what_a_worker_commits_while_its_message_is_given_up_is_given_up_too(host: Machine) -> None:
    host.start("f")
    host.crash_at("A")
    (left,) = host.late()
    load, is_first = host.store.runs.load, [True]

    def committed_meanwhile(namespace: str, name: str) -> Run | None:
        found = load(namespace, name)
        if is_first.pop():
            is_first.append(False)
            uuid = host.uuid("A")
            host.answer("A", "OK")
            run = load(namespace, name)
            assert run is not None
            (token,) = run.tokens
            assert token.activation is not None
            held = replace(token, activation=replace(token.activation, held_by=held_mark(uuid)))
            host.store.runs.save(replace(run, tokens=(held,), version=run.version + 1), run.version)
        else:
            is_first.append(False)
        return found

    host.store.runs.load = committed_meanwhile  # type: ignore[method-assign]
    host.services.deliverer.give_up(left, "too often")
    assert host.run().status is Status.FAILED


def test_a_step_that_waits_for_its_callback_ends_the_chain_without_a_write(host: Machine) -> None:
    host.actions.script = lambda request: Taken() if request["stepName"] == "B" else answer_at_once(request)
    host.start("f")
    before = host.run().version
    assert host.work() == []
    assert (host.steps_sent(), host.late(), host.run().version) == (["A", "B"], [], before + 1)
    assert host.answer("B", "OK") is Outcome.ADVANCED
    assert host.work() == []
    assert (host.steps_sent(), host.queue.sent) == (["A", "B", "C"], 2)


def test_a_crash_before_the_deletion_delivers_once_more_what_waits_for_its_callback(host: Machine) -> None:
    host.actions.script = lambda request: Taken() if request["stepName"] == "B" else answer_at_once(request)
    host.start("f")
    received = host.queue.receive(QueueName.DELIVERIES, 10, 0)
    workers.deliver(sqs_event(QueueName.DELIVERIES, list(received)))
    assert host.wait() == []
    assert host.steps_sent() == ["A", "B", "B"]
    assert len({request["uuid"] for request in host.actions.requests}) == 2
    assert host.late() == []
    assert host.answer("B", "OK") is Outcome.ADVANCED


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


# ── two workers with one message ─────────────────────────────────────────────────────────────────────────────────────


def test_a_worker_leaves_a_message_that_another_one_delivers_with(host: Machine) -> None:
    """The message comes a second time while a worker delivers B, and its action answers both times."""
    given_back: list[str] = []

    def second_reception(request: dict[str, Any]) -> Reply:
        if request["stepName"] == "A" and len(host.actions.requests) == 1:
            host.clock.advance(host.queue._visibility)
            given_back.extend(host.work())
        return answer_at_once(request)

    host.actions.script = second_reception
    host.start("f")
    host.work()
    host.pass_time(MAX_CHAIN_MS)
    assert given_back == []  # the second worker answered first: the first one finds A ended
    assert host.run().status is Status.SUCCEEDED


def test_a_message_that_is_received_again_is_kept_while_another_worker_goes_on_with_it(host: Machine) -> None:
    verdicts: list[int | None] = []

    def second_worker(request: dict[str, Any]) -> Reply:
        if request["stepName"] == "B" and not verdicts:
            verdicts.append(-1)
            load, stale = host.store.runs.load, [before]
            host.store.runs.load = lambda *key: stale.pop() if stale else load(*key)  # type: ignore[method-assign]
            verdicts.extend(host.services.deliverer.deliver([message], [Reception(2)]))
        return answer_at_once(request)

    host.actions.script = second_worker
    before = host.start("f")
    message = host.sent()
    assert host.work() == []
    assert verdicts == [-1, MAX_CHAIN_MS]  # it delivered A again, and found that the message asks for B
    assert host.run().status is Status.SUCCEEDED


@pytest.mark.parametrize("is_taken", [False, True])
def test_a_chain_ends_if_another_worker_has_delivered_its_activation(host: Machine, *, is_taken: bool) -> None:
    """The other one deletes the message. What follows gets one of its own."""

    def second_worker(request: dict[str, Any]) -> Reply:
        if request["stepName"] == "B" and request["uuid"] not in seen:
            seen.append(request["uuid"])
            (other,) = host.services.deliverer.deliver([message], [Reception(2)])
            assert (other is None) is is_taken
            return answer_at_once(request)
        if request["stepName"] == "B":
            return Taken() if is_taken else NotTaken("no", final=False)
        return answer_at_once(request)

    seen: list[str] = []
    host.actions.script = second_worker
    host.start("f")
    message = host.sent()
    host.work()
    assert host.steps_sent() == ["A", "B", "B"]
    assert (host.activation().held_by, host.queue.sent) == ("", 2)
    host.settle()
    assert host.run().status is Status.SUCCEEDED


def test_a_delivery_that_is_taken_at_a_later_attempt_is_not_noted(host: Machine) -> None:
    replies: list[Reply] = [NotTaken("no", final=False), Taken()]
    host.actions.script = lambda _: replies.pop(0)
    host.start("f")
    host.work()
    before = host.run().version
    host.pass_time(60_000)
    assert (replies, host.run().version) == ([], before)


def test_no_chain_takes_longer_than_a_message_is_away() -> None:
    assert 1_000 * sqs.VISIBILITY_TIMEOUT_S[QueueName.DELIVERIES] >= HELD_MS
    assert HELD_MS <= wakeup.VISIBILITY_MS


# ── stored before ────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("is_committed", [False, True])
def test_a_message_of_earlier_versions_asks_for_what_was_committed(host: Machine, *, is_committed: bool) -> None:
    """They changed the message before each commit: it says what follows, and after what."""
    host.start("f")
    first = host.uuid("A")
    (received,) = host.queue.receive(QueueName.DELIVERIES, 10, 0)
    host.queue.delete(QueueName.DELIVERIES, [received.receipt])
    sent = messages.decode(received.body)
    if is_committed:
        host.answer("A", "OK")
        (other,) = host.queue.receive(QueueName.DELIVERIES, 10, 0)
        host.queue.delete(QueueName.DELIVERIES, [other.receipt])
    second = host.uuid("B") if is_committed else "0000"
    host.queue.send(QueueName.DELIVERIES, [messages.encode(replace(sent, uuid=second, previous=first))])
    host.crash_at("C")
    assert host.activation().held_by == held_mark(second)
    assert host.wait() == []
    assert host.steps_sent() == [*(["B"] if is_committed else ["A", "B"]), "C", "C"]
    assert host.run().status is Status.SUCCEEDED


def test_a_late_message_of_earlier_versions_does_nothing_if_the_head_says_that_the_delivery_was_taken() -> None:
    host = Machine(script=accept)
    run = host.start("f")
    message = host.sent()
    host.work()
    (token,) = run.tokens
    assert token.activation is not None
    taken = replace(token, activation=replace(token.activation, is_taken=True))
    host.store.runs.save(replace(run, tokens=(taken,), version=run.version + 1), run.version)
    host.queue.send(QueueName.DELIVERIES, [messages.encode(replace(message, is_net=True))])
    assert host.work() == []
    assert host.steps_sent() == ["A"]


def test_a_head_is_refused_by_versions_that_would_drop_the_message(host: Machine) -> None:
    host.start("f")
    host.crash_at("B")
    body = encode(host.run())
    assert decode_run(body).tokens == host.run().tokens
    assert body.endswith(b',"f":3}')
