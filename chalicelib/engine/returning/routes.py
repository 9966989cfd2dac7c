"""Where the state of a step leads."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from chalicelib.model.compiled_step import CompiledStep
from chalicelib.model.flow import Route


def place_of_route(route: Route, routes: Sequence[Route], state: str) -> int:
    """Return the place of the route among those with its target that the state can take."""
    place = 0
    for one in routes:
        if one is route:
            return place
        place += one.target == route.target and one.state in (None, state)
    return 0


def choose(step: CompiledStep, state: str, holds: Callable[[str], bool]) -> Route | None:
    """Return the first route, from left to right, with `state` and a `when` that holds, or None."""
    for route in step.routes_of(state):
        if route.when is None or holds(route.when):
            return route
    return None
