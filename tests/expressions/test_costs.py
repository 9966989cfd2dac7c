"""Every function, driven to a limit, takes no more CPU for a step than the figures of LIMITS.md allow.

One step of the dearest expression took 2.0 microseconds, where a round of the loop of `tests.cpu` took 0.046 (2026-11).
"""

from __future__ import annotations

import re
from typing import Final

import pytest

from chalicelib.expressions import Draw
from chalicelib.expressions.compiled import Compiled
from chalicelib.expressions.functions import builtins
from chalicelib.expressions.meter import MAX_STEPS
from tests.cpu import ROUNDS, units
from tests.expressions.runaway import BIG, RUNAWAY

_SAMPLE: Final = MAX_STEPS // 10
"""Steps of each evaluation here: a tenth, so that all take a few seconds."""

_ROUNDS_PER_STEP: Final = 110
"""What a step may take, in rounds of the loop: twice what the dearest takes. 6 s a move are 54."""

_STARTING_UNITS: Final = 4
"""What an evaluation may take beside its steps, such as what it is given and its modules."""

_DRAW: Final = Draw(1_700_000_000_000, b"costs")


@pytest.mark.parametrize("source", RUNAWAY, ids=range(len(RUNAWAY)))
def test_steps_are_worth_their_time(source: str) -> None:
    """What is read, checked and evaluated takes no more CPU than its steps allow."""
    compiled = Compiled(source)
    allowed = _STARTING_UNITS + _SAMPLE * _ROUNDS_PER_STEP / ROUNDS
    assert units(lambda: Compiled(source).problem(), allowed) <= allowed
    assert units(lambda: compiled.measure({"input": BIG}, _DRAW, steps=_SAMPLE), allowed) <= allowed


def test_every_function_is_measured() -> None:
    called = {name for source in RUNAWAY for name in re.findall(r"\$(\w+)", source)}
    assert builtins().keys() <= called
