"""Views of the doctor: what does not get on, and sending it on its way."""

from __future__ import annotations

from chalicelib.entrypoints.http import bodies, presenters, responses
from chalicelib.entrypoints.http.adapter import Request
from chalicelib.entrypoints.http.bodies import NoBody
from chalicelib.model import times
from chalicelib.model.json_values import Json
from chalicelib.service.doctor.findings import Finding, Report
from chalicelib.service.errors import Malformed


def examine(request: Request) -> Json:
    """Runs that are overdue or failed, dead letters, orphans. Nothing is changed."""
    return _told(_examined(request, repair=False))


def repair(request: Request) -> Json:
    """The same, and what can be sent again was."""
    bodies.read_optional(request.body, NoBody)
    return _told(_examined(request, repair=True))


def _examined(request: Request, *, repair: bool) -> Report:
    text = request.query.text("silent")
    silent = times.duration(text) if text else None
    if text and silent is None:
        raise Malformed(f"`silent` must be a duration such as 30m, 2h or 7d, not {text!r:.60}")
    limit = request.query.number("limit", 1_000, 1, 10_000)
    return request.services.doctor.examine(request.namespace, limit, silent=silent, repair=repair)


def _told(report: Report) -> responses.Report:
    return {
        "findings": [_finding(found) for found in report.findings],
        "looked_at": report.looked_at,
        "complete": report.complete,
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
