"""Signed links of tasks: a page that asks for confirmation, and the answer that its form posts.

The links are public calls: the signature is the permission (`service.security.task_links`). `GET /task` has them, for
callers who may answer the task. The audit names the run, never the link.
"""

from __future__ import annotations

from typing import Annotated, Final, Literal
from urllib.parse import parse_qs

import msgspec
from chalice.app import Response as ChaliceResponse
from msgspec.structs import replace

from chalicelib.engine.effects import Outcome
from chalicelib.engine.errors import NotPermitted
from chalicelib.engine.senders import Sender
from chalicelib.entrypoints.http import audit, errors, responses, task_page
from chalicelib.entrypoints.http.reading import text_of
from chalicelib.entrypoints.http.request import Request, Response
from chalicelib.entrypoints.http.route import Route
from chalicelib.model.json_values import Json, ready
from chalicelib.service.errors import Malformed
from chalicelib.service.inbox import OpenTask
from chalicelib.service.observability import work_context
from chalicelib.service.runs.answer import Answer
from chalicelib.service.security.roles import Role
from chalicelib.service.security.task_links import MAX_LINK_CHARACTERS, TaskLink

BY_LINK: Final = "signed link"
"""The caller in the history and in the audit of an answer by a link: its holder is unknown."""

FORM: Final = "application/x-www-form-urlencoded"
_MAX_FORM_FIELDS: Final = 8


class TaskForm(msgspec.Struct, frozen=True, kw_only=True):
    """The form of the confirmation page. `note` becomes `note` of the answer's data."""

    confirm: Literal["yes"]
    note: Annotated[str, msgspec.Meta(max_length=task_page.MAX_NOTE_CHARACTERS)] = ""


def links_of(request: Request, task: OpenTask) -> dict[str, responses.AnswerLinks]:
    """Return two links for each state of the task, if the caller may answer it."""
    if request.identity is None or not request.identity.role.covers(Role.CLERK):
        return {}
    links: dict[str, responses.AnswerLinks] = {}
    for state in task.states:
        link = TaskLink(request.namespace, task.run, task.step, task.uuid, state, task.deadline)
        url = f"{request.base_url}/task/{request.services.task_links.sign(link)}"
        links[state] = {"page": url, "answer": f"{url}/answer"}
    return links


def confirm(request: Request, link: str) -> Json:
    """Ask for confirmation of an answer to a task, by a signed link.

    The page answers nothing by itself. Its form posts the answer.
    """
    permitted = request.services.task_links.read(link)
    work_context.note(namespace=permitted.namespace, run=permitted.run, uuid=permitted.uuid)
    task = request.services.inbox.find(permitted.namespace, permitted.run, permitted.uuid)
    if task is None or task.step != permitted.step or permitted.state not in task.states:
        return task_page.closed()
    return task_page.confirmation(task, permitted.state, f"{link}/answer")


def answer(request: Request, link: str) -> Json:
    """Answer a task, by a signed link.

    The body is the form of the confirmation page. Its `note` becomes `note` of the answer's data.
    """
    permitted = request.services.task_links.read(link)
    named = replace(request, caller=BY_LINK, namespace=permitted.namespace)
    work_context.note(namespace=permitted.namespace, run=permitted.run, uuid=permitted.uuid)
    status = 500
    try:
        response = _answered(named, permitted)
        status = response.status
        return response
    except Exception as error:
        status = int(errors.status_of(error) or 500)
        raise
    finally:
        audit.record(named, ANSWER, (permitted.run, permitted.step, permitted.state), None, status)


def _answered(request: Request, permitted: TaskLink) -> Response:
    settings = request.services.settings
    request.services.rates.take({f"namespace {permitted.namespace}": settings.namespace_rate})
    note = _form_in(request).note.strip()
    task = request.services.inbox.find(permitted.namespace, permitted.run, permitted.uuid)
    if task is None or task.step != permitted.step or permitted.state not in task.states:
        return task_page.closed()
    given = Answer(
        run=permitted.run,
        step=permitted.step,
        uuid=permitted.uuid,
        state=permitted.state,
        done=True,
        data={"note": note} if note else None,
    )
    try:
        outcome = request.services.answerer.answer(
            permitted.namespace, given, by=BY_LINK, trace=request.trace, sender=Sender.PERSON
        )
    except NotPermitted:  # another person approved it just now: the step waits for its service
        return task_page.closed()
    return task_page.answered(permitted.state, permitted.step) if outcome is Outcome.ADVANCED else task_page.closed()


def _form_in(request: Request) -> TaskForm:
    """Return the form in the body. Raises Malformed."""
    media = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media != FORM:
        raise Malformed(f"send the form of the confirmation page ({FORM}), not {media or 'an unnamed type'!r:.80}")
    try:
        fields = parse_qs(text_of(request.body), max_num_fields=_MAX_FORM_FIELDS, errors="strict")
    except ValueError as exc:
        raise Malformed("the form cannot be read") from exc
    if fields.get(task_page.CONFIRM) != [task_page.CONFIRMED]:
        raise Malformed("open the link, and confirm the answer on the page that it shows")
    note = "".join(fields.get(task_page.NOTE, ()))
    if len(note) > task_page.MAX_NOTE_CHARACTERS:
        raise Malformed(f"the note has {len(note)} characters; the limit is {task_page.MAX_NOTE_CHARACTERS}")
    return TaskForm(confirm="yes", note=note)


def as_page(error: Exception, request_id: str) -> ChaliceResponse:
    """Return the error as a page for people."""
    response = errors.response_to(error, request_id)
    message = msgspec.json.decode(response.body)["message"]
    page = task_page.failed(response.status_code, message)
    headers: errors.Headers = {**response.headers, **page.all_headers}
    return ChaliceResponse(page.text(), headers=headers, status_code=page.status)


ready(TaskForm)

_HTML: Final[dict[str, Json]] = {"text/html": {"type": "string"}}

ANSWER: Final = Route(
    method="POST",
    path="/task/{link}/answer",
    view=answer,
    group="steps",
    role=None,
    media_bodies={FORM: TaskForm},
    media=_HTML,
    errors=(400, 403, 404, 409, 410, 413, 422),
    error_response=as_page,
    error_media="text/html",
    max_name_characters=MAX_LINK_CHARACTERS,
)

ROUTES: Final = (
    Route(
        method="GET",
        path="/task/{link}",
        view=confirm,
        group="steps",
        role=None,
        media=_HTML,
        errors=(400, 403, 410),
        error_response=as_page,
        error_media="text/html",
        max_name_characters=MAX_LINK_CHARACTERS,
    ),
    ANSWER,
)
