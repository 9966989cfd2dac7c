"""Calls that start, find, follow and command runs."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, Final

import msgspec
from msgspec import UNSET

from chalicelib.entrypoints.http import bodies, pages, parameters, presenters, responses, shown_runs
from chalicelib.entrypoints.http.bodies import (
    GotoBody,
    LabelsBody,
    MigrateBody,
    NoBody,
    RetryBody,
    StartBody,
    StopBody,
    VarsBody,
)
from chalicelib.entrypoints.http.errors import fit_of
from chalicelib.entrypoints.http.pages import Item
from chalicelib.entrypoints.http.parameters import FULL, SUMMARY, Parameter
from chalicelib.entrypoints.http.presenters import ShortValues, Values
from chalicelib.entrypoints.http.request import Request, Response
from chalicelib.entrypoints.http.route import Route, View
from chalicelib.model.json_values import Json
from chalicelib.model.run import Run
from chalicelib.model.status import ENDED
from chalicelib.service.errors import Invalid, Malformed, NotFound
from chalicelib.service.observability import work_context
from chalicelib.service.ports.runs import RunQuery
from chalicelib.service.runs.history import HistoryPage, HistoryQuery
from chalicelib.service.runs.start import StartOrder
from chalicelib.service.security.roles import Role

MAX_WAIT_S: Final = 25
DEFAULT_WAIT_S: Final = 20
"""How long a request waits for a new history entry or for the end of a run. API Gateway gives up after 29 seconds."""

SMALL_LIST_BYTES: Final = 1024 * 1024
"""How large a list of runs in their whole shape is by default; larger ones are in brief."""


def start(request: Request, name: str) -> Json:
    """Start a run of the flow.

    The status is 201. It is 200 if an earlier request with the same `key` started the run. With `wait` the response
    comes when the run has ended, or after so many seconds.
    """
    body, wait_ms = bodies.read_optional(request.body, StartBody), _wait_ms(request, 0)
    order = StartOrder(
        flow=name, input=body.input, name=body.name, labels=body.labels, key=body.key, start_at=body.start_moment()
    )
    started = request.services.starter.start(request.namespace, order, by=request.caller, trace=request.trace)
    work_context.note(run=started.run.name)
    run = started.run
    if wait_ms and run.status not in ENDED:
        run = request.services.reader.ended(request.namespace, run.name, wait_ms)
    return Response(_with_end(_presented(request, run)), status=201 if started.created else 200)


def list_runs(request: Request) -> Json:
    """List runs, newest first.

    `view=summary` lists them in brief, `view=full` in their whole shape. By default they have their whole shape as long
    as the response is small, and are in brief otherwise. A page ends before the response is too large.
    """
    query, shape, reader = request.query.runs(), _shape(request), request.services.reader
    name = request.query.text("metadata.name")
    if name is not None:
        return _one(request, name, query, shape)
    listing = reader.listing(request.namespace, query)

    def items(show: Callable[[Run], Json]) -> Iterable[Item]:
        return (pages.item(show(run), reader.cursor_after(request.namespace, query, run)) for run in listing.runs)

    small = None
    if shape is None:
        small = pages.within(items(partial(shown_runs.listed, reader)), SMALL_LIST_BYTES)
    if small is not None or shape == FULL:
        made = pages.response(small or items(partial(shown_runs.listed, reader)), listing.cursor)
    else:
        brief = partial(presenters.summary, is_cut=shape is None)
        made = pages.response(items(brief), listing.cursor)
    is_all = query.cursor is None and "x-next-cursor" not in made.headers
    total = len(listing.runs) if is_all else listing.total
    if total is not None:
        made.headers["x-total-approx"] = str(total)
    return made


def _one(request: Request, name: str, query: RunQuery, shape: str | None) -> Json:
    """Return a list of the run with this name, or an empty one if there is none or if it does not match."""
    reader = request.services.reader
    try:
        reader.named(request.namespace, name, query)
        return [shown_runs.named(reader, request.namespace, name, shape)]
    except NotFound:
        return []


def count_runs(request: Request) -> Json:
    """Count runs, by status.

    `more` says that there are more than were counted: at most 10,000 of each status are, and fewer where a filter needs
    each run to be looked at.
    """
    request.query.choice("group", ("status",))
    counts = request.services.reader.count(request.namespace, request.query.runs())
    return {"counts": {str(status): number for status, number in counts.by_status.items()}, "more": counts.more}


def get(request: Request, name: str) -> Json:
    """Get a run as it is now. With `wait` the response comes when it has ended, or after so many seconds.

    A run that is too large for a response is in brief, with `cut`.
    """
    reader, wait_ms = request.services.reader, _wait_ms(request, 0)
    if wait_ms:
        reader.ended(request.namespace, name, wait_ms)
    details = request.services.run_details
    return _with_end(shown_runs.named(reader, request.namespace, name, _shape(request), details))


def _shape(request: Request) -> str | None:
    return request.query.choice("view", (SUMMARY, FULL))


def history(request: Request, name: str) -> Json:
    """List the run's history entries after `after`, oldest first; or with `order=desc` those before `before`, newest
    first.

    Filters look through so many entries as `x-read` says; `x-next-cursor` continues from there.
    """
    query = _history_query(request)
    found = request.services.reader.history_page(request.namespace, name, query)
    return _entries(request, name, found, is_filtered=query.is_filtered)


def watch(request: Request, name: str) -> Json:
    """Wait for history entries after `after`. The response is empty if there is none within `wait` seconds."""
    query, wait_ms = HistoryQuery(after=_after(request), limit=request.query.limit()), _wait_ms(request, DEFAULT_WAIT_S)
    return _entries(request, name, request.services.reader.watch(request.namespace, name, query, wait_ms))


def pause(request: Request, name: str) -> Json:
    """Pause the run. Until it is continued it sends nothing; answers that arrive meanwhile are recorded."""
    bodies.read_optional(request.body, NoBody)
    return _presented(request, request.services.operator.pause(request.namespace, name, by=request.caller))


def resume(request: Request, name: str) -> Json:
    """Continue a paused run."""
    bodies.read_optional(request.body, NoBody)
    return _presented(request, request.services.operator.resume(request.namespace, name, by=request.caller))


def stop(request: Request, name: str) -> Json:
    """Stop the run. Its status becomes `canceled`."""
    reason = bodies.read_optional(request.body, StopBody).reason
    run = request.services.operator.stop(request.namespace, name, reason=reason, by=request.caller)
    return _presented(request, run)


def set_vars(request: Request, name: str) -> Json:
    """Set and remove variables of the run."""
    body = bodies.read_optional(request.body, VarsBody)
    if both := sorted(body.vars.keys() & set(body.remove)):
        raise Invalid(f"`vars` and `remove` both have {both[0]!r:.80}")
    run = request.services.operator.set_vars(request.namespace, name, body.vars, remove=body.remove, by=request.caller)
    return _presented(request, run)


def set_labels(request: Request, name: str) -> Json:
    """Set and remove labels of the run, in whatever status it is. The lists find it by its new labels."""
    body = bodies.read_optional(request.body, LabelsBody)
    if both := sorted(body.set.keys() & set(body.remove)):
        raise Invalid(f"`set` and `remove` both have {both[0]!r:.80}")
    if wrong := [label for label in body.set if not label or ":" in label]:
        raise Malformed(f"the name of a label must be text without a colon, not {wrong[0]!r:.80}")
    run = request.services.operator.set_labels(request.namespace, name, body.set, remove=body.remove, by=request.caller)
    return _presented(request, run)


def retry(request: Request, name: str) -> Json:
    """Continue a failed or stopped run, where it stopped or at another step, as it was or mended; or repeat its failed
    undos."""
    body = bodies.read_optional(request.body, RetryBody)
    operator, by = request.services.operator, request.caller
    if not body.undo:
        run = operator.retry(
            request.namespace,
            name,
            step=body.step,
            token=body.token,
            version=body.version,
            new_input=body.input,
            variables=body.vars,
            reason=body.reason,
            by=by,
        )
        return _presented(request, run)
    given = {"step": body.step, "token": body.token, "version": body.version, "vars": body.vars or None}
    others = [name for name, value in given.items() if value is not None]
    others += ["input"] if body.input is not UNSET else []
    if others:
        raise Malformed(
            f"`{others[0]}` and `undo` exclude each other: `undo` repeats undos and does not continue the run"
        )
    return _presented(request, operator.retry_undos(request.namespace, name, by=by))


def migrate(request: Request, name: str) -> Json:
    """Move a run that is running or paused to another version of its flow.

    The response says of each token what fits. If something does not, the run stays as it is, and the status is 409;
    with `dry_run` it is 200.
    """
    body = bodies.read(request.body, MigrateBody)
    found = request.services.operator.migrate(
        request.namespace,
        name,
        body.version,
        steps=body.steps,
        dry_run=body.dry_run,
        reason=body.reason,
        by=request.caller,
    )
    return {
        "name": name,
        "from": found.version_before,
        "to": found.version,
        "dry_run": body.dry_run,
        "moved": found.moved,
        "fits": found.fits,
        "tokens": [fit_of(token) for token in found.tokens],
        "problems": list(found.problems),
    }


def go_to(request: Request, name: str) -> Json:
    """Have a token leave what it waits for, and enter a step."""
    body = bodies.read(request.body, GotoBody)
    run = request.services.operator.go_to(
        request.namespace, name, body.step, token=body.token, reason=body.reason, by=request.caller
    )
    return _presented(request, run)


def delete(request: Request, name: str) -> Json:
    """Delete a run that has ended, with its history. The response is its last state."""
    return _deleted(request, name, None)


def delete_by_uuid(request: Request, name: str, uuid: str) -> Json:
    """Delete a run that has ended if it has this uuid. The response is its last state."""
    return _deleted(request, name, uuid)


def _deleted(request: Request, name: str, uuid: str | None) -> Json:
    services = request.services
    run = services.operator.delete_run(request.namespace, name, uuid)
    return shown_runs.whole_or_brief(run, services.reader.view_of_deleted(run))


def _presented(request: Request, run: Run) -> Json:
    """Return the run after a command; its older history is read only if its tail does not have all of it."""
    return shown_runs.changed(request.services.reader, run, request.services.run_details)


def _wait_ms(request: Request, default_s: int) -> int:
    return request.query.number("wait", default_s, 0, MAX_WAIT_S) * 1000


def _with_end(shown: responses.Run) -> Json:
    """Return a presented run with `ended`, which says whether the run has ended."""
    return {**shown, "ended": shown["spec"]["status"] in ENDED}


def _after(request: Request) -> int:
    """Return the position in the history. `cursor` takes precedence over `after`."""
    cursor, after = request.query.position("cursor"), request.query.position("after")
    return cursor or after


def _history_query(request: Request) -> HistoryQuery:
    query = request.query
    newest_first = query.choice("order", ("asc", "desc")) == "desc"
    cursor, before = query.position("cursor"), query.number("before", 0, 1, 10**15) or None
    return HistoryQuery(
        after=query.position("after") if newest_first else _after(request),
        before=cursor or before if newest_first else before,
        newest_first=newest_first,
        step=query.text("step") or "",
        token=query.text("token") or "",
        event=query.text("event") or "",
        failed=query.flag("failed"),
        limit=query.limit(),
    )


def _entries(request: Request, name: str, found: HistoryPage, *, is_filtered: bool = False) -> Response:
    """Return a page of a history. An entry that is too large for a response has no values and `cut`."""
    is_short = request.query.choice("values", ("short",)) is not None
    values = (ShortValues if is_short else Values)(name, found.large)
    items = []
    for one in found.entries:
        shown = pages.item(presenters.entry(one, values), str(one.seq))
        if shown.size > pages.MAX_PAGE_BYTES:
            bare = presenters.entry(msgspec.structs.replace(one, data=None, vars={}))
            shown = pages.item({**bare, "cut": True}, str(one.seq))
        items.append(shown)
    made = pages.response(items, None if found.next is None else str(found.next))
    if is_filtered:
        made.headers["x-read"] = str(found.read)
    return made


# ── routes ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def _command(name: str, view: View, body: Any, *errors: int) -> Route:
    """Return the call of a command to a run."""
    return Route(
        method="POST",
        path=f"/flowrun/{{name}}/{name}",
        view=view,
        group="runs",
        role=Role.OPERATOR,
        body=body,
        answers={200: responses.ListedRun},
        errors=(404, 409, 413, *errors),
    )


def _deletion(path: str, view: View) -> Route:
    return Route(
        method="DELETE",
        path=path,
        view=view,
        group="runs",
        role=Role.AUTHOR,
        answers={200: responses.ListedRun},
        errors=(404, 409),
    )


_WAIT: Final = Parameter(
    "wait",
    "The maximum number of seconds to wait for an entry.",
    parameters.integer(0, MAX_WAIT_S, default=DEFAULT_WAIT_S),
)
_WAIT_FOR_END: Final = Parameter(
    "wait",
    "Respond when the run has ended, or as it is after this number of seconds.",
    parameters.integer(0, MAX_WAIT_S, default=0),
)
_VALUES: Final = Parameter(
    "values",
    '`short`: values above 1 KiB are shown as `{"$cut": {"type", "bytes"}}`.',
    {"type": "string", "enum": ["short", ""]},
)
_HISTORY: Final = (
    Parameter("order", "`desc`: newest first.", {"type": "string", "enum": ["asc", "desc", ""]}),
    Parameter("before", "Return entries with a `seq` less than this.", parameters.integer(1, 10**15)),
    Parameter("step", "Return entries about this step: those that leave it and those that enter it."),
    Parameter("token", "Return entries of the token with this id, for example `0.17` for an item."),
    Parameter("event", "Return entries with this event."),
    Parameter("failed", "Return only entries with an error.", {"type": "boolean", "default": False}),
)
ROUTES: Final = (
    Route(
        method="POST",
        path="/flow/{name}/runs",
        view=start,
        group="runs",
        role=Role.OPERATOR,
        query=(_WAIT_FOR_END,),
        body=StartBody,
        answers={200: responses.AwaitedRun, 201: responses.AwaitedRun},
        errors=(404, 409, 413, 422),
        resource="flowrun",
        example="under a key",
    ),
    Route(
        method="GET",
        path="/flowrun",
        view=list_runs,
        group="runs",
        role=Role.VIEWER,
        query=(*parameters.RUNS, parameters.VIEW),
        answers={200: list[responses.ListedRun]},
        paged=True,
        headers=("x-total-approx",),
    ),
    Route(
        method="GET",
        path="/flowrun/count",
        view=count_runs,
        group="runs",
        role=Role.VIEWER,
        query=(*parameters.FILTERS, Parameter("group", "By what.", {"type": "string", "enum": ["status", ""]})),
        answers={200: responses.RunCounts},
    ),
    Route(
        method="GET",
        path="/flowrun/{name}",
        view=get,
        group="runs",
        role=Role.VIEWER,
        query=(_WAIT_FOR_END, parameters.VIEW),
        answers={200: responses.AwaitedRun},
        errors=(404,),
        resource="flowrun",
    ),
    Route(
        method="GET",
        path="/flowrun/{name}/history",
        view=history,
        group="runs",
        role=Role.VIEWER,
        query=(parameters.AFTER, parameters.SEQ_CURSOR, parameters.LIMIT, *_HISTORY, _VALUES),
        answers={200: list[responses.Entry]},
        errors=(404,),
        paged=True,
        headers=("x-read",),
        example="its history",
    ),
    Route(
        method="GET",
        path="/flowrun/{name}/watch",
        view=watch,
        group="runs",
        role=Role.VIEWER,
        query=(parameters.AFTER, parameters.SEQ_CURSOR, _WAIT, parameters.LIMIT, _VALUES),
        answers={200: list[responses.Entry]},
        errors=(404,),
        paged=True,
    ),
    _command("pause", pause, NoBody),
    _command("continue", resume, NoBody),
    _command("stop", stop, StopBody),
    _command("retry", retry, RetryBody, 422),
    Route(
        method="POST",
        path="/flowrun/{name}/migrate",
        view=migrate,
        group="runs",
        role=Role.OPERATOR,
        body=MigrateBody,
        answers={200: responses.Migration},
        errors=(404, 409, 413, 422),
    ),
    _command("goto", go_to, GotoBody, 422),
    _command("vars", set_vars, VarsBody, 422),
    _command("labels", set_labels, LabelsBody, 422),
    _deletion("/flowrun/{name}", delete),
    _deletion("/flowrun/{name}/{uuid}", delete_by_uuid),
)
