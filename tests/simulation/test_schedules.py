"""Schedules under every fault for some hours: each slot starts exactly one run, unless its rule says otherwise."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from functools import partial
from typing import Final

import pytest

from chalicelib.hosting import Services
from chalicelib.service.ports.definitions import Kind
from chalicelib.service.ports.schedules import ScheduleState, SlotOutcome
from tests.simulation.crash_scenarios import HOUR, MINUTE, NS
from tests.simulation.fates import Fates
from tests.simulation.quiet import single_threaded
from tests.simulation.schedule import drain
from tests.simulation.stage import Stage

SCHEDULES: Final = """
flow brief  wait Long => (DONE -> done) { for = 5s; };  flow_end
/
flow rest  wait Long => (DONE -> done) { for = 35m; };  flow_end
/
schedule allow  flow = brief;  every = 1h;  overlap = allow;  catch_up = 2h;  schedule_end
/
schedule skip  flow = rest;  every = 20m;  overlap = skip;  catch_up = 2h;  schedule_end
/
schedule queue  flow = rest;  every = 30m;  overlap = queue;  catch_up = 2h;  schedule_end
/
schedule cancel  flow = rest;  every = 30m;  overlap = cancel;  catch_up = 2h;  jitter = 20s;  schedule_end
"""
NAMES: Final = ("allow", "skip", "queue", "cancel")
FAULTY_HOURS: Final = 6
SLOTS: Final = {"allow": 7, "skip": 21, "queue": 14, "cancel": 14}
"""How many slots there are in the hours with faults and in the quiet hour after them."""


@pytest.mark.parametrize("seed", range(1, 6))
def test_each_slot_starts_its_run_under_faults(seed: int) -> None:
    stage = Stage(Fates(seed))
    states: dict[str, ScheduleState] = {}
    with single_threaded(stage.laws):
        stage.faultless.submitter.submit(NS, SCHEDULES)
        end = stage.loop.now + FAULTY_HOURS * HOUR
        while stage.laws.broken is None and (stage.loop.next_at or end) < end and stage.loop.turn():
            pass
        stage.fates.calm = True
        seen_at = end + HOUR + 3 * MINUTE
        stage.loop.at(seen_at, lambda: states.update(stage.store.schedules.load(NS, NAMES)))
        for name in NAMES:
            stage.loop.at(end + HOUR + 4 * MINUTE, partial(stage.ask, "delete", NS, _deleting(name)))
        drain(stage, lambda: False)
    assert stage.laws.broken is None
    seen = [name for (_, name), head in stage.laws.heads.items() if head.created_at < seen_at]
    started = Counter(name.partition("@")[0] for name in seen)
    assert (started["allow"], started["cancel"]) == (SLOTS["allow"], SLOTS["cancel"])
    for name, state in states.items():
        counts = state.counts
        assert started[name] == counts[SlotOutcome.STARTED], name
        assert not {SlotOutcome.FAILED, SlotOutcome.MISSED} & counts.keys(), name
        waiting = len(state.queue)
        assert counts[SlotOutcome.STARTED] + counts.get(SlotOutcome.SKIPPED, 0) + waiting == SLOTS[name], name


def _deleting(name: str) -> Callable[[Services], None]:
    def delete(services: Services) -> None:
        services.definition_deleter.delete(NS, Kind.SCHEDULE, name)

    return delete
