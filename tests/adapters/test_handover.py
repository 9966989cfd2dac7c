"""Messages that are handed to waiting receivers in memory, and the transactions that they belong to."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import suppress
from pathlib import Path

import pytest

from chalicelib.adapters.sqlite.database import Database
from chalicelib.adapters.sqlite.message_queue import SqliteQueue
from chalicelib.service.ports.queues import QueueName, Received
from tests.fakes import FakeClock

WAKES = QueueName.WAKES
VISIBILITY = 90_000


class Bench:
    """A queue with receivers that wait in threads."""

    def __init__(self, path: Path) -> None:
        self.clock = FakeClock()
        self.database = Database.open(path)
        self.queue = SqliteQueue(self.database, self.clock, VISIBILITY, 3)
        self.statements: list[str] = []
        self.pool = ThreadPoolExecutor(8)

    def waiting(self, number: int = 1, seconds: float = 20) -> list[Future[list[Received]]]:
        """Let receivers wait, and return once they do."""
        found: list[Future[list[Received]]] = []
        for _ in range(number):
            found.append(self.pool.submit(lambda: list(self.queue.receive(WAKES, 1, seconds))))
            receivers = self.queue._receivers[WAKES]
            while len(receivers._others) + (receivers._keeper is not None) < len(found):
                pass
        return found

    def rows(self) -> list[tuple[str, int, int]]:
        return self.database.rows("SELECT body, count, visible_at FROM messages ORDER BY id")


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    made = Bench(tmp_path / "echoer.db")
    yield made
    made.pool.shutdown()
    made.database.close()


def test_a_message_is_handed_to_one_receiver_and_its_row_waits_for_the_case_that_it_fails(bench: Bench) -> None:
    first, second = bench.waiting(2)
    bench.queue.send(WAKES, ["a"])
    (message,) = second.result(5)
    assert (message.body, message.count) == ("a", 1)
    assert not first.done()
    assert bench.rows() == [("a", 1, bench.clock.now() + VISIBILITY)]
    bench.clock.advance(VISIBILITY + 1)
    (again,) = bench.queue.receive(WAKES, 1, 0)
    assert (again.body, again.count) == ("a", 2)
    bench.queue.send(WAKES, ["b"])
    assert [one.body for one in first.result(5)] == ["b"]


def test_each_of_several_messages_goes_to_a_receiver_of_its_own_and_the_rest_waits(bench: Bench) -> None:
    found = bench.waiting(3)
    bench.queue.send(WAKES, ["a", "b", "c", "d"])
    assert sorted(one.body for future in found for one in future.result(5)) == ["a", "b", "c"]
    assert [one.body for one in bench.queue.receive(WAKES, 10, 0)] == ["d"]


def test_a_message_is_handed_over_when_its_transaction_is_committed(bench: Bench) -> None:
    (found,) = bench.waiting()
    with bench.database.transaction():
        bench.queue.send(WAKES, ["a"])
        assert not found.done()
    assert [one.body for one in found.result(5)] == ["a"]


def test_a_message_of_a_transaction_that_is_rolled_back_was_never_sent(bench: Bench) -> None:
    (found,) = bench.waiting()
    with suppress(ZeroDivisionError), bench.database.transaction():
        bench.queue.send(WAKES, ["never"])
        raise ZeroDivisionError
    assert bench.rows() == []
    while bench.queue._receivers[WAKES]._keeper is None:  # it looked, found nothing and waits again
        assert not found.done()
    bench.queue.send(WAKES, ["a"])
    assert [one.body for one in found.result(5)] == ["a"]


def test_a_receiver_whose_time_ends_while_a_message_is_reserved_for_it_gets_the_message(bench: Bench) -> None:
    (found,) = bench.waiting(seconds=0.4)
    with bench.database.transaction():
        bench.queue.send(WAKES, ["a"])
        seconds = bench.pool.submit(lambda: found.exception(0.6))
        with pytest.raises(TimeoutError):
            seconds.result(5)
    assert [one.body for one in found.result(5)] == ["a"]


def test_one_receiver_looks_when_a_message_becomes_due_and_learns_of_one_that_is_due_sooner(bench: Bench) -> None:
    bench.queue.send(WAKES, ["later"], 3_600_000)
    found = bench.waiting(3)
    bench.queue.send(WAKES, ["soon"], 5)
    bench.clock.advance(5)
    (first,), others = wait(found, 5, FIRST_COMPLETED)
    assert [one.body for one in first.result()] == ["soon"]
    bench.queue.send(WAKES, ["a", "b"])
    assert sorted(one.body for future in others for one in future.result(5)) == ["a", "b"]


def test_many_that_become_due_together_are_taken_by_all_that_wait(bench: Bench) -> None:
    bench.queue.send(WAKES, [f"m{number}" for number in range(5)], 20)
    found = bench.waiting(5)
    bench.clock.advance(20)
    assert len({one.body for future in found for one in future.result(5)}) == 5


def test_a_step_of_a_run_is_one_transaction(bench: Bench) -> None:
    """The head, the messages and the deletion of the message that led to them are committed together."""
    bench.queue.send(WAKES, ["before"])
    (message,) = bench.queue.receive(WAKES, 1, 0)
    bench.queue.delete(WAKES, [message.receipt])
    bench.database._writer.set_trace_callback(bench.statements.append)
    with bench.database.transaction() as connection:
        bench.queue.send(WAKES, ["next"])
        connection.execute("DELETE FROM runs")
    assert [text.split()[0] for text in bench.statements] == ["BEGIN", "DELETE", "INSERT", "DELETE", "COMMIT"]
