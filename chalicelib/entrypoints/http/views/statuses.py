"""What happens with definitions now: whether they are paused, and the breakers of actions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from chalicelib.entrypoints.http import presenters, responses
from chalicelib.entrypoints.http.request import Request
from chalicelib.model import json_values
from chalicelib.model.actions import Action
from chalicelib.model.holds import HeldKind
from chalicelib.service import parallel
from chalicelib.service.limits.breakers import Circuit
from chalicelib.service.ports.definitions import Definition, Kind

_AT_ONCE: Final = 16
"""How many breakers are read at the same time."""


def shown(request: Request, found: Sequence[Definition]) -> list[Any]:
    """Return newest versions as JSON; actions and flows with their `status`."""
    resources: list[Any] = [presenters.definition(request.namespace, one) for one in found]
    if not found or found[0].kind not in (Kind.ACTION, Kind.FLOW):
        return resources
    statuses = _of_actions(request, found) if found[0].kind is Kind.ACTION else _of_flows(request, found)
    return [{**resource, "status": status} for resource, status in zip(resources, statuses, strict=True)]


def pause_of(request: Request, kind: HeldKind, name: str) -> responses.Pause:
    """Return whether the action or flow is paused."""
    return presenters.pause(request.services.hold_book.of(request.namespace).of(kind).get(name))


def _of_flows(request: Request, found: Sequence[Definition]) -> Sequence[responses.Pause]:
    return [pause_of(request, HeldKind.FLOW, one.name) for one in found]


def _of_actions(request: Request, found: Sequence[Definition]) -> Sequence[responses.ActionStatus]:
    breakers, namespace = request.services.breakers, request.namespace
    wanted = [one.name for one in found if json_values.decode(one.value, Action).breaker is not None]
    circuits: dict[str, Circuit] = {}
    for start in range(0, len(wanted), _AT_ONCE):
        names = wanted[start : start + _AT_ONCE]
        read = parallel.side_by_side(lambda name: breakers.circuit(namespace, name), names)
        circuits.update(zip(names, read, strict=True))
    return [
        {**pause_of(request, HeldKind.ACTION, one.name), "breaker": presenters.breaker(circuits.get(one.name))}
        for one in found
    ]
