"""Calls of the doctor, which finds runs that make no progress and repairs them."""

from __future__ import annotations

from typing import Final

from chalicelib.entrypoints.http import parameters, presenters, reading, responses
from chalicelib.entrypoints.http.bodies import NoBody
from chalicelib.entrypoints.http.parameters import Parameter
from chalicelib.entrypoints.http.request import Request
from chalicelib.entrypoints.http.route import Route
from chalicelib.model import times
from chalicelib.model.json_values import Json
from chalicelib.service.doctor.findings import Finding, Report
from chalicelib.service.errors import Malformed
from chalicelib.service.security.roles import Role

DEFAULT_RUNS: Final = 1_000
MAX_RUNS: Final = 10_000
"""Active runs that one call examines."""


def examine(request: Request) -> Json:
    """Find runs that are overdue or failed, dead letters, and orphaned tasks. Nothing is changed."""
    return _report(request, _examined(request, repair=False))


def repair(request: Request) -> Json:
    """Find the same problems as `GET /doctor`, and send again what can be sent again."""
    reading.read_optional(request.body, NoBody)
    return _report(request, _examined(request, repair=True))


def _examined(request: Request, *, repair: bool) -> Report:
    text = request.query.text("silent")
    silent = times.duration(text) if text else None
    if text and silent is None:
        raise Malformed(f"`silent` must be a duration such as 30m, 2h or 7d, not {text!r:.60}")
    limit = request.query.number("limit", DEFAULT_RUNS, 1, MAX_RUNS)
    return request.services.doctor.examine(request.namespace, limit, silent=silent, repair=repair)


def _report(request: Request, report: Report) -> responses.Report:
    return {
        "findings": [_finding(found) for found in report.findings],
        "looked_at": report.looked_at,
        "complete": report.complete,
        "callback_url": request.callback_url,
    }


def _finding(found: Finding) -> responses.Finding:
    return {
        "ailment": found.kind,
        "run": found.run,
        "step": found.step,
        "uuid": found.uuid,
        "since": presenters.moment(found.since),
        "detail": found.detail,
        "cured": found.repaired,
    }


_QUERY: Final = (
    Parameter(
        "silent",
        "Report activations as overdue, too, that have been silent for this duration, for example `30m`.",
        parameters.DURATION,
    ),
    Parameter(
        "limit",
        "The maximum number of active runs to examine.",
        parameters.integer(1, MAX_RUNS, default=DEFAULT_RUNS),
    ),
)
ROUTES: Final = (
    Route(
        method="GET",
        path="/doctor",
        view=examine,
        group="server",
        role=Role.VIEWER,
        query=_QUERY,
        answers={200: responses.Report},
    ),
    Route(
        method="POST",
        path="/doctor/repair",
        view=repair,
        group="server",
        role=Role.OPERATOR,
        query=_QUERY,
        body=NoBody,
        answers={200: responses.Report},
        errors=(413,),
    ),
)
