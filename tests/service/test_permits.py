"""Limits of actions: who is delivered, in which order, and that permits never leak."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import count, pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from chalicelib.adapters.memory import MemoryQueue, MemoryStore
from chalicelib.adapters.virtual import SequentialIds
from chalicelib.model.run import Run
from chalicelib.model.status import Status
from chalicelib.service import messages
from chalicelib.service.errors import TooLarge
from chalicelib.service.limits import limiter as limiters
from chalicelib.service.limits import permits
from chalicelib.service.limits.limiter import QUEUED, Admission, Admitted, Limiter
from chalicelib.service.limits.permits import Permits
from chalicelib.service.messages import Deliver, Message, Release, Serve
from chalicelib.service.ports.queues import QueueName
from chalicelib.service.ports.waiters import Waiter
from tests.adapters.samples import a_run, after, new
from tests.fakes import START, FakeClock

MINUTE = 60_000
NAME = "limit/charge"


class Watched:
    """Wraps a port: counts its calls, and calls `before` first."""

    def __init__(self, port: Any) -> None:
        self.port, self.calls = port, list[str]()
        self.before: Callable[[str], None] = lambda name: None

    def __getattr__(self, name: str) -> Callable[..., Any]:
        method = getattr(self.port, name)

        def call(*args: Any, **kwargs: Any) -> Any:
            self.calls.append(name)
            self.before(name)
            return method(*args, **kwargs)

        return call


class WatchedStore(MemoryStore):
    def __init__(self) -> None:
        super().__init__()
        self.runs: Any = Watched(self.runs)
        self.versioned_values: Any = Watched(self.versioned_values)
        self.waiters: Any = Watched(self.waiters)


class Bench:
    """A limiter with a store and a queue in memory, and runs that wait at one step each."""

    def __init__(self) -> None:
        self.clock, self.store = FakeClock(), WatchedStore()
        self.queue = MemoryQueue(self.clock)
        self.limiter = Limiter(self.store, self.queue, self.clock, SequentialIds())
        self._places = count()

    def started(self, name: str, namespace: str = "ns") -> Run:
        run = a_run(name, namespace)
        self.store.runs.create(new(run))
        return run

    def waiter(self, run: Run, concurrent: int | None = None, per_second: float | None = None, **more: Any) -> Waiter:
        activation = run.tokens[0].activation
        assert activation is not None
        return Waiter(
            at=START,
            place=next(self._places),
            uuid=activation.uuid,
            run=run.name,
            id=run.id,
            concurrent=concurrent,
            per_second=per_second,
            **more,
        )

    def ask(
        self, run: Run, concurrent: int | None = None, per_second: float | None = None, name: str = NAME, **more: Any
    ) -> Admission:
        waiter = self.waiter(run, concurrent, per_second, **more)
        message = Deliver(namespace=run.namespace, run=run.name, sent_at=self.clock.now(), version=1, uuid=waiter.uuid)
        return self.limiter.admit(run.namespace, name, waiter, message)

    def bring(self, message: Deliver, run: Run, concurrent: int | None = None, **more: Any) -> Admission:
        """Ask with a delivery that the limiter sent."""
        return self.limiter.admit(run.namespace, NAME, self.waiter(run, concurrent, **more), message)

    def end(self, run: Run, **changes: Any) -> None:
        """End the run's activation, and return its permit."""
        ended = after(run, **({"status": Status.SUCCEEDED, "tokens": ()} | changes))
        self.store.runs.save(ended, run.version)
        assert self.limiter.release(self.message(run)) is None

    def message(self, run: Run, attempt: int | None = None, version: int = 2) -> Release:
        activation = run.tokens[0].activation
        assert activation is not None
        return Release(
            namespace=run.namespace,
            run=run.name,
            id=run.id,
            version=version,
            sent_at=self.clock.now(),
            uuid=activation.uuid,
            limiter=NAME,
            attempt=attempt,
        )

    def sent(self, queue: QueueName = QueueName.DELIVERIES) -> list[Message]:
        """Take the messages that are due now."""
        found = list[Message]()
        while received := self.queue.receive(queue, 10, 0):
            self.queue.delete(queue, [one.receipt for one in received])
            found += [messages.decode(one.body) for one in received]
        return found

    def delivered(self) -> list[str]:
        return [message.run for message in self.sent()]

    def holders(self, namespace: str = "ns") -> set[str]:
        value, _ = self.store.versioned_values.port.read(namespace, NAME)
        return set(permits.decode(value).holders.values())


@pytest.fixture
def bench() -> Bench:
    return Bench()


# ── concurrent ───────────────────────────────────────────────────────────────────────────────────────────────────────


def test_no_more_than_so_many_hold_a_permit(bench: Bench) -> None:
    found = [bench.ask(bench.started(f"r{number}"), 3) for number in range(5)]
    assert found == [Admitted(START)] * 3 + [QUEUED] * 2
    assert bench.holders() == {"r0", "r1", "r2"}


def test_an_activation_that_holds_a_permit_keeps_it_and_writes_nothing(bench: Bench) -> None:
    run = bench.started("r")
    bench.ask(run, 1)
    bench.clock.advance(60 * MINUTE)
    assert bench.ask(bench.started("other"), 1) == QUEUED
    bench.store.versioned_values.calls.clear()
    assert bench.ask(run, 1) == Admitted(bench.clock.now())
    assert bench.store.versioned_values.calls == ["read"]


def test_a_free_limiter_costs_one_read_and_one_write(bench: Bench) -> None:
    bench.ask(bench.started("r"), 1)
    assert bench.store.versioned_values.calls == ["read", "write"]
    assert bench.store.waiters.calls == []
    assert bench.queue.sent == 0


def test_names_and_namespaces_have_permits_of_their_own(bench: Bench) -> None:
    assert isinstance(bench.ask(bench.started("a"), 1), Admitted)
    assert isinstance(bench.ask(bench.started("b"), 1, name="limit/refund"), Admitted)
    assert isinstance(bench.ask(bench.started("a", "other"), 1), Admitted)


def test_a_returned_permit_goes_to_the_waiter_that_came_first(bench: Bench) -> None:
    runs = [bench.started(f"r{number}") for number in range(4)]
    for run in runs:
        bench.ask(run, 1)
    for number in range(3):
        bench.end(runs[number])
        assert bench.delivered() == [f"r{number + 1}"]
        assert bench.holders() == {f"r{number + 1}"}


def test_a_newcomer_does_not_pass_those_that_wait(bench: Bench) -> None:
    first, second, third = (bench.started(name) for name in ("first", "second", "third"))
    bench.ask(first, 1)
    bench.ask(second, 1)
    bench.store.runs.delete(first)
    assert bench.limiter.release(bench.message(first)) is None
    assert bench.ask(third, 1) == QUEUED
    assert bench.delivered() == ["second"]


def test_a_waiter_costs_three_writes_and_one_delivery(bench: Bench) -> None:
    runs = [bench.started(f"r{number}") for number in range(12)]
    for run in runs[:2]:
        bench.ask(run, 1)
    bench.store.versioned_values.calls.clear()
    bench.store.waiters.calls.clear()
    sent = bench.queue.sent
    for run in runs[2:]:
        bench.ask(run, 1)
    assert bench.store.versioned_values.calls.count("write") == 0
    assert bench.store.waiters.calls == ["put"] * 10
    assert bench.queue.sent == sent
    for run in runs[:-1]:
        bench.end(run)
    assert bench.store.versioned_values.calls.count("write") == 11
    assert bench.store.waiters.calls.count("remove") == 11
    assert bench.queue.sent == sent + 11


def test_many_more_waiters_than_one_item_could_hold(bench: Bench) -> None:
    runs = [bench.started(f"{number:05}{'x' * 200}") for number in range(3_000)]
    for run in runs:
        bench.ask(run, 1)
    value, _ = bench.store.versioned_values.read("ns", NAME)
    assert len(value) < 1_000
    for run in runs[:20]:
        bench.end(run)
    assert bench.delivered() == [run.name for run in runs[1:21]]


@pytest.mark.parametrize(
    "changes",
    [
        lambda run: {"status": Status.SUCCEEDED, "tokens": ()},
        lambda run: {"status": Status.FAILED, "tokens": run.tokens},  # a stopped run keeps its tokens
        lambda run: {"status": Status.COMPENSATING, "tokens": (replace(run.tokens[0], activation=None),)},
        lambda run: {
            "status": Status.RUNNING,
            "tokens": (replace(run.tokens[0], activation=replace(run.tokens[0].activation, uuid="next")),),
        },
    ],
)
def test_a_permit_is_free_once_its_activation_has_ended(bench: Bench, changes: Callable[[Run], dict[str, Any]]) -> None:
    first, second = bench.started("first"), bench.started("second")
    bench.ask(first, 1)
    bench.ask(second, 1)
    bench.end(first, **changes(first))
    assert bench.delivered() == ["second"]


def test_a_release_that_was_not_committed_returns_nothing(bench: Bench) -> None:
    run = bench.started("r")
    bench.ask(run, 1)
    assert (bench.limiter.release(bench.message(run, version=2)) or 0) > 0  # its writer may still commit
    assert bench.limiter.release(bench.message(run, version=1)) is None  # another decision was committed
    assert bench.holders() == {"r"}


def test_the_release_of_a_deleted_or_replaced_run_counts_at_once(bench: Bench) -> None:
    run, second = bench.started("r"), bench.started("second")
    bench.ask(run, 1)
    bench.ask(second, 1)
    bench.store.runs.delete(run)
    bench.store.runs.create(new(a_run("r", id="another")))
    assert bench.limiter.release(bench.message(run, version=7)) is None
    assert bench.delivered() == ["second"]


def test_a_waiter_that_has_ended_is_passed_over(bench: Bench) -> None:
    runs = [bench.started(f"r{number}") for number in range(5)]
    for run in runs:
        bench.ask(run, 1)
    bench.store.runs.delete(runs[1])
    bench.end(runs[2])
    bench.end(runs[0])
    assert bench.delivered() == ["r3"]
    assert [waiter.run for waiter in bench.store.waiters.first("ns", NAME, 9)] == ["r4"]


def test_a_waiter_of_a_paused_run_leaves_the_queue_without_a_permit(bench: Bench) -> None:
    """Its delivery is sent, so that the run notes it and sends it again when it is continued."""
    first, paused, third = (bench.started(name) for name in ("first", "paused", "third"))
    for run in (first, paused, third):
        bench.ask(run, 1)
    bench.store.runs.save(after(paused, status=Status.PAUSED), paused.version)
    bench.end(first)
    plain, granted = sorted((one for one in bench.sent() if isinstance(one, Deliver)), key=lambda one: one.limiter)
    assert (plain.run, plain.limiter, granted.run, granted.limiter) == ("paused", "", "third", NAME)
    assert bench.holders() == {"third"}


def test_a_delivery_that_comes_before_its_permit_is_written_comes_again(bench: Bench) -> None:
    first, second = bench.started("first"), bench.started("second")
    bench.ask(first, 1)
    bench.ask(second, 1)
    seen: list[Admission] = []

    def intrude(name: str) -> None:
        if name == "write":
            bench.store.versioned_values.before = lambda name: None
            (message,) = bench.sent()
            assert isinstance(message, Deliver)
            seen.append(bench.bring(message, second, 1))
            seen.append(message.granted_in)

    bench.store.versioned_values.before = intrude
    bench.end(first)
    assert isinstance(seen[0], int)
    assert seen[0] > 0
    assert bench.holders() == {"second"}


def test_a_grant_whose_write_was_lost_puts_its_waiter_back(bench: Bench) -> None:
    """Another process was first: the delivery that was sent for nothing waits again."""
    first, second, third = (bench.started(name) for name in ("first", "second", "third"))
    for run in (first, second, third):
        bench.ask(run, 1)
    stale: list[Message] = []

    def intrude(name: str) -> None:
        if name == "write":
            bench.store.versioned_values.before = lambda name: None
            stale.extend(bench.sent())
            bench.store.runs.delete(second)
            bench.end(first)

    bench.store.versioned_values.before = intrude
    assert bench.limiter.serve("ns", NAME, {bench.waiter(first).uuid: None}) is None
    assert [message.run for message in stale] == ["second"]
    assert bench.delivered() == ["third"]
    assert isinstance(stale[0], Deliver)
    assert bench.limiter.take_back(stale[0]) is None
    assert bench.holders() == {"third"}


@pytest.mark.parametrize("is_deleted", [False, True])
def test_a_permit_that_is_taken_after_its_activation_has_ended_is_returned(bench: Bench, is_deleted: bool) -> None:
    """The activation ends between the read of its head and the write of its permit, and `Release` comes in between."""
    first, second = bench.started("first"), bench.started("second")

    def intrude(name: str) -> None:
        if name == "write":
            bench.store.versioned_values.before = lambda name: None
            bench.end(first)
            if is_deleted:
                bench.store.runs.delete(first)

    bench.store.versioned_values.before = intrude
    assert bench.ask(first, 1) == QUEUED
    assert bench.holders() == set()
    assert isinstance(bench.ask(second, 1), Admitted)


def test_the_permit_of_an_activation_that_ended_meanwhile_is_taken_back(bench: Bench) -> None:
    first, second, third = (bench.started(name) for name in ("first", "second", "third"))
    for run in (first, second, third):
        bench.ask(run, 1)
    bench.end(first)
    (message,) = bench.sent()
    assert isinstance(message, Deliver)
    bench.store.runs.delete(second)
    assert bench.limiter.take_back(message) is None
    assert bench.delivered() == ["third"]


def test_of_two_that_ask_at_once_for_the_last_permit_one_gets_it(bench: Bench) -> None:
    slow, quick = bench.started("slow"), bench.started("quick")
    found: list[Admission] = []

    def intrude(name: str) -> None:
        if name == "write" and not found:
            found.append(None)
            found.append(bench.ask(quick, 1))

    bench.store.versioned_values.before = intrude
    assert bench.ask(slow, 1) == QUEUED
    assert found == [None, Admitted(START)]
    bench.end(quick)
    assert bench.delivered() == ["slow"]


def test_a_permit_that_is_returned_while_a_waiter_comes_is_not_lost(bench: Bench) -> None:
    """Between the first look of the newcomer and its place in the queue."""
    first, second = bench.started("first"), bench.started("second")
    bench.ask(first, 1)

    def intrude(name: str) -> None:
        bench.store.waiters.before = lambda name: None
        bench.end(first)

    bench.store.waiters.before = intrude
    assert bench.ask(second, 1) == QUEUED
    assert bench.delivered() == ["second"]
    assert bench.holders() == {"second"}


def test_a_waiter_that_is_granted_while_it_comes_is_delivered_once(bench: Bench) -> None:
    """Between its place in the queue and its second look, another process gives it the permit."""
    first, second = bench.started("first"), bench.started("second")
    bench.ask(first, 1)
    reads = iter(range(99))

    def intrude(name: str) -> None:
        if name == "read" and next(reads) == 1:
            bench.store.versioned_values.write("ns", "another", b"{}", 0)
            value, version = bench.store.versioned_values.port.read("ns", NAME)
            bench.store.versioned_values.port.write(
                "ns", NAME, permits.encode(replace(permits.decode(value), waiting=True)), version
            )
            bench.end(first)

    bench.store.versioned_values.before = intrude
    assert bench.ask(second, 1) == QUEUED
    assert bench.delivered() == ["second"]
    assert bench.holders() == {"second"}


def test_of_two_deliveries_that_were_sent_for_one_permit_one_counts(bench: Bench) -> None:
    """The first write of the permit lost against another process, so a second delivery was sent."""
    first, second = bench.started("first"), bench.started("second")
    bench.ask(first, 1)
    bench.ask(second, 1)

    def intrude(name: str) -> None:
        if name == "write":
            bench.store.versioned_values.before = lambda name: None
            value, version = bench.store.versioned_values.port.read("ns", NAME)
            bench.store.versioned_values.port.write("ns", NAME, value, version)

    bench.store.versioned_values.before = intrude
    bench.end(first)
    sent = bench.sent()
    assert [message.run for message in sent] == ["second", "second"]
    found = [bench.bring(message, second, 1) for message in sent if isinstance(message, Deliver)]
    assert found[0] == QUEUED
    assert isinstance(found[1], Admitted)


def test_a_delivery_that_was_lost_is_replaced_by_any_other_after_ten_minutes(bench: Bench) -> None:
    first, second = bench.started("first"), bench.started("second")
    bench.ask(first, 1)
    bench.ask(second, 1)
    bench.end(first)
    assert len(bench.sent()) == 1  # and is lost
    assert bench.ask(second, 1) == QUEUED
    bench.clock.advance(10 * MINUTE)
    assert isinstance(bench.ask(second, 1), Admitted)


def test_a_delivery_that_loses_every_time_comes_again(bench: Bench) -> None:
    others = iter([bench.started(f"other{number}") for number in range(50)])
    busy = [False]

    def intrude(name: str) -> None:
        if name == "write" and not busy[0]:
            busy[0] = True
            assert isinstance(bench.ask(next(others), 50), Admitted)
            busy[0] = False

    bench.store.versioned_values.before = intrude
    found = bench.ask(bench.started("slow"), 50)
    assert isinstance(found, int)
    assert 250 <= found <= 1_000
    assert len(bench.clock.slept) == limiters.MAX_ATTEMPTS


def test_a_limit_beyond_what_the_store_can_hold_is_what_it_can_hold(bench: Bench) -> None:
    def full(name: str) -> None:
        if name == "write":
            raise TooLarge("400 KB")

    assert isinstance(bench.ask(bench.started("one"), 100_000), Admitted)
    bench.store.versioned_values.before = full
    assert isinstance(bench.ask(bench.started("two"), 100_000), int)


# ── the second net ───────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_permit_that_was_not_returned_is_found_by_a_look(bench: Bench) -> None:
    first, second = bench.started("first"), bench.started("second")
    bench.ask(first, 1)
    bench.ask(bench.started("early"), 1)  # the holders have just been looked at
    bench.ask(second, 1)
    bench.store.runs.delete(first)
    bench.clock.advance(MINUTE)
    (look,) = bench.sent(QueueName.WAKES)
    assert isinstance(look, Serve)
    assert bench.limiter.look(look) is None
    assert bench.delivered() == ["early"]


def test_a_newcomer_looks_if_no_one_has_for_a_minute(bench: Bench) -> None:
    """As after an upgrade from a version that returned no permits."""
    old = b'{"h":{"gone":"nowhere"},"v":1,"n":5,"t":7}'
    bench.store.versioned_values.write("ns", NAME, old, 0)
    assert bench.ask(bench.started("r"), 1) == QUEUED
    assert bench.delivered() == ["r"]


def test_looks_become_rare_while_nothing_changes_and_stop_with_the_queue(bench: Bench) -> None:
    first, second = bench.started("first"), bench.started("second")
    bench.ask(first, 1)
    bench.ask(second, 1)
    looks = 0
    while (due := bench.queue.next_due()) is not None and due[0] < START + 30 * 24 * 60 * MINUTE:
        bench.clock.advance_to(due[0])
        for received in bench.queue.receive(QueueName.WAKES, 10, 0):
            looks += 1
            look = messages.decode(received.body)
            assert isinstance(look, Serve)
            again = bench.limiter.look(look)
            if again is None:
                bench.queue.delete(QueueName.WAKES, [received.receipt])
            else:
                bench.queue.defer(QueueName.WAKES, received.receipt, again)
    assert looks < 200
    bench.end(first)
    bench.end(second)
    bench.clock.advance(13 * 60 * MINUTE)
    (last,) = bench.sent(QueueName.WAKES)
    assert isinstance(last, Serve)
    assert bench.limiter.look(last) is None
    bench.clock.advance(13 * 60 * MINUTE)
    assert bench.sent(QueueName.WAKES) == []


def test_one_look_reads_a_limited_number_of_holders(bench: Bench) -> None:
    many = [bench.started(f"r{number}") for number in range(60)]
    for run in many:
        bench.ask(run, 60)
    bench.ask(bench.started("late"), 60)  # which looks at the first ones
    bench.store.runs.delete(many[-1])
    assert bench.delivered() == []
    found = []
    for _ in range(3):
        bench.store.runs.calls.clear()
        bench.clock.advance(MINUTE)
        bench.limiter.serve("ns", NAME, looks=True)
        found.append((bench.store.runs.calls.count("load"), bench.delivered()))
    assert found == [(25, []), (26, ["late"]), (25, [])]


# ── retries ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def _failed(bench: Bench, run: Run, attempts: int) -> Run:
    (token,) = run.tokens
    assert token.activation
    failed = after(run, tokens=(replace(token, activation=replace(token.activation, attempt=attempts)),))
    bench.store.runs.save(failed, run.version)
    return failed


def test_a_far_retry_returns_the_permit_and_queues_again(bench: Bench) -> None:
    first, second = bench.started("first"), bench.started("second")
    bench.ask(first, 1)
    bench.ask(second, 1)
    failed = _failed(bench, first, 1)
    assert bench.limiter.release(bench.message(first, attempt=1)) is None
    assert bench.delivered() == ["second"]
    assert bench.ask(failed, 1, attempt=1) == QUEUED
    bench.end(second)
    (message,) = bench.sent()
    assert isinstance(message, Deliver)
    assert message.run == "first"
    assert isinstance(bench.bring(message, failed, 1, attempt=1), Admitted)


def test_a_release_that_comes_after_the_retry_returns_nothing(bench: Bench) -> None:
    run = bench.started("r")
    bench.ask(run, 1)
    failed = _failed(bench, run, 1)
    assert isinstance(bench.ask(failed, 1, attempt=1), Admitted)
    assert bench.limiter.release(bench.message(run, attempt=1)) is None
    assert bench.holders() == {"r"}


# ── properties ───────────────────────────────────────────────────────────────────────────────────────────────────────


@given(
    allowed=st.integers(1, 3),
    script=st.lists(
        st.tuples(st.sampled_from(["ask", "ask", "end", "delete", "pass", "again"]), st.integers(0, 7)), max_size=60
    ),
)
def test_permits_never_exceed_the_limit_and_every_run_gets_one(  # noqa: C901 - one small machine
    allowed: int, script: Sequence[tuple[str, int]]
) -> None:
    bench = Bench()
    runs = [bench.started(f"r{number}") for number in range(8)]
    out: list[int] = []
    asked: list[int] = []
    ended: set[int] = set()

    def receive() -> None:
        for message in bench.sent():
            number = int(message.run[1:])
            assert isinstance(message, Deliver)
            if number in ended:
                assert bench.limiter.take_back(message) is None
            elif number not in out and isinstance(bench.bring(message, runs[number], allowed), Admitted):
                waiting = [one for one in asked if one not in out and one not in ended]
                assert waiting[0] == number  # in order
                out.append(number)

    def act(order: str, number: int) -> None:
        if order in ("ask", "again") and number not in ended and (order == "again") is (number in asked):
            if number not in asked:
                asked.append(number)
            if isinstance(bench.ask(runs[number], allowed), Admitted) and number not in out:
                out.append(number)
        if order in ("end", "delete") and number not in ended:
            ended.add(number)
            if number in out:
                out.remove(number)
            if order == "end":
                bench.end(runs[number])
            else:
                bench.store.runs.delete(runs[number])
                assert bench.limiter.release(bench.message(runs[number])) is None
        if order == "pass":
            bench.clock.advance(100)
        receive()
        assert len(out) <= allowed

    for order, number in script:
        act(order, number)
    for number in range(8):
        act("ask", number)
    while out:
        act("end", out[0])
    assert set(range(8)) == ended
    assert bench.holders() == set()
    assert bench.store.waiters.first("ns", NAME, 9) == []


# ── per_second ───────────────────────────────────────────────────────────────────────────────────────────────────────


class Rated(Bench):
    """Runs that ask for slots; what the limiter sends is received when it is due."""

    def __init__(self, **limit: Any) -> None:
        super().__init__()
        self.limit = limit
        self.went: list[tuple[int, str]] = []

    def arrive(self, name: str) -> None:
        found = self.ask(self.started(name), **self.limit)
        if isinstance(found, Admitted):
            self.went.append((max(found.slot, self.clock.now()), name))

    def pass_time(self, milliseconds: int) -> None:
        until = self.clock.now() + milliseconds
        while (due := self.queue.next_due()) is not None and due[0] <= until:
            self.clock.advance_to(due[0])
            for message in (*self.sent(QueueName.WAKES), *self.sent()):
                if isinstance(message, Serve):
                    assert self.limiter.look(message) is None
                elif isinstance(message, Deliver):
                    run = self.store.runs.load("ns", message.run)
                    found = self.bring(message, run, **self.limit)
                    if isinstance(found, Admitted):
                        self.went.append((max(found.slot, self.clock.now()), message.run))
        self.clock.advance_to(until)


def test_deliveries_are_spaced_evenly_and_in_order() -> None:
    bench = Rated(per_second=5)
    for number in range(60):
        bench.arrive(f"r{number:02}")
    bench.pass_time(15_000)
    assert bench.went == [(START + number * 200, f"r{number:02}") for number in range(60)]


def test_a_burst_goes_at_once_after_a_quiet_time() -> None:
    bench = Rated(per_second=4, burst=3)
    for number in range(6):
        bench.arrive(f"r{number}")
    bench.pass_time(60_000)
    assert [at - START for at, _ in bench.went] == [0, 0, 0, 250, 500, 750]
    for number in range(6, 10):
        bench.arrive(f"r{number}")
    assert [at - START for at, _ in bench.went[6:]] == [60_000] * 3


@pytest.mark.parametrize("per_second", [0.01, 0.3, 1, 1.5, 3, 7, 90])
def test_the_rate_is_never_passed_and_nearly_reached(per_second: float) -> None:
    bench = Rated(per_second=per_second)
    expected = max(2, int(20 * per_second))
    for number in range(expected):
        bench.arrive(f"r{number:05}")
    bench.pass_time(int(1_000 * expected / per_second) + 100)
    times = [at for at, _ in bench.went]
    assert len(times) == expected
    assert [name for _, name in bench.went] == sorted(name for _, name in bench.went)
    gaps = [after - before for before, after in pairwise(times)]
    assert min(gaps) >= int(1_000 / per_second) - 1
    assert max(gaps) <= int(1_000 / per_second) + 2


def test_a_waiting_rate_costs_one_write_and_one_message_a_second() -> None:
    bench = Rated(per_second=10)
    for number in range(100):
        bench.arrive(f"r{number:03}")
    bench.store.versioned_values.calls.clear()
    sent = bench.queue.sent
    bench.pass_time(20_000)
    assert len(bench.went) == 100
    assert bench.store.versioned_values.calls.count("write") <= 11
    assert bench.queue.sent - sent <= 100 + 11


def test_waiters_that_have_ended_take_no_slots() -> None:
    bench = Rated(per_second=1)
    for number in range(200):
        bench.arrive(f"r{number:03}")
    for number in range(10, 195):
        bench.store.runs.delete(bench.store.runs.load("ns", f"r{number:03}"))
    bench.pass_time(14_000)
    assert [name for _, name in bench.went][-5:] == ["r195", "r196", "r197", "r198", "r199"]


@pytest.mark.parametrize("per_second", [1e-300, 5e-324, 1e300])
def test_extreme_rates_are_computed(per_second: float) -> None:
    bench = Rated(per_second=per_second)
    for number in range(3):
        bench.arrive(f"r{number}")
    bench.pass_time(1_000)
    assert len(bench.went) == (3 if per_second > 1 else 1)


def test_a_slot_that_is_granted_ahead_holds_a_permit_and_no_one_else_passes() -> None:
    bench = Rated(concurrent=1, per_second=2)
    for name in ("a", "b", "c"):
        bench.arrive(name)
    bench.end(bench.store.runs.load("ns", "a"))
    bench.pass_time(10_000)
    assert bench.went == [(START, "a"), (START + 500, "b")]
    bench.end(bench.store.runs.load("ns", "b"))
    bench.pass_time(0)
    assert bench.went[2:] == [(START + 10_000, "c")]


def test_a_crash_between_a_slot_and_its_delivery_loses_no_waiter() -> None:
    bench = Rated(per_second=0.5)
    for name in ("a", "b"):
        bench.arrive(name)

    class Crash(Exception):
        pass

    bench.clock.advance(2_000)

    def crash(queue: QueueName, bodies: Sequence[str], delay: int = 0, *, early: bool = False) -> None:
        raise Crash

    send, bench.queue.send = bench.queue.send, crash  # type: ignore[method-assign]
    look = Serve(namespace="ns", run="", sent_at=START, version=0, limiter=NAME, due=START)
    with pytest.raises(Crash):
        bench.limiter.look(look)
    bench.queue.send = send  # type: ignore[method-assign]
    bench.clock.advance(90_000)
    assert bench.limiter.look(look) is None  # its message comes again
    bench.pass_time(100)
    assert [name for _, name in bench.went] == ["a", "b"]


# ── late deliveries ──────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(("late", "is_sent"), [(limiters.MAX_LATE_MS - 1, True), (limiters.MAX_LATE_MS, False)])
def test_a_delivery_that_comes_long_after_its_slot_asks_again(late: int, is_sent: bool) -> None:
    """The breaker may have opened since then: the message came back because the process that had it crashed."""
    bench = Bench()
    run, other = bench.started("a"), bench.started("b")
    value = permits.encode(Permits(open_until=START + 10 * MINUTE, holders={bench.waiter(other).uuid: "b"}))
    bench.store.versioned_values.port.write("ns", NAME, value, 0)
    granted = Deliver(
        namespace="ns",
        run="a",
        id=run.id,
        sent_at=START,
        version=0,
        uuid=bench.waiter(run).uuid,
        limiter=NAME,
        slot=bench.clock.now(),
    )
    bench.clock.advance(late)
    assert bench.bring(granted, run) == (Admitted(granted.slot) if is_sent else QUEUED)
