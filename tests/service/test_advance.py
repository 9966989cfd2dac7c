"""Transitions of runs: lost writes are decided again, nothing is half done, lost responses of the store are noticed."""

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
from tests.service.world import NS, Small

FLOW = """
action work addr = "http://work.test/"; return = (OK | FAIL); action_end
/
flow f
    step A => (OK -> B | FAIL -> A) { action = work; };
    step B => (OK -> done | FAIL -> stopped) { action = work; };
flow_end
"""


@pytest.fixture
def small() -> Small:
    made = Small(lambda request: Taken())
    made.submit(FLOW)
    made.start("f")
    made.settle()
    return made


class Interfering:
    """Stands before a store's `save`: `before` runs first, `after` runs when the write is done."""

    def __init__(
        self, small: Small, before: Callable[[], None] = lambda: None, after: Callable[[], None] = lambda: None
    ):
        self._save: Any = small.store.runs.save
        self._before, self._after = before, after
        small.store.runs.save = self  # type: ignore[method-assign]

    def __call__(self, run: Run, seen: int, body: bytes = b"") -> None:
        self._before()
        self._save(run, seen, body)
        self._after()


def paused(at: Instant, nonce: str) -> Sequence[Event]:
    return [RunPaused(at=at, nonce=nonce)]


def test_whoever_loses_the_write_reads_and_decides_again(small: Small) -> None:
    uuid = small.uuid("A")
    interfered: list[bool] = []

    def somebody_else() -> None:
        if not interfered:
            interfered.append(True)
            small.services.operator.pause(NS, "r")

    Interfering(small, before=somebody_else)
    assert small.answer("A", "OK", uuid=uuid) is Outcome.ADVANCED
    run = small.run()
    assert (run.status, run.tokens[0].step) == (Status.PAUSED, "B")
    assert [entry.seq for entry in run.tail] == [1, 2, 3]


def test_of_two_answers_at_once_one_wins_and_the_other_is_told_so(small: Small) -> None:
    uuid = small.uuid("A")
    outcomes: list[Outcome | None] = []

    def the_other() -> None:
        if not outcomes:
            outcomes.append(None)
            outcomes[0] = small.answer("A", "FAIL", uuid=uuid)

    Interfering(small, before=the_other)
    assert [small.answer("A", "OK", uuid=uuid), *outcomes] == [Outcome.DUPLICATE, Outcome.ADVANCED]
    assert small.path() == ["A", "A"]


def test_a_write_whose_answer_was_lost_still_counts_as_ours(small: Small) -> None:
    lost: list[bool] = []

    def lose_the_answer() -> None:
        if not lost:
            lost.append(True)
            raise Conflict("the client tried again by itself and met its own write")

    Interfering(small, after=lose_the_answer)
    assert small.answer("A", "OK") is Outcome.ADVANCED
    assert small.path() == ["A", "B"]


def test_a_run_that_others_keep_writing_is_busy_after_a_bounded_time(small: Small) -> None:
    def always() -> None:
        raise Conflict("somebody was faster")

    Interfering(small, before=always)
    with pytest.raises(Busy):
        small.answer("A", "OK")
    assert sum(small.clock.slept) < 5_000
    assert small.path() == ["A"]


def test_what_is_sent_for_a_write_that_never_came_moves_nothing(small: Small) -> None:
    def crash() -> None:
        raise RuntimeError("the container died")

    interfering = Interfering(small, before=crash)
    with pytest.raises(RuntimeError):
        small.answer("A", "OK")
    small.store.runs.save = interfering._save  # type: ignore[method-assign]
    sent = len(small.actions.calls)
    for _ in range(8):
        small.settle()
        small.clock.advance(60_000)
    assert len(small.actions.calls) == sent
    assert list(small.queue.receive(QueueName.DELIVERIES, 10, 0)) == []
    assert small.answer("A", "OK") is Outcome.ADVANCED


def test_a_stalled_writer_still_finds_its_message_obeyed(small: Small) -> None:
    """The message comes before the write; it is given back until the write is there."""
    kept: list[tuple[Run, int]] = []
    save: Any = small.store.runs.save
    small.store.runs.save = lambda run, seen, body=b"": kept.append((run, seen))  # type: ignore[method-assign]
    small.answer("A", "OK")
    small.settle()
    assert [request["stepName"] for request in small.actions.requests] == ["A"]
    small.store.runs.save = save  # type: ignore[method-assign]
    save(*kept[0])
    small.clock.advance(2_000)
    small.settle()
    assert [request["stepName"] for request in small.actions.requests] == ["A", "B"]


def test_history_is_complete_over_many_pages(small: Small) -> None:
    for n in range(50):
        small.clock.advance(n)
        small.answer("A", "FAIL")
    entries = small.services.reader.history(NS, "r", 0, 1_000)
    assert [entry.seq for entry in entries] == list(range(1, 52))
    assert [entry.seq for entry in small.services.reader.history(NS, "r", 17, 5)] == [18, 19, 20, 21, 22]
    assert len(small.run().tail) <= 8


def test_a_run_that_is_not_there_is_not_found(small: Small) -> None:
    with pytest.raises(NotFound):
        small.services.advancer.advance(NS, "nobody", paused)


def test_answers_name_their_run(small: Small) -> None:
    uuid = small.uuid("A")
    small.start("f", "other")
    told = Answer(run="other", step="A", uuid=uuid, state="OK", done=True)
    with pytest.raises(Exception, match="never issued"):
        small.services.answerer.answer(NS, told)


def test_a_hint_without_its_write_is_looked_at_ever_later_and_not_for_ever() -> None:
    at, looks = 0, 0
    while (pause := until_committed(0, at)) is not None:
        at, looks = at + pause, looks + 1
    assert at > WRITER_LIFETIME_MS
    assert looks < 25
