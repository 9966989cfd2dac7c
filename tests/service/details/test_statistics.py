"""Deliveries of an action in the last hour, and how many of its activations are in flight."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from chalicelib import hosting
from chalicelib.adapters.memory import MemoryStore
from chalicelib.service.deliveries.statistics import MINUTE_MS, DeliveryStatistics
from chalicelib.service.ports.actions import NotTaken, Taken
from tests.entrypoints.gateway import call
from tests.fakes import FakeClock
from tests.hosts import NS, Host

LIMITED = """action work addr = "http://work.test/"; return = (OK); limit = (concurrent = 2);
    retry = (max = 9, delay = 1h); breaker = (failures = 99, pause = 1h); action_end
/
action other addr = "http://other.test/"; return = (OK); action_end
/
flow f step A => (OK -> done) { action = work; }; flow_end
/
flow g step A => (OK -> done) { action = other; }; flow_end"""


def status(name: str) -> dict[str, Any]:
    found: dict[str, Any] = call("GET", f"/action/{name}").json["status"]
    return found


def test_activations_in_flight_and_waiting_are_counted(host: Host) -> None:
    host.submit(LIMITED)
    for name in "abcde":
        host.start("f", name)
    host.start("g", "z")
    host.settle()
    found = status("work")
    assert (found["in_flight"], found["waiting"], found["counted_runs"], found["complete"]) == (2, 3, 6, True)
    assert status("other")["in_flight"] == 1
    assert found["last_hour"] is None
    host.answer("A", "OK", "a")
    host.settle()
    assert (status("work")["in_flight"], status("work")["waiting"]) == (2, 2)


def test_deliveries_and_failures_of_the_last_hour_are_counted(host: Host) -> None:
    host.rebuild(replace(host.services.settings, delivery_log=True))
    hosting.use(host.services)
    host.submit(LIMITED)
    host.actions.script = lambda request: NotTaken.own("down", final=False) if request["flowId"] == "b" else Taken()
    host.start("f", "a")
    host.start("f", "b")
    host.settle()
    assert status("work")["last_hour"] == {"deliveries": 2, "failures": 1, "p50_ms": 0, "p95_ms": 0}
    assert status("other")["last_hour"] == {"deliveries": 0, "failures": 0, "p50_ms": None, "p95_ms": None}


@pytest.fixture
def counted() -> tuple[DeliveryStatistics, FakeClock, MemoryStore]:
    clock, store = FakeClock(), MemoryStore()
    return DeliveryStatistics(store.versioned_values, clock, is_on=True), clock, store


def test_percentiles_are_at_most_five_percent_too_high(
    counted: tuple[DeliveryStatistics, FakeClock, MemoryStore],
) -> None:
    statistics = counted[0]
    for took in range(1, 1_001):
        statistics.record(NS, "work", took, failed=took % 10 == 0)
    found = statistics.of(NS, "work")
    assert found is not None
    assert (found.deliveries, found.failures) == (1_000, 100)
    assert found.p50 is not None
    assert found.p95 is not None
    assert 500 <= found.p50 <= 525
    assert 950 <= found.p95 <= 998


def test_counts_of_several_processes_are_added_and_end_after_an_hour(
    counted: tuple[DeliveryStatistics, FakeClock, MemoryStore],
) -> None:
    statistics, clock, store = counted
    other = DeliveryStatistics(store.versioned_values, clock, is_on=True)
    for _ in range(3):
        for one in (statistics, other):
            one.record(NS, "work", 7, failed=False)
        clock.advance(MINUTE_MS)
    for one in (statistics, other):
        one.record(NS, "work", 7, failed=False)
    found = statistics.of(NS, "work")
    assert found is not None
    assert found.deliveries == 7  # the other's pending minute is not stored yet
    clock.advance(57 * MINUTE_MS)
    found = other.of(NS, "work")
    assert found is not None
    assert found.deliveries == 5
    clock.advance(60 * MINUTE_MS)
    found = other.of(NS, "work")
    assert found is not None
    assert (found.deliveries, found.p50) == (0, None)


def test_a_minute_is_one_write(counted: tuple[DeliveryStatistics, FakeClock, MemoryStore]) -> None:
    statistics, clock, store = counted
    for _ in range(100):
        statistics.record(NS, "work", 7, failed=False)
        clock.advance(1_000)
    assert store.versioned_values.read(NS, "deliveries/work")[1] in (1, 2)
    statistics.record("other", "work", 7, failed=False)
    found = statistics.of("other", "work")
    assert found is not None
    assert found.deliveries == 1
