"""Every port call of every use case is cut, once before and once after it took effect; nothing may be lost by that.

Which calls there are is read from the Protocols in `service/ports/`: one that no scenario makes fails the test.
"""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Callable
from typing import Any, Final, Protocol, get_type_hints

import pytest

from chalicelib.adapters.memory import MemoryQueue
from chalicelib.model import status
from chalicelib.service import ports
from chalicelib.service.ports.clock import IdSource
from chalicelib.service.ports.queues import QueueName
from chalicelib.service.ports.store import Store
from tests.fakes import FakeClock
from tests.simulation.crash_scenarios import SCENARIOS, Scenario
from tests.simulation.fates import Fates
from tests.simulation.ports import TIMELESS
from tests.simulation.quiet import single_threaded
from tests.simulation.schedule import drain
from tests.simulation.stage import Stage

OF_THE_POLLER: Final = frozenset({"source.receive", "source.delete"})
"""Calls that are not a use case's: Lambda's poller makes them, or the local server."""

OF_A_WAITING_REQUEST: Final = frozenset({"changes.notify", "changes.pause", "changes.watch", "watch.wait"})
"""Calls of a host that lets requests wait for changes: they store nothing, and this host has none of them."""

A_BLOCK: Final = {"runs.together"}
"""Puts calls that are cut themselves into one transaction, where a store has such."""

SIDES: Final = ("crash-before", "crash-after")


class OneCrash(Fates):
    """All is calm, but that one call of one name is cut: the `nth`, on one side."""

    def __init__(self, name: str = "", nth: int = -1, side: str = "") -> None:
        super().__init__(1)
        self.calm = True
        self.called: list[str] = []
        self._cut = (name, nth, side)
        self._seen = 0

    def strikes_at(self, call: str, kinds: tuple[str, ...], rate: float) -> str:
        self.called.append(call)
        wanted, nth, side = self._cut
        if call != wanted:
            return ""
        self._seen += 1
        return side if self._seen == nth + 1 else ""


def _play(scenario: Scenario, fates: OneCrash) -> Stage:
    stage = Stage(fates, every_call=True, inline=scenario.inline)
    with single_threaded(stage.laws):
        scenario.begin(stage)
        drain(stage, lambda: False)
    assert stage.laws.broken is None, stage.laws.broken
    assert {name: run.status for (_, name), run in stage.laws.heads.items() if run.parent is None} == scenario.ends
    assert all(run.status in status.ENDED for run in stage.laws.heads.values())
    return stage


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
def test_a_crash_at_any_port_call_loses_nothing(scenario: Scenario) -> None:
    uncut = OneCrash()
    _play(scenario, uncut)
    points = 0
    for name in sorted(set(uncut.called)):
        calls = uncut.called.count(name)
        timeless = name in TIMELESS
        for nth in range(0, calls, max(1, calls // 15) if timeless else 1):
            for side in SIDES[:1] if timeless else SIDES:
                try:
                    _play(scenario, OneCrash(name, nth, side))
                except AssertionError as failure:
                    raise AssertionError(f"{side} call {nth} of {name}: {failure}") from failure
                points += 1
    print(f"{scenario.name}: {points} crash points, {len(uncut.called)} calls")  # noqa: T201


def test_every_method_of_every_port_is_cut_in_some_scenario() -> None:
    called: set[str] = set()
    for scenario in SCENARIOS:
        fates = OneCrash()
        _play(scenario, fates)
        called.update(fates.called)
    assert _port_methods() - OF_THE_POLLER - OF_A_WAITING_REQUEST - A_BLOCK - called == set()


def test_a_message_whose_receiver_crashes_comes_again() -> None:
    clock = FakeClock()
    queue = MemoryQueue(clock, visibility=1_000)
    queue.send(QueueName.WAKES, ["hint"])
    assert [message.body for message in queue.receive(QueueName.WAKES, 1, 0)] == ["hint"]  # and then it crashed
    assert list(queue.receive(QueueName.WAKES, 1, 0)) == []
    clock.advance(1_000)
    (again,) = queue.receive(QueueName.WAKES, 1, 0)
    assert (again.body, again.count) == ("hint", 2)  # a crash before `delete` is no other case
    queue.delete(QueueName.WAKES, [again.receipt])
    clock.advance(1_000)
    assert list(queue.receive(QueueName.WAKES, 1, 0)) == []  # nor is one after it


def _port_methods() -> set[str]:
    """`port.method` for each method of each Protocol; the stores are named as `Store` names them."""
    modules = [
        importlib.import_module(found.name) for found in pkgutil.iter_modules(ports.__path__, f"{ports.__name__}.")
    ]
    known = {name: value for module in modules for name, value in vars(module).items() if inspect.isclass(value)}
    properties = {name: part.fget for name, part in vars(Store).items() if _is_property(part)}
    stores = {name: get_type_hints(get, localns=known)["return"] for name, get in properties.items()}
    names = {IdSource: "ids", **{protocol: name for name, protocol in stores.items()}}
    found: set[str] = set()
    for protocol in {value for module in modules for value in vars(module).values() if inspect.isclass(value)}:
        if not inspect.isclass(protocol) or Protocol not in protocol.__bases__ or protocol is Store:
            continue
        port = names.get(protocol, protocol.__name__.lower())
        found |= {f"{port}.{name}" for name in _methods(protocol)}
    return found


def _is_property(part: Any) -> bool:
    return isinstance(part, property)


def _methods(protocol: type) -> list[str]:
    found: dict[str, Callable[..., Any]] = dict(inspect.getmembers(protocol, inspect.isfunction))
    return [name for name in found if not name.startswith("_")]
