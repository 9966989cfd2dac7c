"""Limits under crashes: every port call is cut, once before and once after it took effect.

After every call: no limit is exceeded, and a permit goes to the waiter that is first in its queue. At the end: every
run has ended, no permit is held, and no waiter is left.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any, Final

import pytest

from chalicelib.hosting import Services
from chalicelib.model import status
from chalicelib.model.run import Run
from chalicelib.model.status import Status
from chalicelib.service.limits import permits
from chalicelib.service.ports.waiters import Waiter
from chalicelib.service.runs.start import StartOrder
from tests.simulation.crash_scenarios import NS
from tests.simulation.ports import TIMELESS
from tests.simulation.quiet import single_threaded
from tests.simulation.schedule import drain
from tests.simulation.stage import Stage
from tests.simulation.test_crash_points import SIDES, OneCrash

SECOND: Final = 1_000

FSL: Final = """
action tight
    addr = "http://tight.test/"; return = (OK | FAIL); timeout = 1h; limit = (concurrent = 1, key = ${ $input.k });
action_end
/
action paced  addr = "http://paced.test/"; return = (OK | FAIL); timeout = 1h; limit = (per_second = 0.5); action_end
/
flow one
    input = (str k);
    step One => (OK -> done | FAIL -> stopped) { action = tight; };
flow_end
/
flow many
    each Each => (DONE -> done | FAIL -> stopped) {
        items = [1, 2, 3, 4];
        step Item => (OK -> done | FAIL -> stopped) { action = paced; };
    };
flow_end
/
flow single
    input = (str k);
    limit = (concurrent = 1, key = ${ $input.k });
    wait W => (DONE -> done) { for = 20s; };
flow_end
/
flow newest
    limit = (concurrent = 1, overflow = cancel_oldest);
    wait W => (DONE -> done) { for = 1h; };
flow_end
"""
LIMITS: Final = {"limit-key/5/tight/a": 1, "limit-key/5/tight/b": 1, "flow-key/6/single/a": 1, "flow/newest": 1}
LIMITERS: Final = ("limit", "flow")
"""How the names of limiters begin: other values have versions, too."""

Act = tuple[int, Callable[[Services], object]]


def _start(flow: str, name: str, **given: str) -> Callable[[Services], object]:
    return lambda services: services.starter.start(NS, StartOrder(flow=flow, name=name, input=given, key=name))


def _stop(name: str) -> Callable[[Services], object]:
    return lambda services: services.operator.stop(NS, name)


SCENARIOS: Final[dict[str, tuple[tuple[Act, ...], dict[str, Status]]]] = {
    "activations by key": (
        (
            (1, _start("one", "a1", k="a")),
            (2, _start("one", "a2", k="a")),
            (3, _start("one", "b1", k="b")),
            (4, _start("one", "a3", k="a")),
        ),
        dict.fromkeys(("a1", "a2", "b1", "a3"), Status.SUCCEEDED),
    ),
    "a rate": (((1, _start("many", "m")),), {"m": Status.SUCCEEDED}),
    "runs that wait, one of which is stopped": (
        (
            (1, _start("single", "r1", k="a")),
            (2, _start("single", "r2", k="a")),
            (3, _start("single", "r3", k="a")),
            (2_000, _stop("r2")),
        ),
        {"r1": Status.SUCCEEDED, "r2": Status.CANCELED, "r3": Status.SUCCEEDED},
    ),
    "a newer run takes the place of an older one": (
        ((1, _start("newest", "n1")), (300_000, _start("newest", "n2"))),
        {"n1": Status.CANCELED, "n2": Status.SUCCEEDED},
    ),
}


class Watcher:
    """Looks on at every change of a limiter."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._holders: dict[str, set[str]] = {}
        self.wrong: list[str] = []
        stage._eyes["versioned_values.write"] = self._written
        stage._eyes["runs.save"] = self._watched(stage._eyes["runs.save"])

    def _watched(self, seen: Callable[..., None]) -> Callable[..., None]:
        def saved(run: Run, *more: Any) -> None:
            seen(run, *more)
            self._count_runs()

        return saved

    def _written(self, _namespace: str, name: str, value: bytes, _seen: int) -> None:
        if not name.startswith(LIMITERS):
            return
        holders = permits.decode(value).holders
        if len(holders) > LIMITS.get(name, 1):
            self.wrong.append(f"{len(holders)} hold permits of {name!r}")
        for uuid in holders.keys() - self._holders.get(name, set()):
            waiting = [one for one in self._stage.store.waiters.first(NS, name, 100) if self._is_alive(one, holders)]
            if waiting and waiting[0].uuid != uuid and uuid in {one.uuid for one in waiting}:
                self.wrong.append(f"{uuid} was given a permit of {name!r} before {waiting[0].run!r}")
        self._holders[name] = set(holders)

    def _is_alive(self, waiter: Waiter, holders: dict[str, str]) -> bool:
        run = self._stage.laws.heads.get((NS, waiter.run))
        if run is None or run.status in status.ENDED:
            return False
        return waiter.uuid not in holders or waiter.uuid not in self._holders.get("", set())

    def _count_runs(self) -> None:
        running = Counter(
            run.limiter
            for run in self._stage.laws.heads.values()
            if run.limiter and run.status in status.LIVE and run.status is not Status.PENDING
        )
        self.wrong += [f"{found} runs of {name!r} at once" for name, found in running.items() if found > LIMITS[name]]


def _play(name: str, fates: OneCrash) -> None:
    acts, ends = SCENARIOS[name]
    stage = Stage(fates, every_call=True)
    watcher = Watcher(stage)
    with single_threaded(stage.laws):
        stage.services(0).submitter.submit(NS, FSL)
        for after, act in acts:
            stage.loop.at(stage.loop.now + after, lambda act=act: stage.ask("act", NS, act))  # type: ignore[misc]
        drain(stage, lambda: False)
    assert stage.laws.broken is None
    assert watcher.wrong == []
    assert {run.name: run.status for run in stage.laws.heads.values()} == ends
    for limiter in (*LIMITS, "limit/paced"):
        assert permits.decode(stage.store.versioned_values.read(NS, limiter)[0]).holders == {}, limiter
        assert stage.store.waiters.first(NS, limiter, 9) == [], limiter


@pytest.mark.parametrize("name", SCENARIOS)
def test_a_crash_at_any_port_call_neither_leaks_a_permit_nor_forgets_a_waiter(name: str) -> None:
    uncut = OneCrash()
    _play(name, uncut)
    for call in sorted(set(uncut.called)):
        calls = uncut.called.count(call)
        timeless = call in TIMELESS
        for nth in range(0, calls, max(1, calls // 8) if timeless else 1):
            for side in SIDES[:1] if timeless else SIDES:
                try:
                    _play(name, OneCrash(call, nth, side))
                except AssertionError as failure:
                    raise AssertionError(f"{side} call {nth} of {call}: {failure}") from failure
