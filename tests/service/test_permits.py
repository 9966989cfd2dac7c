"""Limits of actions: which deliveries are sent, when others retry, and that permits never leak."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from threading import Lock
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from chalicelib.adapters.memory import MemoryQueue, MemoryStore
from chalicelib.adapters.virtual import SequentialIds
from chalicelib.model.actions import Action, Limit, Method, Options
from chalicelib.model.compiled_step import Invocation
from chalicelib.model.run import Run
from chalicelib.model.status import Status
from chalicelib.service.deliveries import permits
from chalicelib.service.deliveries.deliver import Deliverer
from chalicelib.service.deliveries.delivery_check import DeliveryChecker
from chalicelib.service.deliveries.direct_client import DirectClient
from chalicelib.service.deliveries.permits import Limiter
from chalicelib.service.deliveries.webhook_client import WebhookClient
from chalicelib.service.errors import Busy, TooLarge
from chalicelib.service.messages import Deliver
from chalicelib.service.ports.actions import Taken
from chalicelib.service.ports.queues import QueueName
from tests.adapters.samples import a_run, after, new
from tests.fakes import START, FakeClock
from tests.hosts import NS, Host


def invocation(concurrent: int | None = None, per_second: float | None = None, action: str = "charge") -> Invocation:
    options = Options(limit=Limit(concurrent=concurrent, per_second=per_second))
    return Invocation(Action(name=action, returns=("OK",)), options, {}, ("OK",))


@dataclass
class Watched:
    """Wraps a port: counts its calls, and calls `before` first."""

    port: Any
    calls: list[str] = field(default_factory=list)
    before: Callable[[str], None] = lambda name: None

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


class Bench:
    """A limiter with a store in memory, and runs that wait at one step each."""

    def __init__(self, clock: FakeClock | None = None) -> None:
        self.clock, self.store = clock or FakeClock(), WatchedStore()
        self.limiter = Limiter(self.store, self.clock, SequentialIds())

    def started(self, name: str, namespace: str = "ns") -> Run:
        run = a_run(name, namespace)
        self.store.runs.create(new(run))
        return run

    def ask(self, run: Run, asked: Invocation) -> int:
        activation = run.tokens[0].activation
        assert activation is not None
        return self.limiter.admit(run, activation, asked)

    def end(self, run: Run, **changes: Any) -> None:
        self.store.runs.save(after(run, **({"status": Status.SUCCEEDED, "tokens": ()} | changes)), run.version)


@pytest.fixture
def bench() -> Bench:
    return Bench()


# ── concurrent ───────────────────────────────────────────────────────────────────────────────────────────────────────


def test_an_action_without_limits_touches_no_cell(bench: Bench) -> None:
    run = bench.started("r")
    unlimited = Invocation(Action(name="charge", returns=()), Options(), {}, ())
    assert [bench.ask(run, unlimited), bench.ask(run, invocation())] == [0, 0]
    assert bench.store.versioned_values.calls == []


def test_no_more_than_so_many_hold_a_permit(bench: Bench) -> None:
    waits = [bench.ask(bench.started(f"r{number}"), invocation(3)) for number in range(5)]
    assert waits[:3] == [0, 0, 0]
    assert all(250 <= wait <= 1_000 for wait in waits[3:])


def test_who_holds_a_permit_keeps_it_and_writes_nothing(bench: Bench) -> None:
    run = bench.started("r")
    assert bench.ask(run, invocation(1)) == 0
    bench.clock.advance(3_600_000)
    assert bench.ask(bench.started("other"), invocation(1)) > 0
    bench.store.versioned_values.calls.clear()
    assert bench.ask(run, invocation(1)) == 0
    assert bench.store.versioned_values.calls == ["read"]


def test_actions_and_namespaces_have_permits_of_their_own(bench: Bench) -> None:
    assert bench.ask(bench.started("a"), invocation(1)) == 0
    assert bench.ask(bench.started("b"), invocation(1, action="refund")) == 0
    assert bench.ask(bench.started("a", "other"), invocation(1)) == 0


def _replaced(run: Run) -> dict[str, Any]:
    token = run.tokens[0]
    assert token.activation is not None
    return {"status": Status.RUNNING, "tokens": (replace(token, activation=replace(token.activation, uuid="next")),)}


@pytest.mark.parametrize(
    "changes",
    [
        lambda run: {"status": Status.SUCCEEDED, "tokens": ()},
        lambda run: {"status": Status.FAILED, "tokens": run.tokens},  # a stopped run keeps its tokens
        lambda run: {"status": Status.CANCELED, "tokens": run.tokens},
        lambda run: {"status": Status.COMPENSATING, "tokens": (replace(run.tokens[0], activation=None),)},
        _replaced,  # as after an answer, or TIMEOUT
    ],
)
def test_a_permit_is_free_once_its_activation_has_ended(bench: Bench, changes: Callable[[Run], dict[str, Any]]) -> None:
    first, second = bench.started("first"), bench.started("second")
    assert bench.ask(first, invocation(1)) == 0
    assert bench.ask(second, invocation(1)) > 0
    bench.end(first, **changes(first))
    bench.clock.advance(250)
    assert bench.ask(second, invocation(1)) == 0


def test_a_permit_is_free_once_its_run_is_deleted_or_replaced(bench: Bench) -> None:
    one, two, three = (bench.started(name) for name in ("one", "two", "three"))
    assert bench.ask(one, invocation(1)) == 0
    bench.store.runs.delete(one)
    assert bench.ask(two, invocation(1)) == 0
    bench.store.runs.delete(two)
    bench.store.runs.create(new(a_run("two", id="another", tokens=three.tokens)))
    bench.clock.advance(250)
    assert bench.ask(three, invocation(1)) == 0


def test_a_paused_run_keeps_its_permit(bench: Bench) -> None:
    first = bench.started("first")
    bench.ask(first, invocation(1))
    bench.end(first, status=Status.PAUSED, tokens=first.tokens)
    bench.clock.advance(250)
    assert bench.ask(bench.started("second"), invocation(1)) > 0


def test_holders_are_verified_a_few_at_a_time_and_a_few_times_a_second(bench: Bench) -> None:
    many = [bench.started(f"r{number}") for number in range(60)]
    for run in many:
        bench.ask(run, invocation(60))
    bench.end(many[-1])
    late = bench.started("late")
    loads = []
    for _ in range(5):
        bench.store.runs.calls.clear()
        waits = {bench.ask(late, invocation(60)) > 0 for _ in range(9)}
        loads.append((bench.store.runs.calls.count("load"), waits))
        bench.clock.advance(250)
    assert loads == [(25, {True}), (25, {True}), (25, {False}), (0, {False}), (0, {False})]


def test_of_two_that_ask_at_once_for_the_last_permit_one_gets_it(bench: Bench) -> None:
    slow, quick = bench.started("slow"), bench.started("quick")
    answers: list[int] = []

    def intrude(name: str) -> None:
        if name == "write" and not answers:
            answers.append(-1)
            answers.append(bench.ask(quick, invocation(1)))

    bench.store.versioned_values.before = intrude
    assert bench.ask(slow, invocation(1)) > 0
    assert answers == [-1, 0]


def test_who_loses_every_time_comes_again(bench: Bench) -> None:
    """Others write before each of its writes. It stops retrying, and gets no permit."""
    others = iter([bench.started(f"other{number}") for number in range(50)])
    busy = [False]

    def intrude(name: str) -> None:
        if name == "write" and not busy[0]:
            busy[0] = True
            assert bench.ask(next(others), invocation(50)) == 0
            busy[0] = False

    bench.store.versioned_values.before = intrude
    assert 250 <= bench.ask(bench.started("slow"), invocation(50)) <= 1_000
    assert len(bench.clock.slept) == permits.MAX_ATTEMPTS


def test_a_limit_beyond_what_the_store_can_hold_is_what_it_can_hold(bench: Bench) -> None:
    def full(name: str) -> None:
        if name == "write":
            raise TooLarge("400 KB")

    assert bench.ask(bench.started("one"), invocation(100_000)) == 0
    bench.store.versioned_values.before = full
    assert bench.ask(bench.started("two"), invocation(100_000)) > 0


@given(
    allowed=st.integers(1, 3),
    script=st.lists(
        st.tuples(st.sampled_from(["ask", "ask", "end", "delete", "pass"]), st.integers(0, 7)), max_size=60
    ),
)
def test_permits_never_exceed_the_limit_and_every_run_gets_one(allowed: int, script: Sequence[tuple[str, int]]) -> None:
    bench = Bench()
    runs = [bench.started(f"r{number}") for number in range(8)]
    out: set[int] = set()
    ended: set[int] = set()
    for order, number in script:
        if order == "ask" and number not in ended and bench.ask(runs[number], invocation(allowed)) == 0:
            out.add(number)
        if order in ("end", "delete") and number not in ended:
            bench.end(runs[number]) if order == "end" else bench.store.runs.delete(runs[number])
            ended.add(number)
            out.discard(number)
        if order == "pass":
            bench.clock.advance(100)
        assert len(out) <= allowed
    for number in out:
        bench.end(runs[number])
    for number in set(range(8)) - ended - out:
        bench.clock.advance(250)
        assert bench.ask(runs[number], invocation(allowed)) == 0
        bench.end(runs[number])


class Ticking(FakeClock):
    """A clock that advances each time it is read."""

    def now(self) -> int:
        self.advance(20)
        return super().now()


def test_threads_share_the_permits() -> None:
    bench, lock = Bench(Ticking()), Lock()
    out: set[str] = set()
    most = 0

    def work(run: Run) -> int:
        nonlocal most
        asked = 1
        while bench.ask(run, invocation(3)):
            asked += 1
        with lock:
            out.add(run.name)
            most = max(most, len(out))
        with lock:
            out.discard(run.name)
        bench.end(run)
        return asked

    runs = [bench.started(f"r{number}") for number in range(60)]
    with ThreadPoolExecutor(12) as pool:
        assert len(list(pool.map(work, runs))) == 60
    assert 0 < most <= 3


# ── per_second ───────────────────────────────────────────────────────────────────────────────────────────────────────


def test_after_a_pause_a_second_s_worth_goes_at_once_and_then_one_per_interval(bench: Bench) -> None:
    run = bench.started("r")
    assert [bench.ask(run, invocation(per_second=4)) for _ in range(7)] == [0, 0, 0, 0, 250, 500, 750]


def test_each_delivery_is_admitted_exactly_at_its_slot(bench: Bench) -> None:
    run = bench.started("r")
    crowd = [wait for _ in range(12) if (wait := bench.ask(run, invocation(per_second=3)))]
    assert crowd == [334, 667, 1_000, 1_334, 1_667, 2_000, 2_334, 2_667, 3_000]
    for slot in crowd:
        bench.clock.advance(START + slot - bench.clock.now() - 1)
        too_early = bench.ask(run, invocation(per_second=3))
        assert too_early > 0
        bench.clock.advance(1)
        assert bench.ask(run, invocation(per_second=3)) == 0


@pytest.mark.parametrize("per_second", [0.25, 0.3, 1, 1.5, 3, 7, 1000])
def test_in_the_long_run_the_rate_is_never_passed_and_nearly_reached(bench: Bench, per_second: float) -> None:
    run, asked, went, span = bench.started("r"), invocation(per_second=per_second), 0, 60_000
    while bench.clock.now() <= START + span:
        wait = bench.ask(run, asked)
        went += not wait
        bench.clock.advance(max(wait, 1) if per_second < 1000 else 0 if not wait else 1)
    assert went <= per_second * span / 1000 * 1.00001 + max(1, per_second)
    assert went >= per_second * span / 1000 * 0.99


def test_a_single_waiter_is_admitted_at_its_assigned_time(bench: Bench) -> None:
    run = bench.started("r")
    assert bench.ask(run, invocation(per_second=0.5)) == 0
    assert bench.ask(run, invocation(per_second=0.5)) == 2_000
    bench.clock.advance(2_000)
    assert bench.ask(run, invocation(per_second=0.5)) == 0


def test_slots_are_assigned_at_most_half_a_minute_ahead(bench: Bench) -> None:
    run = bench.started("r")
    waits = [bench.ask(run, invocation(per_second=1)) for _ in range(200)]
    assert waits[:32] == [n * 1_000 for n in range(32)]
    assert all(1_000 <= wait <= 1_000 + permits.SLOT_HORIZON_MS for wait in waits[32:])
    bench.store.versioned_values.calls.clear()
    bench.ask(run, invocation(per_second=1))
    assert bench.store.versioned_values.calls == ["read"]


@pytest.mark.parametrize("per_second", [1e-300, 5e-324, 1e300])
def test_extreme_rates_are_computed(bench: Bench, per_second: float) -> None:
    run = bench.started("r")
    waits = [bench.ask(run, invocation(per_second=per_second)) for _ in range(3)]
    assert waits[0] == 0
    assert (waits[1] > 0) == (per_second < 1)


def test_who_waits_for_a_slot_holds_no_permit(bench: Bench) -> None:
    both = invocation(concurrent=2, per_second=1)
    first, second = bench.started("first"), bench.started("second")
    assert [bench.ask(first, both), bench.ask(second, both)] == [0, 1_000]
    bench.store.runs.delete(second)
    bench.clock.advance(1_000)
    assert bench.ask(bench.started("third"), both) == 0


def test_who_finds_no_permit_takes_no_slot(bench: Bench) -> None:
    both = invocation(concurrent=1, per_second=1)
    first, second = bench.started("first"), bench.started("second")
    bench.ask(first, both)
    for _ in range(10):
        assert 250 <= bench.ask(second, both) <= 1_000
    bench.end(first)
    bench.clock.advance(1_000)
    assert bench.ask(second, both) == 0


# ── from the text to the delivery ────────────────────────────────────────────────────────────────────────────────────

LIMITED = """
action work
    addr = "http://x/";
    return = (OK);
    limit = (concurrent = 2);
action_end
/
flow f
    step One => (OK -> done) { action = work; };
flow_end
"""


def taken_in(host: Host) -> list[str]:
    return [request["flowId"] for request in host.actions.requests]


def test_deliveries_over_the_limit_wait_for_an_answer() -> None:
    host = Host(lambda request: Taken())
    host.submit(LIMITED)
    names = [f"r{number}" for number in range(5)]
    for name in names:
        host.start("f", name)
    host.settle()
    for done in range(5):
        host.pass_time(1_500)
        out = taken_in(host)[done:]
        assert len(out) == min(2, 5 - done)
        host.answer("One", "OK", out[0])
    host.pass_time(2_000)
    assert sorted(taken_in(host)) == names
    assert {host.run(name).status for name in names} == {Status.SUCCEEDED}


def test_a_long_wait_for_a_permit_is_not_dead_lettered() -> None:
    host = Host(lambda request: Taken())
    host.submit(LIMITED)
    for number in range(3):
        host.start("f", f"r{number}")
    host.pass_time(300_000)
    assert len(taken_in(host)) == 2
    assert host.queue.receive(QueueName.DEAD, 10, 0) == []


@pytest.mark.parametrize("fate", ["timeout", "stop", "delete"])
def test_a_permit_comes_back_however_its_step_ends(fate: str) -> None:
    host = Host(lambda request: Taken())
    host.submit(LIMITED.replace("concurrent = 2);", "concurrent = 1);\n    timeout = 10m;"))
    host.start("f", "first")
    host.pass_time(300_000)
    host.start("f", "second")
    host.settle()
    assert taken_in(host) == ["first"]
    if fate == "timeout":
        host.pass_time(302_000)
    else:
        stopped = host.services.operator.stop(NS, "first")
        if fate == "delete":
            host.services.runs.delete(stopped)
        host.pass_time(2_000)
    assert taken_in(host) == ["first", "second"]


def test_a_step_s_own_limit_wins() -> None:
    host = Host(lambda request: Taken())
    host.submit(LIMITED.replace("action = work;", "action = work; limit = (concurrent = 1);"))
    for number in range(3):
        host.start("f", f"r{number}")
    host.pass_time(3_000)
    assert len(taken_in(host)) == 1


class Broken(MemoryQueue):
    def send(self, queue: QueueName, bodies: Sequence[str], delay: int = 0) -> None:
        raise Busy("not now")


def test_a_queue_that_takes_nothing_keeps_the_message() -> None:
    host = Host(lambda request: Taken())
    host.submit(LIMITED.replace("concurrent = 2", "concurrent = 1"))
    host.start("f", "first")
    host.settle()
    run = host.start("f", "second")
    made, clock = host.services, host.clock
    checker = DeliveryChecker(made.definition_cache, Limiter(host.store, clock, SequentialIds()), clock)
    webhook_client = WebhookClient(host.actions, clock, made.secrets, "", lambda: b"k")
    direct = DirectClient(host.actions, clock, made.secrets)
    deliverer = Deliverer(
        made.runs, made.definition_cache, made.advancer, checker, webhook_client, direct, Broken(clock), clock
    )
    message = Deliver(namespace=NS, run=run.name, sent_at=clock.now(), version=1, uuid=host.uuid("One", "second"))
    (verdict,) = deliverer.deliver([message])
    assert verdict is not None
    assert 250 <= verdict <= 1_000


def test_people_have_no_limits() -> None:
    host = Host()
    host.submit(LIMITED.replace('addr = "http://x/";', "method = human;").replace("concurrent = 2", "concurrent = 1"))
    assert host.services.definition_cache.of(host.start("f", "r")).actions["work"].method is Method.HUMAN
    host.start("f", "s")
    host.settle()
    assert [host.answer("One", "OK", name) for name in "rs"]
    assert host.store.versioned_values.read(NS, "limit/work") == (b"", 0)
