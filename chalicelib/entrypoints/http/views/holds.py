"""Calls that pause and continue actions and flows."""

from __future__ import annotations

from typing import Any, Final

from chalicelib.entrypoints.http import presenters, reading, responses
from chalicelib.entrypoints.http.bodies import NoBody
from chalicelib.entrypoints.http.request import Request
from chalicelib.entrypoints.http.route import Route, View
from chalicelib.model.holds import HeldKind
from chalicelib.model.json_values import Json
from chalicelib.service.security.roles import Role


def pause_action(request: Request, name: str) -> Json:
    """Pause the action: nothing of it is sent until it is continued.

    Time-outs of steps that wait for it are suspended, and those of their runs. Answers that arrive meanwhile are taken.
    The response is the pause.
    """
    return _pause(request, HeldKind.ACTION, name)


def resume_action(request: Request, name: str) -> Json:
    """Continue a paused action: what was held is sent, in the background."""
    return _resume(request, HeldKind.ACTION, name)


def pause_flow(request: Request, name: str) -> Json:
    """Pause the flow: no run of it starts until it is continued. New runs wait as `pending`; others go on.

    The response is the pause.
    """
    return _pause(request, HeldKind.FLOW, name)


def resume_flow(request: Request, name: str) -> Json:
    """Continue a paused flow: runs that wait for it start, in the background."""
    return _resume(request, HeldKind.FLOW, name)


def _pause(request: Request, kind: HeldKind, name: str) -> Json:
    reading.read_optional(request.body, NoBody)
    found = request.services.holds.pause(request.namespace, kind, name, by=request.caller)
    return {"kind": kind, "name": name, **presenters.pause(found)}


def _resume(request: Request, kind: HeldKind, name: str) -> Json:
    reading.read_optional(request.body, NoBody)
    request.services.holds.resume(request.namespace, kind, name)
    return {"kind": kind, "name": name, **presenters.pause(None)}


def _command(kind: HeldKind, action: str, view: View) -> Route:
    answers: dict[int, Any] = {200: responses.Hold}
    return Route(
        method="POST",
        path=f"/{kind}/{{name}}/{action}",
        view=view,
        group="definitions",
        role=Role.OPERATOR,
        body=NoBody,
        answers=answers,
        errors=(404, 413),
    )


ROUTES: Final = (
    _command(HeldKind.ACTION, "pause", pause_action),
    _command(HeldKind.ACTION, "continue", resume_action),
    _command(HeldKind.FLOW, "pause", pause_flow),
    _command(HeldKind.FLOW, "continue", resume_flow),
)
