"""Views of runs: starting, finding, following, ordering; and of their steps, answers included."""

from __future__ import annotations

from collections.abc import Sequence

from chalicelib.entrypoints.http import bodies, presenters
from chalicelib.entrypoints.http.adapter import Answer, Request
from chalicelib.entrypoints.http.bodies import (
    AnswerBody,
    NoBody,
    RetryBody,
    StartBody,
    StopBody,
    VarsBody,
)
from chalicelib.model.history import Entry
from chalicelib.model.json_values import Json
from chalicelib.model.run import Run
from chalicelib.service.errors import NotFound
from chalicelib.service.observability import work_context
from chalicelib.service.ports.runs import RunQuery
from chalicelib.service.runs.read import RunView
from chalicelib.service.runs.start import StartOrder
from chalicelib.service.security.webhooks import signature_in

NEWEST = 200
"""How many of the newest runs are looked through for a step that is asked for by its own name."""

LONGEST_WAIT = 25
USUAL_WAIT = 20
"""Seconds."""


def start(request: Request, name: str) -> Json:
    """A run of the flow is under way: 201; 200 where the key gave one that was started before."""
    body = bodies.read_optional(request.body, StartBody)
    order = StartOrder(flow=name, input=body.input, name=body.name, labels=body.labels, key=body.key)
    started = request.services.starter.start(request.namespace, order, by=request.by, trace=request.trace)
    work_context.note(run=started.run.name)
    return Answer(_shown(request, started.run), status=201 if started.created else 200)


def list_runs(request: Request) -> Json:
    """Runs, newest first."""
    query, reader = request.query.runs(), request.services.reader
    name = request.query.text("metadata.name")
    if name is not None:
        try:
            return [presenters.run(reader.view(request.namespace, name))]
        except NotFound:
            return []
    views, cursor = reader.views(request.namespace, query)
    return Answer([presenters.run(view) for view in views], headers={"x-next-cursor": cursor} if cursor else {})


def get(request: Request, name: str) -> Json:
    """One run as it is now."""
    return presenters.run(request.services.reader.view(request.namespace, name))


def history(request: Request, name: str) -> Json:
    """The run's transitions behind `after`, oldest first."""
    after, limit = _after(request), request.query.limit()
    return _entries(request.services.reader.history(request.namespace, name, after, limit + 1), limit)


def watch(request: Request, name: str) -> Json:
    """The same, as soon as there is one, or none after `wait` seconds."""
    after, limit = _after(request), request.query.limit()
    wait = request.query.number("wait", USUAL_WAIT, 0, LONGEST_WAIT) * 1000
    return _entries(request.services.reader.watch(request.namespace, name, after, limit + 1, wait), limit)


def pause(request: Request, name: str) -> Json:
    """The run sends nothing until it is continued."""
    bodies.read_optional(request.body, NoBody)
    return _shown(request, request.services.operator.pause(request.namespace, name, by=request.by))


def resume(request: Request, name: str) -> Json:
    """The paused run goes on."""
    bodies.read_optional(request.body, NoBody)
    return _shown(request, request.services.operator.resume(request.namespace, name, by=request.by))


def stop(request: Request, name: str) -> Json:
    """The run has ended as canceled."""
    reason = bodies.read_optional(request.body, StopBody).reason
    return _shown(request, request.services.operator.stop(request.namespace, name, reason=reason, by=request.by))


def set_vars(request: Request, name: str) -> Json:
    """The run's variables are changed."""
    changed = bodies.read(request.body, VarsBody).vars
    return _shown(request, request.services.operator.set_vars(request.namespace, name, changed, by=request.by))


def retry(request: Request, name: str) -> Json:
    """The stopped run goes on, where it stood or at a step."""
    step = bodies.read_optional(request.body, RetryBody).step
    return _shown(request, request.services.operator.retry(request.namespace, name, step=step, by=request.by))


def delete(request: Request, name: str, uuid: str | None = None) -> Json:
    """Nothing of the ended run is left; what it was last is answered."""
    services = request.services
    gone = services.operator.delete_run(request.namespace, name, uuid)
    return presenters.run(RunView(gone, services.definition_cache.of(gone), gone.tail))


def tasks(request: Request) -> Json:
    """The inbox: what waits for a person, the longest-waiting first; of one run or step where the query names it."""
    limit, run, step = request.query.limit(), request.query.text("flowId"), request.query.text("stepName")
    found = request.services.inbox.open(request.namespace, limit, run=run, step=step)
    return [presenters.task(task) for task in found]


# ── steps ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def answer(request: Request) -> Json:
    """An action's answer is in its run, or was already."""
    told = bodies.read(request.body, AnswerBody).answer()
    work_context.note(run=told.run, step=told.step, uuid=told.uuid)
    signature = signature_in(request.headers, request.body)
    outcome = request.services.answerer.answer(
        request.namespace, told, by=request.by, signature=signature, trace=request.trace
    )
    return {"outcome": outcome}


def list_steps(request: Request) -> Json:
    """The steps that the newest runs are waiting for; all of one name with `metadata.name`."""
    name = request.query.text("metadata.name")
    views, cursor = request.services.reader.views(request.namespace, request.query.runs())
    found = [step for view in views for step in presenters.current_steps(view)]
    told = [step for step in found if name in (None, step["metadata"]["name"])]
    return Answer(told, headers={"x-next-cursor": cursor} if cursor else {})


def get_step(request: Request, name: str) -> Json:
    """The step `RUN.STEP`; or the newest run's step of that name or uuid."""
    run, dot, step = name.rpartition(".")
    if dot:
        try:
            view = request.services.reader.view(request.namespace, run)
        except NotFound:
            raise NotFound("step", name) from None
        return _one([found for found in presenters.steps(view) if found["metadata"]["name"] == step], name)
    query = RunQuery(limit=NEWEST)
    views, _ = request.services.reader.views(request.namespace, query)
    waiting = [found for view in views for found in presenters.current_steps(view)]
    rest = [found for view in views for found in presenters.steps(view)]
    return _one([one for one in (*waiting, *rest) if name in (one["metadata"]["name"], one["metadata"]["uuid"])], name)


def _one(found: Sequence[Json], name: str) -> Json:
    if not found:
        raise NotFound("step", name)
    return found[0]


def _shown(request: Request, run: Run) -> Json:
    """The run after a request moved it."""
    services = request.services
    if run.tail and run.tail[0].seq > 1:
        return presenters.run(services.reader.view(request.namespace, run.name))
    return presenters.run(RunView(run, services.definition_cache.of(run), run.tail))


def _after(request: Request) -> int:
    """The history is paged by its numbers: `cursor` says the same as `after`."""
    cursor, after = request.query.position("cursor"), request.query.position("after")
    return cursor or after


def _entries(found: Sequence[Entry], limit: int) -> Answer:
    """At most `limit` entries, and the cursor of the next ones if there are more."""
    shown = found[:limit]
    more = len(found) > limit
    return Answer(
        [presenters.entry(one) for one in shown], headers={"x-next-cursor": str(shown[-1].seq)} if more else {}
    )
