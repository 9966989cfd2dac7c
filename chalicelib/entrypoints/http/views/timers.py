"""The call that lists what is due when."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from chalicelib.entrypoints.http import parameters, presenters
from chalicelib.entrypoints.http.parameters import Parameter
from chalicelib.entrypoints.http.request import Request, Response
from chalicelib.entrypoints.http.responses.timers import Timer
from chalicelib.entrypoints.http.route import Route
from chalicelib.service.security.roles import Role

if TYPE_CHECKING:
    from chalicelib.service.details.timers import ShownTimer

DEFAULT_AHEAD_MS: Final = 24 * 3_600_000
"""How far ahead timers are listed if the request does not say."""

DEFAULT_LIMIT: Final = 50
MAX_LIMIT: Final = 200
"""Entries of a page. Each is one read of a run."""


def list_timers(request: Request) -> Response:
    """List what is due until a time, earliest first: deadlines of runs, and slots of schedules.

    A page can have fewer entries than `limit`, or none, and yet be followed by another one: the header `x-next-cursor`
    says so.
    """
    until = request.query.moment("until")
    if until is None:
        until = request.services.adapters.clock.now() + DEFAULT_AHEAD_MS
    limit = request.query.number("limit", DEFAULT_LIMIT, 1, MAX_LIMIT)
    found, cursor = request.services.timer_list.due(request.namespace, until, limit, request.query.text("cursor"))
    return Response([_timer(one) for one in found], headers={"x-next-cursor": cursor} if cursor else {})


def _timer(found: ShownTimer) -> Timer:
    deadline = found.deadline
    return {
        "at": presenters.moment(found.at),
        "kind": "schedule" if found.is_schedule else "run",
        "name": found.name,
        "what": "slot" if found.is_schedule else deadline.what if deadline else "",
        "token": deadline.token if deadline else "",
        "step": deadline.step if deadline else "",
        "uuid": deadline.uuid if deadline else "",
    }


ROUTES: Final = (
    Route(
        method="GET",
        path="/timer",
        view=list_timers,
        group="runs",
        role=Role.VIEWER,
        query=(
            Parameter("until", "List timers until this time. It defaults to a day from now.", parameters.MOMENT),
            Parameter(
                "limit", "The maximum number of entries.", parameters.integer(1, MAX_LIMIT, default=DEFAULT_LIMIT)
            ),
            parameters.CURSOR,
        ),
        answers={200: list[Timer]},
        paged=True,
    ),
)
