"""Where a step's state leads."""

from __future__ import annotations

from collections.abc import Callable

from chalicelib.model.actions import Action
from chalicelib.model.flow import BUILT_IN_STATES, ActionStep, Route, Step


def choose(step: Step, state: str, holds: Callable[[str], bool]) -> Route | None:
    """The first route, from left to right, that takes `state` and whose `when` holds; None if none does."""
    for route in step.routes:
        if route.state in (None, state) and (route.when is None or holds(route.when)):
            return route
    return None


def answers(step: ActionStep, action: Action) -> tuple[str, ...]:
    """The states that the action may answer at this step, in the order in which the action declares them.

    echoer's services take the first of them for the good case, so the order is the action's, not the routes'.
    """
    routed = {route.state for route in step.routes}
    return tuple(state for state in action.returns if state in routed or None in routed)


def accepts(step: ActionStep, action: Action, state: str) -> bool:
    """Whether an answer with `state` ends the step: one that it may answer, or a built-in one routed by name."""
    if state in BUILT_IN_STATES:
        return any(route.state == state for route in step.routes)
    return state in answers(step, action)
