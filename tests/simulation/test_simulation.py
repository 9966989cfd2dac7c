"""Random schedules of random flows under random faults: no law of docs/architecture.md, 4 is ever broken."""

from __future__ import annotations

import os

import pytest

from chalicelib.adapters.memory import MemoryQueue, MemoryStore
from chalicelib.adapters.virtual import ScriptedCaller
from tests.simulation.campaign import many
from tests.simulation.fates import FAULTS
from tests.simulation.ports import FAULTS_OF
from tests.simulation.schedule import play
from tests.simulation.shrink import report

SCHEDULES = int(os.environ.get("ECHOER_SCHEDULES", "300"))
SEED = int(os.environ.get("ECHOER_SEED", "1"))


def test_every_law_holds_in_every_schedule_and_every_fault_strikes() -> None:
    totals = many(SEED, SCHEDULES)
    print(f"seeds {SEED}..{SEED + SCHEDULES - 1}: {totals.line()}\n{totals.table()}")  # noqa: T201
    assert not totals.failures, report(totals.failures[0])
    if SCHEDULES >= 300:
        assert not totals.never, f"these faults never struck: {totals.never}"


def test_there_are_enough_kinds_of_fault() -> None:
    assert len(FAULTS) >= 25


@pytest.mark.parametrize("call", FAULTS_OF)
def test_faults_are_assigned_to_calls_that_exist(call: str) -> None:
    port, method = call.split(".")
    ports = {"queue": MemoryQueue, "caller": ScriptedCaller}
    assert callable(getattr(ports.get(port) or getattr(MemoryStore(), port), method))


def test_a_seed_is_the_same_schedule_every_time() -> None:
    for seed in range(SEED, SEED + 5):
        first, second = play(seed, tell=True), play(seed, tell=True)
        assert first.story == second.story
        assert first.counts == second.counts


def test_a_fault_that_is_taken_back_does_not_strike() -> None:
    found = next(result for seed in range(SEED, SEED + 50) if (result := play(seed)).struck)
    decision, _ = found.struck[0]
    assert decision not in [again for again, _ in play(found.seed, frozenset([decision])).struck]
