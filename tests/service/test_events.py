"""Published events, early or late: their recipients take each event once and in order."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, cast

import pytest

from chalicelib.adapters.virtual import SequentialIds
from chalicelib.engine.errors import CommandRefused
from chalicelib.model.actions import Options
from chalicelib.model.status import Status
from chalicelib.service.definitions.cache import DefinitionCache
from chalicelib.service.events.event_types import EventRefused, EventTypes
from chalicelib.service.events.publish import IdTaken, Signaler
from chalicelib.service.ports.actions import Taken
from chalicelib.service.ports.definitions import Definition, DefinitionStore, Kind
from chalicelib.service.ports.events import Signal, SignalStore
from chalicelib.service.ports.store import Store
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


def slow_signaler(host: Host, meanwhile: Callable[[], None]) -> Signaler:
    """Return one that calls `meanwhile` whenever it stores an event."""
    made = host.services
    return Signaler(
        made.runs,
        cast(SignalStore, Slow(host.store.signals, meanwhile)),
        host.store.keys,
        host.queue,
        made.definition_cache,
        EventTypes(made.definition_cache),
        made.advancer,
        host.clock,
        SequentialIds("slow"),
    )


def test_an_event_from_before_the_deadline_is_taken_though_the_deadline_passes_while_it_is_stored(host: Host) -> None:
    """The simulator found this with seed 2682: the run was not notified, and its wait ended with TIMEOUT."""
    host.start("pay", order="o")
    host.settle()
    host.clock.advance(2 * DAY - 1)
    published = slow_signaler(host, lambda: host.clock.advance(5)).publish(NS, "payment", key="o", data=7)
    host.settle()
    assert (published.woken, host.path(), host.run().vars) == (("r",), ["First", "Second"], {"first": 7})


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

    signaler = slow_signaler(host, begins_to_wait)
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


# ── declared events ──────────────────────────────────────────────────────────────────────────────────────────────────

DECLARED = """
event payment args = (str order, float amount = 1.5, int count = 1, map more = null); event_end
/
event anything event_end
/
event nothing args = (); event_end
"""


def test_data_of_a_declared_event_gets_its_defaults_and_types(host: Host) -> None:
    host.submit(DECLARED)
    host.start("pay", order="o")
    host.settle()
    publish(host, "payment", "o", {"order": "o", "count": 7.0})
    first = host.run().vars["first"]
    assert first == {"order": "o", "amount": 1.5, "count": 7, "more": None}
    assert isinstance(first["count"], int)


@pytest.mark.parametrize(
    ("name", "data", "fields"),
    [
        ("payment", None, {"data": "must be a map with the args of event 'payment'"}),
        ("payment", {}, {"data.order": "is missing (it must be of type str)"}),
        (
            "payment",
            {"ordr": "x", "amount": "7", "count": 1.5, "more": None},
            {
                "data.ordr": "is not an arg of event 'payment'; did you mean 'order'?",
                "data.order": "is missing (it must be of type str)",
                "data.amount": "must be of type float",
                "data.count": "must be of type int",
            },
        ),
        ("nothing", {"x": 1}, {"data.x": "is not an arg of event 'nothing'"}),
    ],
)
def test_data_that_does_not_fit_is_refused_with_every_problem(
    host: Host, name: str, data: object, fields: dict[str, str]
) -> None:
    host.submit(DECLARED)
    with pytest.raises(EventRefused) as refused:
        publish(host, name, data=data)
    assert refused.value.invalid_fields == fields
    assert host.services.reader.signals(NS, 10) == []
    host.start("pay", order="o")
    with pytest.raises(EventRefused):
        host.services.signaler.signal(NS, host.run(), name, data=data)


def test_an_event_without_args_takes_any_data(host: Host) -> None:
    host.submit(DECLARED)
    for data in (None, 7, {"x": [1]}):
        publish(host, "anything", data=data)
        publish(host, "undeclared", data=data)
    assert len(host.services.reader.signals(NS, 10)) == 6


class Reads:
    """A store that counts the reads of definitions."""

    def __init__(self, definitions: DefinitionStore) -> None:
        self.definitions = self
        self.count = 0
        self._definitions = definitions

    def latest(self, namespace: str, kind: Kind, names: Iterable[str]) -> dict[str, Definition]:
        self.count += 1
        return self._definitions.latest(namespace, kind, names)


@pytest.mark.parametrize("name", ["payment", "undeclared"])
def test_whether_an_event_is_declared_is_read_once_in_a_while(host: Host, name: str) -> None:
    """A container reads neither declarations nor their absence again before they are two seconds old."""
    host.submit(DECLARED)
    reads = Reads(host.store.definitions)
    cache = DefinitionCache(cast(Store, reads), host.clock, Options(), max_age=2_000, max_steps=1)
    counts = []
    for wait in (0, 1_000, 1_000, 1):
        host.clock.advance(wait)
        EventTypes(cache).admitted(NS, name, {"order": "o"})
        counts.append(reads.count)
    assert counts == [1, 1, 1, 2]


def test_an_event_counts_as_declared_at_once_where_it_was_submitted(host: Host) -> None:
    publish(host, "payment")
    host.submit(DECLARED)
    with pytest.raises(EventRefused):
        publish(host, "payment")


def test_an_emit_whose_data_does_not_fit_returns_error(host: Host) -> None:
    host.submit(DECLARED)
    host.submit("""
        flow tells
            input = (any order);
            emit Tell => (DONE -> done | ERROR -> Wrong (error = ${ $error })) {
                event = "payment"; data = ${ { "order": $input.order } };
            };
            set Wrong => (DONE -> done) {};
        flow_end
    """)
    host.start("tells", "good", order="o-1")
    host.start("tells", "bad", order=7)
    host.settle()
    assert host.path("good") == ["Tell", "done"]
    error = host.run("bad").vars["error"]
    assert (error["name"], error["status"]) == ("Refused", 422)
    assert "data.order must be of type str" in error["cause"]
    assert [signal.data["order"] for signal in host.services.reader.signals(NS, 10)] == ["o-1"]


# ── ids ──────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_an_event_with_the_same_id_is_the_same_event(host: Host) -> None:
    host.start("pay", order="o")
    host.settle()
    publish_again = host.services.signaler.publish
    first = publish_again(NS, "payment", key="o", data=1, event_id="e-1")
    assert first.woken == ("r",)
    host.settle()
    host.clock.advance(HOUR)
    again = publish_again(NS, "payment", key="o", data=1, event_id="e-1")
    host.settle()
    assert again.signal == first.signal
    assert (host.path(), host.run().vars) == (["First", "Second"], {"first": 1})
    assert len(host.services.reader.signals(NS, 10)) == 1
    publish_again(NS, "payment", key="o", data=1, event_id="e-2")
    host.settle()
    assert host.run().status is Status.SUCCEEDED


def test_an_id_is_not_used_for_another_event(host: Host) -> None:
    host.services.signaler.publish(NS, "payment", key="o", data=1, event_id="e-1")
    for key, data in (("p", 1), ("o", 2)):
        with pytest.raises(IdTaken):
            host.services.signaler.publish(NS, "payment", key=key, data=data, event_id="e-1")
    host.services.signaler.publish("other", "payment", key="p", data=1, event_id="e-1")
    host.clock.advance(DAY + 1)
    host.services.signaler.publish(NS, "payment", key="p", data=1, event_id="e-1")
