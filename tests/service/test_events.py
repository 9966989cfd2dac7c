"""Published events, early or late: their recipients take each event once and in order."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import pytest

from chalicelib.adapters.virtual import SequentialIds
from chalicelib.engine.errors import CommandRefused
from chalicelib.model.status import Status
from chalicelib.service.events.publish import Signaler
from chalicelib.service.ports.actions import Taken
from chalicelib.service.ports.events import Signal, SignalStore
from tests.hosts import NS, Host

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
def host() -> Host:
    made = Host()
    made.submit(PAYMENT)
    return made


def publish(host: Host, name: str, key: str = "", data: object = None, ttl: int = DAY) -> None:
    host.services.signaler.publish(NS, name, key=key, data=data, ttl=ttl)
    host.settle()


def test_an_event_wakes_the_run_that_waits_for_its_key(host: Host) -> None:
    for name in ("o1", "o2"):
        host.start("pay", name, order=name)
    host.settle()
    publish(host, "payment", "o2", 7)
    assert [host.path("o1"), host.path("o2")] == [["First"], ["First", "Second"]]
    assert host.run("o2").vars == {"first": 7}


def test_one_event_is_taken_once_though_the_run_waits_for_its_like_again(host: Host) -> None:
    host.start("pay", order="o")
    host.settle()
    publish(host, "payment", "o", 1)
    host.settle()
    assert host.path() == ["First", "Second"]
    publish(host, "payment", "o", 2)
    assert (host.run().status, host.run().vars) == (Status.SUCCEEDED, {"first": 1, "second": 2})


def test_events_that_came_early_are_taken_in_the_order_in_which_they_came(host: Host) -> None:
    for data in (1, 2):
        publish(host, "payment", "o", data)
        host.clock.advance(10)
    host.start("pay", order="o")
    host.settle()
    assert (host.run().status, host.run().vars) == (Status.SUCCEEDED, {"first": 1, "second": 2})


def test_a_long_row_of_early_events_is_taken_one_by_one(host: Host) -> None:
    """There are more events than a run remembers one by one, and some have the same time."""
    host.submit("""
        flow many
            vars = (seen = []);
            wait Next => (GO -> More) { events = (GO = "go"); save = (seen = ${ $append($vars.seen, $event.data) }); };
            deci More => (when ${ $count($vars.seen) < 60 } -> Next | else -> done);
        flow_end
    """)
    for number in range(70):
        publish(host, "go", data=number)
        host.clock.advance(number % 3)
    host.start("many")
    host.settle()
    assert (host.run().status, len(set(host.run().vars["seen"]))) == (Status.SUCCEEDED, 60)


def test_an_early_event_is_not_kept_longer_than_its_ttl(host: Host) -> None:
    publish(host, "payment", "o", 1, ttl=1_000)
    host.clock.advance(1_001)
    host.start("pay", order="o")
    host.settle()
    assert host.path() == ["First"]


def test_an_event_that_nobody_keeps_still_reaches_who_waits_already(host: Host) -> None:
    host.start("pay", order="o")
    host.settle()
    publish(host, "payment", "o", 1, ttl=0)
    assert host.path() == ["First", "Second"]


def test_the_first_of_several_events_decides(host: Host) -> None:
    host.start("pay", order="o")
    host.settle()
    publish(host, "cancel", "o")
    assert host.run().status is Status.FAILED
    publish(host, "payment", "o")
    assert host.run().status is Status.FAILED


def test_a_wait_ends_by_its_timeout(host: Host) -> None:
    host.start("pay", order="o")
    host.settle()
    host.pass_time(2 * DAY + 60_000)
    assert host.run().tail[-1].state == "TIMEOUT"
    assert host.run().status is Status.FAILED


def test_a_signal_reaches_only_its_run_with_any_key_and_even_early(host: Host) -> None:
    for name in ("a", "b"):
        host.start("pay", name, order="same")
    host.settle()
    for data in ("x", "y"):
        host.services.signaler.signal(NS, host.run("a"), "payment", data=data)
        host.clock.advance(1)
    host.settle()
    assert (host.run("a").status, host.run("a").vars) == (Status.SUCCEEDED, {"first": "x", "second": "y"})
    assert host.path("b") == ["First"]
    with pytest.raises(CommandRefused, match="cannot take a signal"):
        host.services.signaler.signal(NS, host.run("a"), "payment")


class Slow:
    """A slow store of signals: `meanwhile` is called during each write."""

    def __init__(self, signals: SignalStore, meanwhile: Callable[[], None]) -> None:
        self._signals = signals
        self._meanwhile = meanwhile

    def __getattr__(self, name: str) -> Any:
        return getattr(self._signals, name)

    def put(self, namespace: str, signal: Signal) -> None:
        self._meanwhile()
        self._signals.put(namespace, signal)


def test_a_signal_reaches_a_run_that_began_to_wait_while_it_was_being_kept(host: Host) -> None:
    """The simulator found this with seed 470371."""
    host.actions.script = lambda request: Taken()
    host.submit("""
        action work addr = "http://work.test/"; return = (OK); action_end
        / flow late
            step Work => (OK -> Go) { action = work; };
            wait Go   => (GO -> done) { events = (GO = "go"); };
        flow_end
    """)
    run = host.start("late")
    host.settle()

    def begins_to_wait() -> None:
        host.answer("Work", "OK")
        host.settle()

    made, signals = host.services, cast(SignalStore, Slow(host.store.signals, begins_to_wait))
    signaler = Signaler(
        made.runs,
        signals,
        host.store.keys,
        host.queue,
        made.definition_cache,
        made.advancer,
        host.clock,
        SequentialIds("slow"),
    )
    signaler.signal(NS, run, "go")
    host.settle()
    assert host.run().status is Status.SUCCEEDED


def test_a_number_and_its_text_are_the_same_key(host: Host) -> None:
    host.submit(
        "flow n input = (int id); wait W => (GO -> done | TIMEOUT -> stopped) "
        '{ events = (GO = "go"); key = ${ $input.id }; timeout = 1h; }; flow_end'
    )
    host.start("n", id=7)
    host.settle()
    publish(host, "go", "7")
    assert host.run().status is Status.SUCCEEDED


def test_a_paused_run_takes_its_event_and_sends_nothing(host: Host) -> None:
    host.start("pay", order="o")
    host.settle()
    host.services.operator.pause(NS, "r")
    publish(host, "payment", "o")
    assert (host.run().status, host.path()) == (Status.PAUSED, ["First", "suspend", "Second"])


def test_of_two_events_at_the_same_moment_both_are_taken(host: Host) -> None:
    """The sort order does not matter: two events can have the same time, and clocks differ."""
    for n in range(20):
        host.start("pay", f"r{n}", order=f"o{n}")
        host.settle()
        publish(host, "payment", f"o{n}", 1)
        publish(host, "payment", f"o{n}", 2)
        assert host.run(f"r{n}").status is Status.SUCCEEDED
