"""The contract of every queue. An adapter's test class provides `bench`: a queue, and a way to let time pass."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Protocol

import pytest

from chalicelib.model.times import Instant
from chalicelib.service.ports.queues import Queue, QueueName, Received, Source

DELIVERIES, WAKES, DEAD = QueueName.DELIVERIES, QueueName.WAKES, QueueName.DEAD
VISIBILITY = 90_000
MAX_RECEIVES = 3


class QueueAndSource(Queue, Source, Protocol):
    """The sending and the receiving side of a queue."""


@dataclass
class Bench:
    """Provide a queue with a visibility timeout of VISIBILITY and at most MAX_RECEIVES receives, and its time."""

    queue: QueueAndSource
    pass_time: Callable[[int], None]
    now: Callable[[], Instant]

    def receive(self, name: QueueName = DELIVERIES, limit: int = 10, wait: float = 0) -> list[Received]:
        return list(self.queue.receive(name, limit, wait))

    def bodies(self, name: QueueName = DELIVERIES) -> list[str]:
        return sorted(message.body for message in self.receive(name))


class QueueContract:
    def test_what_is_sent_is_received(self, bench: Bench) -> None:
        before = bench.now()
        bench.queue.send(DELIVERIES, ["ä🙂 {}"])
        (message,) = bench.receive()
        assert (message.body, message.count) == ("ä🙂 {}", 1)
        assert before <= message.sent_at <= bench.now()
        assert bench.receive() == []

    def test_queues_are_apart(self, bench: Bench) -> None:
        bench.queue.send(WAKES, ["w"])
        bench.queue.send(DEAD, ["d"])
        assert bench.bodies(DELIVERIES) == []
        assert bench.bodies(WAKES) == ["w"]
        assert bench.bodies(DEAD) == ["d"]

    def test_many_are_sent_at_once_and_received_by_limit(self, bench: Bench) -> None:
        sent = [f"{number:02}" for number in range(25)]
        bench.queue.send(DELIVERIES, sent)
        bench.queue.send(DELIVERIES, [])
        found: list[str] = []
        while messages := bench.receive(limit=7):
            assert len(messages) <= 7
            found += [message.body for message in messages]
        assert sorted(found) == sent

    def test_big_messages_are_sent_together(self, bench: Bench) -> None:
        sent = [letter * 100_000 for letter in "abcde"]
        bench.queue.send(DELIVERIES, sent)
        found = [message.body for _ in sent for message in bench.receive()]
        assert sorted(found) == sent

    def test_a_delayed_message_comes_when_its_time_has_come(self, bench: Bench) -> None:
        bench.queue.send(WAKES, ["later"], delay=60_000)
        bench.queue.send(WAKES, ["now"])
        assert bench.bodies(WAKES) == ["now"]
        bench.pass_time(58_000)
        assert bench.bodies(WAKES) == []
        bench.pass_time(3_000)
        assert bench.bodies(WAKES) == ["later"]

    def test_a_delay_is_never_cut_short(self, bench: Bench) -> None:
        bench.queue.send(WAKES, ["x"], delay=1_500)
        bench.pass_time(1_400)
        assert bench.bodies(WAKES) == []
        bench.pass_time(700)
        assert bench.bodies(WAKES) == ["x"]

    def test_a_message_that_may_come_early_does_so_by_less_than_a_second(self, bench: Bench) -> None:
        bench.queue.send(WAKES, ["x"], delay=2_500, early=True)
        bench.pass_time(1_400)
        assert bench.bodies(WAKES) == []
        bench.pass_time(1_200)
        assert bench.bodies(WAKES) == ["x"]

    def test_a_deleted_message_does_not_come_again(self, bench: Bench) -> None:
        bench.queue.send(DELIVERIES, ["a", "b", "c"])
        received = {message.body: message for message in bench.receive()}
        bench.queue.delete(DELIVERIES, [received["a"].receipt, received["c"].receipt])
        bench.queue.delete(DELIVERIES, [received["a"].receipt])
        bench.queue.delete(DELIVERIES, [])
        bench.pass_time(VISIBILITY + 1_000)
        assert bench.bodies() == ["b"]

    def test_many_are_deleted_at_once(self, bench: Bench) -> None:
        bench.queue.send(DELIVERIES, [f"{number}" for number in range(25)])
        receipts = [message.receipt for _ in range(3) for message in bench.receive()]
        assert len(receipts) == 25
        bench.queue.delete(DELIVERIES, receipts)
        bench.pass_time(VISIBILITY + 1_000)
        assert bench.bodies() == []

    def test_a_message_that_is_not_deleted_comes_again(self, bench: Bench) -> None:
        bench.queue.send(DELIVERIES, ["a"])
        (first,) = bench.receive()
        bench.pass_time(VISIBILITY - 2_000)
        assert bench.receive() == []
        bench.pass_time(3_000)
        (second,) = bench.receive()
        assert (second.id, second.body, second.count, second.sent_at // 1000) == (
            first.id,
            "a",
            2,
            second.sent_at // 1000,
        )

    @pytest.mark.parametrize("delay", [0, 1, 20_000, 3_600_000])
    def test_a_deferred_message_comes_after_its_delay(self, bench: Bench, delay: int) -> None:
        bench.queue.send(DELIVERIES, ["a"])
        (first,) = bench.receive()
        bench.queue.defer(DELIVERIES, first.receipt, delay)
        if delay > 1_000:
            bench.pass_time(delay - 1_000)
            assert bench.receive() == []
        bench.pass_time(2_100)
        (second,) = bench.receive()
        assert (second.body, second.count) == ("a", 2)

    def test_a_deferred_message_can_be_deleted(self, bench: Bench) -> None:
        bench.queue.send(DELIVERIES, ["a"])
        (first,) = bench.receive()
        bench.queue.defer(DELIVERIES, first.receipt, 1_000)
        bench.queue.delete(DELIVERIES, [first.receipt])
        bench.pass_time(VISIBILITY)
        assert bench.receive() == []

    @pytest.mark.parametrize("receipt", ["", "never", "9999999999999999999.1", "1.1"])
    def test_a_receipt_that_never_was_is_ignored(self, bench: Bench, receipt: str) -> None:
        bench.queue.send(DELIVERIES, ["a"])
        bench.queue.defer(DELIVERIES, receipt, 1_000)
        bench.queue.delete(DELIVERIES, [receipt])
        assert bench.bodies() == ["a"]

    def test_a_receipt_of_a_deleted_message_is_ignored(self, bench: Bench) -> None:
        bench.queue.send(DELIVERIES, ["a"])
        (message,) = bench.receive()
        bench.queue.delete(DELIVERIES, [message.receipt])
        bench.queue.defer(DELIVERIES, message.receipt, 0)
        bench.pass_time(2_000)
        assert bench.receive() == []

    @pytest.mark.parametrize("queue", [DELIVERIES, WAKES])
    def test_a_message_received_too_often_is_dead_lettered(self, bench: Bench, queue: QueueName) -> None:
        bench.queue.send(queue, ["poison"])
        for count in range(1, MAX_RECEIVES + 1):
            (message,) = bench.receive(queue)
            assert message.count == count
            bench.pass_time(VISIBILITY + 1_000)
        assert bench.receive(queue) == []
        (dead_lettered,) = bench.receive(DEAD)
        assert dead_lettered.body == "poison"

    def test_each_message_comes_to_one_of_many_receivers(self, bench: Bench) -> None:
        sent = [f"{number:03}" for number in range(120)]

        def consume(_: int) -> list[str]:
            found: list[str] = []
            while messages := bench.receive():
                bench.queue.delete(DELIVERIES, [message.receipt for message in messages])
                found += [message.body for message in messages]
            return found

        with ThreadPoolExecutor(4) as pool:
            list(pool.map(lambda start: bench.queue.send(DELIVERIES, sent[start : start + 30]), range(0, 120, 30)))
            found = [body for bodies in pool.map(consume, range(4)) for body in bodies]
        assert sorted(found) == sent

    def test_a_receiver_that_waits_gets_what_another_thread_sends(self, bench: Bench) -> None:
        with ThreadPoolExecutor(1) as pool:
            waiting = pool.submit(bench.receive, WAKES, 10, 10)
            bench.queue.send(WAKES, ["late"])
            assert [message.body for message in waiting.result(timeout=5)] == ["late"]
