"""Calls on schedules."""

from __future__ import annotations

from typing import Any, Final

from chalicelib.entrypoints.http import parameters, presenters, reading, responses
from chalicelib.entrypoints.http.bodies import BackfillBody, FslBody, NoBody
from chalicelib.entrypoints.http.parameters import Parameter
from chalicelib.entrypoints.http.query import cursor_of, name_in
from chalicelib.entrypoints.http.request import Request, Response
from chalicelib.entrypoints.http.route import Route
from chalicelib.entrypoints.http.views.definitions import delete, delete_by_uuid
from chalicelib.model.json_values import Json
from chalicelib.model.recurrence.schedule import slot_text
from chalicelib.service.errors import NotFound
from chalicelib.service.ports.definitions import Kind
from chalicelib.service.ports.schedules import SlotOutcome, SlotRecord
from chalicelib.service.schedules.commands import ScheduleView
from chalicelib.service.security.roles import Role

MAX_NEXT_SLOTS: Final = 100
DEFAULT_NEXT_SLOTS: Final = 10

_COUNTED: Final = (SlotOutcome.STARTED, SlotOutcome.SKIPPED, SlotOutcome.MISSED, SlotOutcome.FAILED)


def submit(request: Request) -> Json:
    """Submit FSL statements of the kind `schedule`: all of them take effect or, if one is invalid, none.

    The response is the schedule or, if the text has several statements, a list. A schedule that could never start a run
    is refused.
    """
    text = reading.read(request.body, FslBody).data
    submission = request.services.submitter.submit(
        request.namespace, text, by=request.caller, only=str(Kind.SCHEDULE), trace=request.trace
    )
    found = [
        _shown(request, request.services.schedules.view(request.namespace, one.name)) for one in submission.results
    ]
    return found[0] if len(found) == 1 else found


def list_schedules(request: Request) -> Json:
    """List all schedules, sorted by name."""
    operator, name, limit = request.services.schedules, request.query.text("metadata.name"), request.query.limit()
    after = name_in(request.query.text("cursor"))
    if name is not None:
        try:
            return [_shown(request, operator.view(request.namespace, name))]
        except NotFound:
            return []
    found = request.services.reader.definitions(request.namespace, Kind.SCHEDULE, limit + 1, after)
    page = [_shown(request, view) for view in operator.views(request.namespace, found[:limit])]
    more = len(found) > limit
    return Response(page, headers={"x-next-cursor": cursor_of(found[limit - 1].name)} if more else {})


def get(request: Request, name: str) -> Json:
    """Get a schedule: its next slot, whether it is paused, and what became of its last slots."""
    return _shown(request, request.services.schedules.view(request.namespace, name))


def next_slots(request: Request, name: str) -> Json:
    """List the next slots of a schedule, in local time."""
    count = request.query.number("n", DEFAULT_NEXT_SLOTS, 1, MAX_NEXT_SLOTS)
    return request.services.schedules.next_slots(request.namespace, name, count, request.query.moment("since"))


def pause(request: Request, name: str) -> Json:
    """Pause the schedule: it starts no runs until it is continued. Its runs are not paused."""
    reading.read_optional(request.body, NoBody)
    return _shown(request, request.services.schedules.pause(request.namespace, name))


def resume(request: Request, name: str) -> Json:
    """Continue a paused schedule with its next slot. Slots that passed during the pause are skipped."""
    reading.read_optional(request.body, NoBody)
    return _shown(request, request.services.schedules.resume(request.namespace, name))


def run(request: Request, name: str) -> Json:
    """Start a run of the schedule now, whatever else runs, also while the schedule is paused.

    Its slot is the current second. The status is 201; it is 200 if a run was started within this second before.
    """
    reading.read_optional(request.body, NoBody)
    found = request.services.schedules.run(request.namespace, name, by=request.caller)
    return Response(found, status=201 if found.created else 200)


def backfill(request: Request, name: str) -> Json:
    """Start the runs of past slots from `from` to `to`, both inclusive. Runs that exist already stay as they are.

    A range of more than 100 slots is refused. The runs start at once, whatever the schedule's `overlap` is.
    """
    since, until = reading.read(request.body, BackfillBody).range()
    done = request.services.schedules.backfill(request.namespace, name, since, until, by=request.caller)
    failed = [{"slot": slot, "reason": reason} for slot, reason in done.failed.items()]
    return {"started": done.started, "existed": done.existed, "failed": failed}


def _shown(request: Request, view: ScheduleView) -> Json:
    found, state = presenters.definition(request.namespace, view.definition), view.state
    counts = state.counts if state else {}
    found["spec"] |= {
        "next": None if view.next is None else slot_text(view.schedule, view.next),
        "paused": state is not None and state.paused_at is not None,
        "paused_at": presenters.moment(state.paused_at if state else None),
        "last_run": state.running if state else "",
        "queue": [slot_text(view.schedule, slot) for slot in state.queue] if state else [],
        "slots": [_slot(view, one) for one in state.recent] if state else [],
        **{str(outcome): counts.get(outcome, 0) for outcome in _COUNTED},
    }
    return found


def _slot(view: ScheduleView, record: SlotRecord) -> responses.Slot:
    return {
        "slot": slot_text(view.schedule, record.slot),
        "outcome": record.outcome,
        "run": record.run,
        "status": view.statuses.get(record.run),
        "reason": record.reason,
        "decided_at": presenters.moment(record.decided_at),
        "count": record.count,
    }


# ── routes ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def _command(
    view: Any, action: str, answers: dict[int, Any], body: type = NoBody, errors: tuple[int, ...] = ()
) -> Route:
    return Route(
        method="POST",
        path=f"/schedule/{{name}}/{action}",
        view=view,
        group="schedules",
        role=Role.OPERATOR,
        body=body,
        answers=answers,
        errors=(404, *errors),
    )


ROUTES: Final = (
    Route(
        method="POST",
        path="/schedule",
        view=submit,
        group="schedules",
        role=Role.AUTHOR,
        body=FslBody,
        answers={200: responses.Schedule | list[responses.Schedule]},
        errors=(404, 409, 413, 422),
    ),
    Route(
        method="GET",
        path="/schedule",
        view=list_schedules,
        group="schedules",
        role=Role.VIEWER,
        query=(parameters.NAME, parameters.LIMIT, parameters.CURSOR),
        answers={200: list[responses.Schedule]},
        paged=True,
    ),
    Route(
        method="GET",
        path="/schedule/{name}",
        view=get,
        group="schedules",
        role=Role.VIEWER,
        answers={200: responses.Schedule},
        errors=(404,),
        resource="schedule",
    ),
    Route(
        method="GET",
        path="/schedule/{name}/next",
        view=next_slots,
        group="schedules",
        role=Role.VIEWER,
        query=(
            Parameter(
                "n",
                "How many slots to return at most.",
                parameters.integer(1, MAX_NEXT_SLOTS, default=DEFAULT_NEXT_SLOTS),
            ),
            Parameter("since", "Return slots at this time or later; by default those to come.", parameters.MOMENT),
        ),
        answers={200: list[str]},
        errors=(404,),
    ),
    _command(pause, "pause", {200: responses.Schedule}, errors=(409,)),
    _command(resume, "continue", {200: responses.Schedule}, errors=(409,)),
    _command(run, "run", {200: responses.StartedSlot, 201: responses.StartedSlot}, errors=(409, 413, 422)),
    _command(backfill, "backfill", {200: responses.Backfill}, BackfillBody, errors=(409, 413, 422)),
    Route(
        method="DELETE",
        path="/schedule/{name}",
        view=delete(Kind.SCHEDULE),
        group="schedules",
        role=Role.AUTHOR,
        answers={200: responses.ScheduleDefinition},
        errors=(404, 409),
    ),
    Route(
        method="DELETE",
        path="/schedule/{name}/{uuid}",
        view=delete_by_uuid(Kind.SCHEDULE),
        group="schedules",
        role=Role.AUTHOR,
        answers={200: responses.ScheduleDefinition},
        errors=(404, 409),
    ),
)
