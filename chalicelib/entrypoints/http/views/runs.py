"""Calls that find, follow and command runs."""

from __future__ import annotations

from typing import Any, Final

from msgspec import UNSET

from chalicelib.entrypoints.http import parameters, reading, responses, shown_runs
from chalicelib.entrypoints.http.bodies import (
    GotoBody,
    LabelsBody,
    MigrateBody,
    NoBody,
    RetryBody,
    StopBody,
    VarsBody,
)
from chalicelib.entrypoints.http.errors import fit_of
from chalicelib.entrypoints.http.parameters import FULL, SUMMARY
from chalicelib.entrypoints.http.presenters import ShortValues, Values
from chalicelib.entrypoints.http.request import Request
from chalicelib.entrypoints.http.route import Route, View
from chalicelib.entrypoints.http.views.starts import WAIT_FOR_END, presented, waiting_ms, with_end
from chalicelib.model.json_values import Json
from chalicelib.service.errors import Invalid, Malformed
from chalicelib.service.security.roles import Role


def get(request: Request, name: str) -> Json:
    """Get a run as it is now. With `wait` the response comes when it has ended, or after so many seconds.

    A run that is too large for a response is in brief, with `cut`.
    """
    reader, wait_ms = request.services.reader, waiting_ms(request, 0)
    is_short = request.query.choice("values", ("short",)) is not None
    if wait_ms:
        reader.ended(request.namespace, name, wait_ms)
    details = request.services.run_details
    shows = ShortValues if is_short else Values
    return with_end(shown_runs.named(reader, request.namespace, name, _shape(request), details, shows))


def _shape(request: Request) -> str | None:
    return request.query.choice("view", (SUMMARY, FULL))


def pause(request: Request, name: str) -> Json:
    """Pause the run. Until it is continued it sends nothing; answers that arrive meanwhile are recorded."""
    reading.read_optional(request.body, NoBody)
    return presented(request, request.services.operator.pause(request.namespace, name, by=request.caller))


def resume(request: Request, name: str) -> Json:
    """Continue a paused run."""
    reading.read_optional(request.body, NoBody)
    return presented(request, request.services.operator.resume(request.namespace, name, by=request.caller))


def stop(request: Request, name: str) -> Json:
    """Stop the run. Its status becomes `canceled`."""
    reason = reading.read_optional(request.body, StopBody).reason
    run = request.services.operator.stop(request.namespace, name, reason=reason, by=request.caller)
    return presented(request, run)


def set_vars(request: Request, name: str) -> Json:
    """Set and remove variables of the run."""
    body = reading.read_optional(request.body, VarsBody)
    if both := sorted(body.vars.keys() & set(body.remove)):
        raise Invalid(f"`vars` and `remove` both have {both[0]!r:.80}")
    run = request.services.operator.set_vars(request.namespace, name, body.vars, remove=body.remove, by=request.caller)
    return presented(request, run)


def set_labels(request: Request, name: str) -> Json:
    """Set and remove labels of the run, in any status. The lists find it by its new labels."""
    body = reading.read_optional(request.body, LabelsBody)
    if both := sorted(body.set.keys() & set(body.remove)):
        raise Invalid(f"`set` and `remove` both have {both[0]!r:.80}")
    if wrong := [label for label in body.set if not label or ":" in label]:
        raise Malformed(f"the name of a label must have no colon, and must not be empty: {wrong[0]!r:.80}")
    run = request.services.operator.set_labels(request.namespace, name, body.set, remove=body.remove, by=request.caller)
    return presented(request, run)


def retry(request: Request, name: str) -> Json:
    """Continue a failed or stopped run, where it stopped or at another step, as it was or mended; or repeat its failed
    undos."""
    body = reading.read_optional(request.body, RetryBody)
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
        return presented(request, run)
    given = {"step": body.step, "token": body.token, "version": body.version, "vars": body.vars or None}
    others = [name for name, value in given.items() if value is not None]
    others += ["input"] if body.input is not UNSET else []
    if others:
        raise Malformed(
            f"`{others[0]}` and `undo` exclude each other: `undo` repeats undos and does not continue the run"
        )
    return presented(request, operator.retry_undos(request.namespace, name, by=by))


def migrate(request: Request, name: str) -> Json:
    """Move a run that is running or paused to another version of its flow.

    The response says of each token what fits. If something does not, the run stays as it is, and the status is 409;
    with `dry_run` it is 200.
    """
    body = reading.read(request.body, MigrateBody)
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
    body = reading.read(request.body, GotoBody)
    run = request.services.operator.go_to(
        request.namespace, name, body.step, token=body.token, reason=body.reason, by=request.caller
    )
    return presented(request, run)


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


ROUTES: Final = (
    Route(
        method="GET",
        path="/flowrun/{name}",
        view=get,
        group="runs",
        role=Role.VIEWER,
        query=(WAIT_FOR_END, parameters.VIEW, parameters.VALUES),
        answers={200: responses.AwaitedRun},
        errors=(404,),
        resource="flowrun",
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
