"""How many Python functions one callback calls: a definition is compiled when it is loaded, not at each move."""

from __future__ import annotations

import sys
from itertools import pairwise
from types import FrameType
from typing import Any

import pytest

from tests.hosts import Host

MAX_CALLS = 270
"""Calls of one callback: decided on, sent and written in the memory store."""


def flow_of(steps: int) -> str:
    """A flow whose steps follow one another; AGAIN leads to the last but one."""
    names = [*(f"S{number}" for number in range(steps)), "done"]
    routes = [
        f"step {name} => (OK -> {after} | AGAIN -> {names[-3]} | ERROR -> stopped) {{ action = work; }};"
        for name, after in pairwise(names)
    ]
    return (
        'action work addr = "http://work.test/"; args = (str x = "x"); return = (OK | AGAIN); '
        "undo = back on OK | AGAIN; action_end / "
        'action back addr = "http://work.test/back"; return = (OK); action_end / '
        f"flow long {' '.join(routes)} flow_end /"
    )


def calls_of_one_callback(steps: int) -> int:
    """Answer two steps of a run, and count the Python calls of the second answer."""
    world = Host()
    world.submit(flow_of(steps))
    world.start("long")
    world.answer("S0", "AGAIN")
    step, calls = f"S{steps - 2}", 0
    uuid = world.uuid(step)

    def count(frame: FrameType, event: str, arg: Any) -> None:
        nonlocal calls
        calls += event == "call"

    before = sys.getprofile()
    sys.setprofile(count)
    try:
        world.answer(step, "OK", uuid=uuid)
    finally:
        sys.setprofile(before)
    return calls


@pytest.mark.parametrize("steps", [5, 100])
def test_a_callback_calls_few_functions_however_long_its_flow_is(steps: int) -> None:
    assert calls_of_one_callback(steps) <= MAX_CALLS
