"""Flows that do much which is undone: their undos need pages, because a head keeps few of them."""

from __future__ import annotations

from typing import Final

from msgspec.structs import replace

from chalicelib.model.actions import Undo
from chalicelib.model.flow import ActionStep, EachStep, Flow, ForkStep, Step
from tests.simulation.catalog import STATES, TOKEN

EVERY: Final = 4
"""Of how many schedules one has such flows."""

_LONG: Final = {**TOKEN, "why": "x" * 700}
"""An undo with it fills a page."""


def undoing_much(flow: Flow, seed: int) -> Flow:
    """Return the drawn flow, in some schedules with an undo for nearly all its actions. Nothing more is drawn."""
    return flow if seed % EVERY else replace(flow, steps=_undone(flow.steps))


def _undone(steps: tuple[Step, ...]) -> tuple[Step, ...]:
    return tuple(map(_with_undo, steps))


def _with_undo(step: Step) -> Step:
    match step:
        case ForkStep():
            branches = tuple(replace(branch, steps=_undone(branch.steps)) for branch in step.branches)
            return replace(step, branches=branches)
        case EachStep():
            return replace(step, steps=_undone(step.steps))
        case ActionStep():
            number = int(step.name[1:]) if step.name[1:].isdecimal() else 0
            undo = Undo(action="undo", args=TOKEN if number % 5 == 3 else _LONG, states=STATES)
            return step if number % 6 == 4 else replace(step, undo=undo)
        case _:
            return step
