"""The call that starts a run, and what calls of one run share.

It loads few modules, and none of the types of responses: a new function has it as its first request.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from chalicelib.entrypoints.http import parameters, reading, shown_runs
from chalicelib.entrypoints.http.parameters import Parameter
from chalicelib.entrypoints.http.request import Request, Response
from chalicelib.entrypoints.http.route import Route
from chalicelib.entrypoints.http.start_body import StartBody
from chalicelib.model.json_values import Json
from chalicelib.model.run import Run
from chalicelib.model.status import ENDED
from chalicelib.service.observability import work_context
from chalicelib.service.runs.start import StartOrder
from chalicelib.service.security.roles import Role

if TYPE_CHECKING:
    from chalicelib.entrypoints.http import responses

MAX_WAIT_S: Final = 25
DEFAULT_WAIT_S: Final = 20
"""How long a request waits for a new history entry or for the end of a run. API Gateway gives up after 29 seconds."""


def start(request: Request, name: str) -> Json:
    """Start a run of the flow.

    The status is 201. It is 200 if an earlier request with the same `key` started the run. With `wait` the response
    comes when the run has ended, or after so many seconds.
    """
    body, wait_ms = reading.read_optional(request.body, StartBody), waiting_ms(request, 0)
    order = StartOrder(
        flow=name, input=body.input, name=body.name, labels=body.labels, key=body.key, start_at=body.start_moment()
    )
    started = request.services.starter.start(request.namespace, order, by=request.caller, trace=request.trace)
    work_context.note(run=started.run.name)
    run = started.run
    if wait_ms and run.status not in ENDED:
        run = request.services.reader.ended(request.namespace, run.name, wait_ms)
    return Response(with_end(presented(request, run)), status=201 if started.created else 200)


def presented(request: Request, run: Run) -> Json:
    """Return the run after a command; its older history is read only if its tail does not have all of it."""
    return shown_runs.changed(request.services.reader, run, request.services.run_details)


def waiting_ms(request: Request, default_s: int) -> int:
    """Return how long the request waits. Raises Malformed."""
    return request.query.number("wait", default_s, 0, MAX_WAIT_S) * 1000


def with_end(shown: responses.Run) -> Json:
    """Return a presented run with `ended`, which says whether the run has ended."""
    return {**shown, "ended": shown["spec"]["status"] in ENDED}


# ── routes ───────────────────────────────────────────────────────────────────────────────────────────────────────────


WAIT_FOR_END: Final = Parameter(
    "wait",
    "Respond when the run has ended, or as it is after this number of seconds.",
    parameters.integer(0, MAX_WAIT_S, default=0),
)
ROUTES: Final = (
    Route(
        method="POST",
        path="/flow/{name}/runs",
        view=start,
        group="runs",
        role=Role.OPERATOR,
        query=(WAIT_FOR_END,),
        body=StartBody,
        answers={200: "AwaitedRun", 201: "AwaitedRun"},
        errors=(404, 409, 413, 422),
        resource="flowrun",
        example="under a key",
    ),
)
