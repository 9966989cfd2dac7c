"""Published events: early or late, each taken once and in order, by the runs that they are meant for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import pytest

from chalicelib.engine.errors import CommandRefused
from chalicelib.model.status import Status
from chalicelib.service.events.publish import Signaler
from chalicelib.service.ports.actions import Taken
from chalicelib.service.ports.events import Signal, SignalStore
from tests.fakes import FakeIds
from tests.service.world import NS, Small

HOUR = 3_600_000
DAY = 24 * HOUR

PAYMENT = """
flow pay
    input = (str order);
    wait First => (PAID -> Second | CANCELLED -> stopped | TIMEOUT -> stopped) {
        events = (PAID = "payment", CANCELLED = "cancel"); key = ${ $input.order }; timeout = 2d;
        save = (first = ${ $event.data });
    };
    wait Second => (PAID -> done | TIMEOUT -> stopped) {
        events = (PAID = "payment"); key = ${ $input.order }; timeout = 2d; save = (second = ${ $event.data });
    };
flow_end
"""


@pytest.fixture
def small() -> Small:
    made = Small()
    made.submit(PAYMENT)
    return made


def publish(small: Small, name: str, key: str = "", data: object = None, ttl: int = DAY) -> None:
    small.services.signaler.publish(NS, name, key=key, data=data, ttl=ttl)
    small.settle()


def test_an_event_wakes_the_run_that_waits_for_its_key(small: Small) -> None:
    for name in ("o1", "o2"):
        small.start("pay", name, order=name)
    small.settle()
    publish(small, "payment", "o2", 7)
    assert [small.path("o1"), small.path("o2")] == [["First"], ["First", "Second"]]
    assert small.run("o2").vars == {"first": 7}


def test_one_event_is_taken_once_though_the_run_waits_for_its_like_again(small: Small) -> None:
    small.start("pay", order="o")
    small.settle()
    publish(small, "payment", "o", 1)
    small.settle()
    assert small.path() == ["First", "Second"]
    publish(small, "payment", "o", 2)
    assert (small.run().status, small.run().vars) == (Status.SUCCEEDED, {"first": 1, "second": 2})


def test_events_that_came_early_are_taken_in_the_order_in_which_they_came(small: Small) -> None:
    for data in (1, 2):
        publish(small, "payment", "o", data)
        small.clock.advance(10)
    small.start("pay", order="o")
    small.settle()
    assert (small.run().status, small.run().vars) == (Status.SUCCEEDED, {"first": 1, "second": 2})


def test_a_long_row_of_early_events_is_taken_one_by_one(small: Small) -> None:
    """More than a run remembers one by one, and some of them at the same moment."""
    small.submit("""
        flow many
            vars = (seen = []);
            wait Next => (GO -> More) { events = (GO = "go"); save = (seen = ${ $append($vars.seen, $event.data) }); };
            deci More => (when ${ $count($vars.seen) < 60 } -> Next | else -> done);
        flow_end
    """)
    for number in range(70):
        publish(small, "go", data=number)
        small.clock.advance(number % 3)
    small.start("many")
    small.settle()
    assert (small.run().status, len(set(small.run().vars["seen"]))) == (Status.SUCCEEDED, 60)


def test_an_early_event_is_not_kept_longer_than_its_ttl(small: Small) -> None:
    publish(small, "payment", "o", 1, ttl=1_000)
    small.clock.advance(1_001)
    small.start("pay", order="o")
    small.settle()
    assert small.path() == ["First"]


def test_an_event_that_nobody_keeps_still_reaches_who_waits_already(small: Small) -> None:
    small.start("pay", order="o")
    small.settle()
    publish(small, "payment", "o", 1, ttl=0)
    assert small.path() == ["First", "Second"]


def test_the_first_of_several_events_decides(small: Small) -> None:
    small.start("pay", order="o")
    small.settle()
    publish(small, "cancel", "o")
    assert small.run().status is Status.FAILED
    publish(small, "payment", "o")
    assert small.run().status is Status.FAILED


def test_a_wait_ends_by_its_timeout(small: Small) -> None:
    small.start("pay", order="o")
    small.settle()
    small.pass_time(2 * DAY + 60_000)
    assert small.run().tail[-1].state == "TIMEOUT"
    assert small.run().status is Status.FAILED


def test_a_signal_reaches_its_run_alone_whatever_its_key_and_even_early(small: Small) -> None:
    for name in ("a", "b"):
        small.start("pay", name, order="same")
    small.settle()
    for data in ("x", "y"):
        small.services.signaler.signal(NS, small.run("a"), "payment", data=data)
        small.clock.advance(1)
    small.settle()
    assert (small.run("a").status, small.run("a").vars) == (Status.SUCCEEDED, {"first": "x", "second": "y"})
    assert small.path("b") == ["First"]
    with pytest.raises(CommandRefused, match="cannot take a signal"):
        small.services.signaler.signal(NS, small.run("a"), "payment")


class Slow:
    """Signals that take their time to be kept: `meanwhile` is what happens in it."""

    def __init__(self, signals: SignalStore, meanwhile: Callable[[], None]) -> None:
        self._signals = signals
        self._meanwhile = meanwhile

    def __getattr__(self, name: str) -> Any:
        return getattr(self._signals, name)

    def put(self, namespace: str, signal: Signal) -> None:
        self._meanwhile()
        self._signals.put(namespace, signal)


def test_a_signal_reaches_a_run_that_began_to_wait_while_it_was_being_kept(small: Small) -> None:
    """The simulator's seed 470371."""
    small.actions.script = lambda request: Taken()
    small.submit("""
        action work addr = "http://work.test/"; return = (OK); action_end
        / flow late
            step Work => (OK -> Go) { action = work; };
            wait Go   => (GO -> done) { events = (GO = "go"); };
        flow_end
    """)
    run = small.start("late")
    small.settle()

    def begins_to_wait() -> None:
        small.answer("Work", "OK")
        small.settle()

    made, signals = small.services, cast(SignalStore, Slow(small.store.signals, begins_to_wait))
    signaler = Signaler(
        made.runs, signals, small.queue, made.definition_cache, made.advancer, small.clock, FakeIds("slow")
    )
    signaler.signal(NS, run, "go")
    small.settle()
    assert small.run().status is Status.SUCCEEDED


def test_a_number_and_its_text_are_the_same_key(small: Small) -> None:
    small.submit(
        "flow n input = (int id); wait W => (GO -> done | TIMEOUT -> stopped) "
        '{ events = (GO = "go"); key = ${ $input.id }; timeout = 1h; }; flow_end'
    )
    small.start("n", id=7)
    small.settle()
    publish(small, "go", "7")
    assert small.run().status is Status.SUCCEEDED


def test_a_paused_run_takes_its_event_and_sends_nothing(small: Small) -> None:
    small.start("pay", order="o")
    small.settle()
    small.services.operator.pause(NS, "r")
    publish(small, "payment", "o")
    assert (small.run().status, small.path()) == (Status.PAUSED, ["First", "suspend", "Second"])


def test_of_two_events_at_the_same_moment_both_are_taken(small: Small) -> None:
    """Whichever of them sorts first; a moment is shared, and clocks differ."""
    for n in range(20):
        small.start("pay", f"r{n}", order=f"o{n}")
        small.settle()
        publish(small, "payment", f"o{n}", 1)
        publish(small, "payment", f"o{n}", 2)
        assert small.run(f"r{n}").status is Status.SUCCEEDED
