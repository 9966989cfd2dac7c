"""Runs that are delivered inline while workers crash, and while their messages are often with two of them."""

from __future__ import annotations

from collections import Counter
from typing import Final

import pytest

from chalicelib.model import status
from chalicelib.service.runs.start import StartOrder
from tests.simulation.crash_scenarios import NS
from tests.simulation.fates import Fates
from tests.simulation.laws import Broken
from tests.simulation.planted.bugs import Bug, planted
from tests.simulation.planted.inline import INLINE_BUGS, SHARED_BUGS
from tests.simulation.quiet import single_threaded
from tests.simulation.schedule import drain
from tests.simulation.stage import Inline, Stage

SCHEDULES: Final = 60
BUDGET: Final = 600
"""How many schedules are looked at for a planted bug. The rarest one is found in the first 200."""

FLOW: Final = """
action idle  addr = "http://idle.test/"; method = http; return = (OK);  action_end
/
action far  addr = "http://far.test/"; callback = none; args = (any n = 1); return = (OK);  action_end
/
flow chain
    step One => (OK -> Two) { action = idle; };
    step Two => (OK -> Three) { action = idle; };
    step Three => (OK -> Both) { action = far; };
    fork Both => (DONE -> Four) {
        join = all;
        branch left { step Left => (OK -> done) { action = idle; }; };
        branch right { step Right => (OK -> Again) { action = idle; }; step Again => (OK -> done) { action = idle; }; };
    };
    step Four => (OK -> Five) { action = idle; };
    step Five => (OK -> Six) { action = idle; };
    step Six => (OK -> done) { action = idle; };
flow_end
"""

RUNS: Final = 4
FAULTY_TURNS: Final = 1_000

RATES: Final = {"receive": 0.5, "delete": 0.1, "dead": 0.02, "call": 0.02, "http": 0.1, "message": 0.05}
"""Where something goes wrong, and how often."""

FIXED: Final = {"quick": 0, "outages": 1}
"""Most actions answer at once, and none is paused."""


class Shared(Fates):
    """Messages are received again early, and what crashes are the workers that have them."""

    def __init__(self, seed: int) -> None:
        super().__init__(seed)
        self._severity, self._missing = 1.0, set()

    def below(self, place: str, bound: int) -> int:
        return FIXED[place] if place in FIXED else super().below(place, bound)

    def strikes(self, place: str, kinds: tuple[str, ...], rate: float, *, fixed: bool = False) -> str:
        return super().strikes(place, kinds, RATES.get(place, 0.0), fixed=True)


def _play(seed: int) -> tuple[Broken | None, Counter[str]]:
    fates = Shared(seed)
    stage = Stage(fates, inline=Inline.LAMBDA)
    with single_threaded(stage.laws):
        stage.services(0).submitter.submit(NS, FLOW)
        for number in range(RUNS):
            order = StartOrder(flow="chain", name=f"r{number}")
            stage.ask("start", NS, lambda services, order=order: services.starter.start(NS, order))  # type: ignore[misc]
        while stage.laws.broken is None and stage.loop.turns < FAULTY_TURNS and stage.loop.turn():
            pass
        fates.calm = True
        drain(stage, lambda: False)
    if stage.laws.broken is None:
        assert len(stage.laws.heads) == RUNS
        assert all(run.status in status.ENDED for run in stage.laws.heads.values())
    return stage.laws.broken, fates.counts


def test_nothing_is_lost() -> None:
    counts = Counter[str]()
    for seed in range(SCHEDULES):
        broken, met = _play(seed)
        assert broken is None, f"seed {seed}: {broken}"
        counts += met
    print(dict(counts))  # noqa: T201
    assert counts["held-delivery"] > 10 * SCHEDULES
    assert counts["held-received"] > SCHEDULES
    assert counts["second-consumer"] > SCHEDULES


@pytest.mark.parametrize("bug", [Bug(*bug) for bug in (*INLINE_BUGS, *SHARED_BUGS)], ids=lambda bug: bug.name)
def test_each_planted_bug_is_found(bug: Bug) -> None:
    with planted(bug):
        found = next((seed for seed in range(BUDGET) if _play(seed)[0]), None)
    assert found is not None, f"{bug.name!r} broke no law in {BUDGET} schedules"
    print(found)  # noqa: T201
