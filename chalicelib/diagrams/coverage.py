"""How often runs took each route of a flow, beside the labels of the graph's edges."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

from chalicelib.model.flow import Flow, Step, walk

Taken: TypeAlias = Mapping[tuple[str, str, str, int], int]
"""(step, state, target, which of the routes with that state and target) -> how often it was taken."""


def labels_taken(flow: Flow, taken: Taken) -> dict[tuple[str, str], list[int]]:
    """Return, for each step and target, how often each of the routes between them was taken, in the order of the text.

    These are the labels of an edge of `graph_of(flow)`. Routes that the flow does not have are left out.
    """
    steps = {step.name: step for step in walk(flow.steps)}
    found = {
        (step.name, target): [0] * sum(route.target == target for route in step.routes)
        for step in steps.values()
        for target in {route.target for route in step.routes}
    }
    for (name, state, target, number), times in taken.items():
        place = _place(steps.get(name), state, target, number)
        if place is not None:
            found[name, target][place] += times
    return found


def _place(step: Step | None, state: str, target: str, number: int) -> int | None:
    """Return which of the step's routes to the target an entry of the history is about; None if there is none."""
    routes = [route for route in step.routes if route.target == target] if step else []
    alike = [place for place, route in enumerate(routes) if route.state in (None, state)]
    return alike[number] if number < len(alike) else None
