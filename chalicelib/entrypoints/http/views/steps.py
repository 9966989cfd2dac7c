"""Calls that list the steps of runs: the inbox of tasks, and what runs wait for."""

from __future__ import annotations

import re
from typing import Final

import msgspec

from chalicelib.entrypoints.http import pages, parameters, presenters, responses
from chalicelib.entrypoints.http.parameters import Parameter
from chalicelib.entrypoints.http.query import DEFAULT_LIMIT, Query, cursor_of, name_in
from chalicelib.entrypoints.http.request import Request, Response
from chalicelib.entrypoints.http.route import Route
from chalicelib.entrypoints.http.step_lookup import find_step
from chalicelib.entrypoints.http.views import task_links
from chalicelib.model.json_values import Json
from chalicelib.model.run import Run
from chalicelib.service.errors import Malformed
from chalicelib.service.inbox import TaskQuery
from chalicelib.service.ports.tasks import Task
from chalicelib.service.runs.read import Reader
from chalicelib.service.security.roles import Role

_ORDER_MARKS: Final = {False: "s", True: "d"}
_CURSOR: Final = re.compile(r"(?P<mark>[sd])(?P<at>[0-9]{1,15})\.(?P<uuid>[0-9a-f-]{1,64})")


def tasks(request: Request) -> Json:
    """List the tasks that wait for a person, the longest-waiting first.

    A page may be shorter than `limit`, or empty, and still have a next one. `links` has two links for each state, for
    callers who may answer: `page` asks a person for confirmation, and its form posts to `answer`. They need no token
    and expire with the task.
    """
    query = _query_of(request.query)
    page = request.services.inbox.page(request.namespace, request.query.limit(), query)
    shown = [presenters.task(task, task_links.links_of(request, task)) for task in page.tasks]
    headers = {"x-next-cursor": _cursor_of(page.last, query)} if page.last else {}
    return Response(shown, headers=headers)


def _query_of(query: Query) -> TaskQuery:
    order, kind = query.choice("order", ("since", "deadline")), query.choice("kind", ("task", "approval"))
    return TaskQuery(
        run=query.text("flowId"),
        step=query.text("stepName"),
        action=query.text("action"),
        flow=query.text("flow"),
        labels=query.labels(),
        approval=None if kind is None else kind == "approval",
        due_before=query.moment("due_before"),
        by_deadline=order == "deadline",
        after=_task_in(query.text("cursor"), by_deadline=order == "deadline"),
    )


def _cursor_of(task: Task, query: TaskQuery) -> str:
    at, uuid = task.place(by_deadline=query.by_deadline)
    return cursor_of(f"{_ORDER_MARKS[query.by_deadline]}{at}.{uuid}")


def _task_in(cursor: str | None, *, by_deadline: bool) -> Task | None:
    """Return the place in the list of which this is the cursor. Raises Malformed, also for one of another order."""
    if cursor is None:
        return None
    found = _CURSOR.fullmatch(name_in(cursor))
    if found is None or found["mark"] != _ORDER_MARKS[by_deadline]:
        raise Malformed(f"`cursor` must be the value of `x-next-cursor` of the previous page, not {cursor!r:.60}")
    return Task(run="", uuid=found["uuid"], since=int(found["at"]), until=int(found["at"]))


def list_steps(request: Request) -> Json:
    """List the steps that the newest runs have entered, whether they have returned (`done`) or not.

    A page has whole runs: more than `limit` steps only if one run has more.
    """
    name, limit = request.query.text("metadata.name"), request.query.limit()
    reader = request.services.reader
    query = msgspec.structs.replace(request.query.runs(), limit=limit if name is None else max(limit, DEFAULT_LIMIT))
    listing = reader.listing(request.namespace, query)
    groups = (
        (_steps_of(reader, run, name), reader.cursor_after(request.namespace, query, run)) for run in listing.runs
    )
    return pages.grouped(groups, listing.cursor, limit)


def _steps_of(reader: Reader, run: Run, name: str | None) -> list[pages.Item]:
    """Return the steps that a run of a listing has entered; without their values, if these are too large together."""
    view = reader.list_view(run)
    if view is not None:
        shown = [pages.item(one, "") for one in presenters.started_steps(view) if _is_called(one, name)]
        if sum(one.size for one in shown) <= pages.MAX_PAGE_BYTES:
            return shown
    steps = presenters.started_steps(reader.outline(run))
    return [pages.item(presenters.without_values(one), "") for one in steps if _is_called(one, name)]


def _is_called(step: responses.Step, name: str | None) -> bool:
    return name in (None, step["metadata"]["name"])


def get_step(request: Request, name: str) -> Json:
    """Get a step by `RUN.STEP`, or the newest run's step with this name or uuid.

    Values that are too large for a response together are left out: `/flowrun/{name}/value` reads them.
    """
    found = find_step(request.services.reader, request.namespace, name)
    fits = pages.item(found, "").size <= pages.MAX_PAGE_BYTES
    return found if fits else presenters.without_values(found)


ROUTES: Final = (
    Route(
        method="GET",
        path="/task",
        view=tasks,
        group="steps",
        role=Role.VIEWER,
        other_roles=(Role.CLERK,),
        query=(
            Parameter("flowId", "Return only tasks of this run."),
            Parameter("stepName", "Return only tasks of this step."),
            Parameter("action", "Return only tasks of this action."),
            Parameter("flow", "Return only tasks of runs of this flow."),
            parameters.LABEL,
            Parameter(
                "kind", "Return only tasks, or only approvals.", {"type": "string", "enum": ["task", "approval", ""]}
            ),
            Parameter("due_before", "Return only tasks with a deadline before this time.", parameters.MOMENT),
            Parameter(
                "order",
                "`deadline` returns the soonest deadline first, `since` the longest-waiting task.",
                {"type": "string", "enum": ["since", "deadline", ""], "default": "since"},
            ),
            parameters.LIMIT,
            parameters.CURSOR,
        ),
        answers={200: list[responses.Task]},
        paged=True,
        example="the inbox",
    ),
    Route(
        method="GET",
        path="/step",
        view=list_steps,
        group="steps",
        role=Role.VIEWER,
        query=parameters.RUNS,
        answers={200: list[responses.Step]},
        paged=True,
    ),
    Route(
        method="GET",
        path="/step/{name}",
        view=get_step,
        group="steps",
        role=Role.VIEWER,
        answers={200: responses.Step},
        errors=(404,),
    ),
    *task_links.ROUTES,
)
