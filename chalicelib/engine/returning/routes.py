"""Where the state of a step leads."""

from __future__ import annotations

from collections.abc import Callable

from chalicelib.model.compiled_step import CompiledStep
from chalicelib.model.flow import Route


def choose(step: CompiledStep, state: str, holds: Callable[[str], bool]) -> Route | None:
    """Return the first route, from left to right, with `state` and a `when` that holds, or None."""
    for route in step.routes_of(state):
        if route.when is None or holds(route.when):
            return route
    return None
