"""Calls that submit FSL, and calls on definitions."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Final

from chalicelib.entrypoints.http import bodies, pages, parameters, presenters, reading, responses, shown_runs
from chalicelib.entrypoints.http.bodies import FslBody
from chalicelib.entrypoints.http.parameters import Parameter
from chalicelib.entrypoints.http.query import cursor_of, name_in
from chalicelib.entrypoints.http.request import Request
from chalicelib.entrypoints.http.route import Route, View
from chalicelib.entrypoints.http.views import statuses
from chalicelib.model.json_values import Json
from chalicelib.service.documents.expected import Expected
from chalicelib.service.errors import Malformed, NotFound
from chalicelib.service.ports.definitions import Kind
from chalicelib.service.security.roles import Role

MAX_EXPECTED: Final = 100
"""How many versions one request can expect."""

FLOW_RUN: Final = "flow_run"
CHANGES: Final = ("created", "updated", "unchanged")

_BLANK: Final = r"\s\x1c-\x1f\x85"
FSL_TEXT: Final[Json] = {
    "type": "string",
    "description": "An FSL text. A body that starts with a brace is read as JSON.",
    "pattern": f"^[{_BLANK}]*([^{{{_BLANK}]|$)",
}


def submit(request: Request) -> Json:
    """Submit an FSL text: all of its statements take effect or, if one is invalid, none.

    A definition that did not change keeps its version. With `dry_run=true` nothing is stored, and the response shows
    what would change. `expect=flow:order@3` requires that flow `order` has version 3 until then: if another request has
    changed it, the status is 409 and `found` lists the newest versions.
    """
    text, dry_run = bodies.fsl_of(request.body), request.query.flag("dry_run")
    submission = request.services.submitter.submit(
        request.namespace,
        text,
        by=request.caller,
        dry_run=dry_run,
        trace=request.trace,
        expected=_expected(request.query.all("expect")),
    )
    by_change = {change: [one for one in submission.results if one.change == change] for change in CHANGES}
    return {"results": submission.results, **by_change, "diagnostics": submission.diagnostics}


def _expected(texts: Sequence[str]) -> Expected:
    """Return the versions in `KIND:NAME@VERSION`. Raises Malformed."""
    found: dict[Kind, dict[str, int]] = {}
    if len(texts) > MAX_EXPECTED:
        raise Malformed(f"`expect` is given {len(texts)} times; {MAX_EXPECTED} are the limit")
    for text in filter(None, texts):
        kind, _, rest = text.partition(":")
        name, _, version = rest.rpartition("@")
        if kind not in list(Kind) or not name or not re.fullmatch(r"[0-9]{1,9}", version):
            raise Malformed(f"`expect` must have the form KIND:NAME@VERSION, such as flow:order@3, not {text!r:.60}")
        found.setdefault(Kind(kind), {})[name] = int(version)
    return found


def submit_only(kind: str) -> View:
    """Return the view that takes FSL statements of one kind, and responds with the resources that they define."""

    def view(request: Request) -> Json:
        text = reading.read(request.body, FslBody).data
        submission = request.services.submitter.submit(
            request.namespace, text, by=request.caller, only=kind, trace=request.trace
        )
        found = [_resource(request, result.kind, result.name) for result in submission.results]
        return found[0] if len(found) == 1 else found

    view.__name__ = f"submit_{kind}"
    view.__doc__ = f"""Submit FSL statements of the kind `{kind}`: all of them take effect or, if one is invalid, none.

    The response is the resource or, if the text has several statements, a list. `POST /fsl` takes all kinds.
    """
    return view


def list_of(kind: Kind) -> View:
    def view(request: Request) -> Json:
        name, limit = request.query.text("metadata.name"), request.query.limit()
        after = name_in(request.query.text("cursor"))
        if name is not None:
            return _list_one(request, kind, name)
        found = request.services.reader.definitions(request.namespace, kind, limit + 1, after)
        names = [one.name for one in found[:limit]]
        shown = zip(statuses.shown(request, found[:limit]), names, strict=True)
        items = (pages.item(one, cursor_of(its_name)) for one, its_name in shown)
        return pages.response(items, cursor_of(names[-1]) if len(found) > limit else None)

    word = kind.resource
    view.__name__, view.__doc__ = f"list_{word}", f"List the newest version of every {word}, sorted by name."
    return view


def get(kind: Kind) -> View:
    def view(request: Request, name: str) -> Json:
        version = request.query.number("version", 0, 1, 10**9) or None
        found = request.services.reader.definition(request.namespace, kind, name, version)
        return statuses.shown(request, [found])[0]

    word = kind.resource
    view.__name__, view.__doc__ = f"get_{word}", f"Get one {word}: its newest version, or `?version=`."
    return view


def get_action(request: Request, name: str) -> Json:
    """Get one action: its newest version, or `?version=`. `status` says what happens with it now.

    `in_flight` counts activations that were sent and not answered, `waiting` those that wait to be sent: for a limit, a
    breaker, an approval, or the next attempt. They are counted among the newest 500 runs that have not ended.
    """
    shown: Any = get(Kind.ACTION)(request, name)
    services = request.services
    status = {
        **shown["status"],
        "breaker": presenters.breaker(services.breakers.of_action(request.namespace, name)),
        **presenters.activity(services.activity.of(request.namespace, name)),
        "last_hour": presenters.last_hour(services.statistics.of(request.namespace, name)),
    }
    return {**shown, "status": status}


def delete(kind: Kind) -> View:
    def view(request: Request, name: str, uuid: str | None = None) -> Json:
        found = request.services.definition_deleter.delete(request.namespace, kind, name, uuid)
        return presenters.definition(request.namespace, found)

    word = kind.resource
    view.__name__, view.__doc__ = f"delete_{word}", f"Delete the {word}. Existing runs that use it are not affected."
    return view


def delete_by_uuid(kind: Kind) -> View:
    view = delete(kind)
    view.__doc__ = f"Delete the {kind.resource} if it has this uuid. Existing runs that use it are not affected."
    return view


def hook_deliveries(request: Request, name: str) -> Json:
    """List the last deliveries of a hook, newest first: every attempt, up to 20."""
    request.services.reader.definition(request.namespace, Kind.HOOK, name)
    history = request.services.hook_log.of(request.namespace, name)
    return [presenters.hook_delivery(one) for one in history.deliveries]


def _list_one(request: Request, kind: Kind, name: str) -> list[Json]:
    try:
        found = request.services.reader.definition(request.namespace, kind, name)
    except NotFound:
        return []
    return statuses.shown(request, [found])


def _resource(request: Request, kind: str, name: str) -> Json:
    reader = request.services.reader
    if kind == FLOW_RUN:
        return shown_runs.named(reader, request.namespace, name)
    return presenters.definition(request.namespace, reader.definition(request.namespace, Kind(kind), name))


# ── routes ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def _submission(path: str, kind: str, answer: Any, group: str) -> Route:
    return Route(
        method="POST",
        path=path,
        view=submit_only(kind),
        group=group,
        role=Role.AUTHOR,
        body=FslBody,
        answers={200: answer | list[answer]},
        errors=(404, 409, 413, 422),
    )


def _definitions(kind: Kind, answer: Any, shown: Any) -> tuple[Route, ...]:
    """Return the calls on definitions of one kind. `shown` is the type of a newest version as it is read."""
    path, one = f"/{kind.resource}", f"/{kind.resource}/{{name}}"
    group = "definitions"
    return (
        _submission(path, kind, answer, group),
        Route(
            method="GET",
            path=path,
            view=list_of(kind),
            group=group,
            role=Role.VIEWER,
            query=(parameters.NAME, parameters.LIMIT, parameters.CURSOR),
            answers={200: list[shown]},
            paged=True,
        ),
        Route(
            method="GET",
            path=one,
            view=get_action if kind is Kind.ACTION else get(kind),
            group=group,
            role=Role.VIEWER,
            query=(parameters.VERSION,),
            answers={200: responses.LoadedAction if kind is Kind.ACTION else shown},
            errors=(404,),
            resource=kind.resource,
        ),
        Route(
            method="DELETE",
            path=one,
            view=delete(kind),
            group=group,
            role=Role.AUTHOR,
            answers={200: answer},
            errors=(404, 409),
        ),
        Route(
            method="DELETE",
            path=f"{one}/{{uuid}}",
            view=delete_by_uuid(kind),
            group=group,
            role=Role.AUTHOR,
            answers={200: answer},
            errors=(404, 409),
        ),
    )


ROUTES: Final = (
    Route(
        method="POST",
        path="/fsl",
        view=submit,
        group="definitions",
        role=Role.AUTHOR,
        query=(
            Parameter(
                "dry_run",
                "Check the text and report what would change, without storing anything.",
                {"type": "boolean", "default": False},
            ),
            Parameter(
                "expect",
                "A definition and the version that it must have, as `KIND:NAME@VERSION`; version 0: it is not defined. "
                "Repeat the parameter for several.",
                {
                    "type": "array",
                    "maxItems": MAX_EXPECTED,
                    "items": {"type": "string", "pattern": f"^(({'|'.join(Kind)}):.+@[0-9]{{1,9}})?$"},
                },
            ),
        ),
        body=FslBody,
        text_body=FSL_TEXT,
        answers={200: responses.Submission},
        errors=(404, 409, 413, 422),
        example="a document",
    ),
    *_definitions(Kind.ACTION, responses.Action, responses.ShownAction),
    *_definitions(Kind.FLOW, responses.Flow, responses.ShownFlow),
    *_definitions(Kind.EVENT, responses.EventType, responses.EventType),
    *_definitions(Kind.CONFIG, responses.Config, responses.Config),
    *_definitions(Kind.HOOK, responses.Hook, responses.Hook),
    Route(
        method="GET",
        path="/hook/{name}/deliveries",
        view=hook_deliveries,
        group="definitions",
        role=Role.VIEWER,
        answers={200: list[responses.HookDelivery]},
        errors=(404,),
    ),
    _submission("/flowrun", FLOW_RUN, responses.Run, "runs"),
)
