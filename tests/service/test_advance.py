"""Transitions of runs: a lost write is decided again, writes are atomic, and lost responses are detected."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest

from chalicelib.engine.effects import Outcome
from chalicelib.engine.events import Event, RunPaused
from chalicelib.model.run import Run
from chalicelib.model.status import Status
from chalicelib.model.times import Instant
from chalicelib.service.errors import Busy, Conflict, NotFound
from chalicelib.service.ports.actions import Taken
from chalicelib.service.ports.queues import QueueName
from chalicelib.service.redelivery import WRITER_LIFETIME_MS, until_committed
from chalicelib.service.runs.answer import Answer
from tests.hosts import NS, Host

FLOW = """
action work addr = "http://work.test/"; return = (OK | FAIL); action_end
/
flow f
    step A => (OK -> B | FAIL -> A) { action = work; };
    step B => (OK -> done | FAIL -> stopped) { action = work; };
flow_end
"""


@pytest.fixture
def host() -> Host:
    made = Host(lambda request: Taken())
    made.submit(FLOW)
    made.start("f")
    made.settle()
    return made


class Interfering:
    """Wrap the store's `save`: `before` runs before the write, and `after` runs after it."""

    def __init__(self, host: Host, before: Callable[[], None] = lambda: None, after: Callable[[], None] = lambda: None):
        self._save: Any = host.store.runs.save
        self._before, self._after = before, after
        host.store.runs.save = self  # type: ignore[method-assign]

    def __call__(self, run: Run, seen: int, body: bytes = b"") -> None:
        self._before()
        self._save(run, seen, body)
        self._after()


def paused(at: Instant, nonce: str) -> Sequence[Event]:
    return [RunPaused(at=at, nonce=nonce)]


def test_the_loser_of_a_write_reads_and_decides_again(host: Host) -> None:
    uuid = host.uuid("A")
    interfered: list[bool] = []

    def somebody_else() -> None:
        if not interfered:
            interfered.append(True)
            host.services.operator.pause(NS, "r")

    Interfering(host, before=somebody_else)
    assert host.answer("A", "OK", uuid=uuid) is Outcome.ADVANCED
    run = host.run()
    assert (run.status, run.tokens[0].step) == (Status.PAUSED, "B")
    assert [entry.seq for entry in run.tail] == [1, 2, 3]


def test_of_two_concurrent_answers_one_wins_and_the_other_is_a_duplicate(host: Host) -> None:
    uuid = host.uuid("A")
    outcomes: list[Outcome | None] = []

    def the_other() -> None:
        if not outcomes:
            outcomes.append(None)
            outcomes[0] = host.answer("A", "FAIL", uuid=uuid)

    Interfering(host, before=the_other)
    assert [host.answer("A", "OK", uuid=uuid), *outcomes] == [Outcome.DUPLICATE, Outcome.ADVANCED]
    assert host.path() == ["A", "A"]


def test_a_write_whose_answer_was_lost_still_counts_as_ours(host: Host) -> None:
    lost: list[bool] = []

    def lose_the_answer() -> None:
        if not lost:
            lost.append(True)
            raise Conflict("the client tried again by itself and met its own write")

    Interfering(host, after=lose_the_answer)
    assert host.answer("A", "OK") is Outcome.ADVANCED
    assert host.path() == ["A", "B"]


def test_a_run_that_others_keep_writing_is_busy_after_a_bounded_time(host: Host) -> None:
    def always() -> None:
        raise Conflict("somebody was faster")

    Interfering(host, before=always)
    with pytest.raises(Busy):
        host.answer("A", "OK")
    assert sum(host.clock.slept) < 5_000
    assert host.path() == ["A"]


def test_what_is_sent_for_a_write_that_never_came_moves_nothing(host: Host) -> None:
    def crash() -> None:
        raise RuntimeError("the container died")

    interfering = Interfering(host, before=crash)
    with pytest.raises(RuntimeError):
        host.answer("A", "OK")
    host.store.runs.save = interfering._save  # type: ignore[method-assign]
    sent = len(host.actions.calls)
    for _ in range(8):
        host.settle()
        host.clock.advance(60_000)
    assert len(host.actions.calls) == sent
    assert list(host.queue.receive(QueueName.DELIVERIES, 10, 0)) == []
    assert host.answer("A", "OK") is Outcome.ADVANCED


def test_the_message_of_a_stalled_writer_takes_effect(host: Host) -> None:
    """The message arrives before the write, and is retried until the write has happened."""
    kept: list[tuple[Run, int]] = []
    save: Any = host.store.runs.save
    host.store.runs.save = lambda run, seen, body=b"": kept.append((run, seen))  # type: ignore[method-assign]
    host.answer("A", "OK")
    host.settle()
    assert [request["stepName"] for request in host.actions.requests] == ["A"]
    host.store.runs.save = save  # type: ignore[method-assign]
    save(*kept[0])
    host.clock.advance(2_000)
    host.settle()
    assert [request["stepName"] for request in host.actions.requests] == ["A", "B"]


def test_history_is_complete_over_many_pages(host: Host) -> None:
    for n in range(50):
        host.clock.advance(n)
        host.answer("A", "FAIL")
    entries = host.services.reader.history(NS, "r", 0, 1_000)
    assert [entry.seq for entry in entries] == list(range(1, 52))
    assert [entry.seq for entry in host.services.reader.history(NS, "r", 17, 5)] == [18, 19, 20, 21, 22]
    assert len(host.run().tail) <= 8


def test_a_run_that_is_not_there_is_not_found(host: Host) -> None:
    with pytest.raises(NotFound):
        host.services.advancer.advance(NS, "nobody", paused)


def test_answers_name_their_run(host: Host) -> None:
    uuid = host.uuid("A")
    host.start("f", "other")
    told = Answer(run="other", step="A", uuid=uuid, state="OK", done=True)
    with pytest.raises(Exception, match="never issued"):
        host.services.answerer.answer(NS, told)


def test_a_message_without_its_write_is_retried_ever_later_and_then_dropped() -> None:
    at, looks = 0, 0
    while (pause := until_committed(0, at)) is not None:
        at, looks = at + pause, looks + 1
    assert at > WRITER_LIFETIME_MS
    assert looks < 25
