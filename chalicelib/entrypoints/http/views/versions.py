"""Calls on versions of definitions: their list, differences and uses, and a flow as schemas or as a machine."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

from chalicelib.entrypoints.http import parameters, presenters
from chalicelib.entrypoints.http.errors import asl_problem
from chalicelib.entrypoints.http.parameters import Parameter, integer
from chalicelib.entrypoints.http.request import Request, Response
from chalicelib.entrypoints.http.responses import versions as shapes
from chalicelib.entrypoints.http.route import Route, View
from chalicelib.model.json_values import Json
from chalicelib.service.ports.definitions import Kind
from chalicelib.service.security.roles import Role

if TYPE_CHECKING:
    from chalicelib.authoring.flow_diff import ChangedSetting, FlowDiff, PlacedStep

MAX_VERSION: Final = 10**9


def versions_of(kind: Kind) -> View:
    """Return the view that lists the versions of a definition."""

    def view(request: Request, name: str) -> Response:
        limit, before = request.query.limit(), request.query.number("cursor", 0, 1, MAX_VERSION) or None
        found = request.services.definition_details.versions(request.namespace, kind, name, limit + 1, before)
        page: list[Json] = [
            {
                "version": one.version,
                "uuid": one.uuid,
                "created_at": presenters.moment(one.created_at),
                "created_by": one.created_by,
            }
            for one in found[:limit]
        ]
        return Response(page, headers={"x-next-cursor": str(found[limit - 1].version)} if len(found) > limit else {})

    view.__name__ = f"{kind.resource}_versions"
    view.__doc__ = f"List the versions of the {kind.resource}, newest first, with who submitted each and when."
    return view


def users_of(kind: Kind) -> View:
    """Return the view that lists what refers to a definition."""

    def view(request: Request, name: str) -> Json:
        found = request.services.definition_details.referrers(request.namespace, kind, name)
        users = [{"kind": one.kind.resource, "name": one.name, "version": one.version} for one in found.found]
        return {"used_by": users, "complete": found.is_complete}

    view.__name__ = f"{kind.resource}_users"
    view.__doc__ = (
        f"List the definitions that refer to the {kind.resource} in their newest version.\n\n"
        "They are flows, actions, schedules and hooks. `complete` is false if the namespace has more definitions than "
        "were read."
    )
    return view


def difference(request: Request, name: str) -> Json:
    """Show what changed from one version of a flow to another: steps, routes, actions and settings.

    `to` defaults to the newest version, and `from` to the one before `to`.
    """
    before = request.query.number("from", 0, 1, MAX_VERSION) or None
    after = request.query.number("to", 0, 1, MAX_VERSION) or None
    found = request.services.definition_details.difference(request.namespace, name, before, after)
    diff = found.diff
    return {
        "flow": name,
        "from": found.before.version,
        "to": found.after.version,
        "steps": {
            "added": [_step(one) for one in diff.added],
            "removed": [_step(one) for one in diff.removed],
            "changed": [
                {
                    "step": one.name,
                    "settings": _settings(one.settings),
                    "routes": {"added": list(one.added_routes), "removed": list(one.removed_routes)},
                }
                for one in diff.changed
            ],
        },
        "routes": _routes(diff),
        "actions": {"added": list(diff.actions.added), "removed": list(diff.actions.removed)},
        "flows": {"added": list(diff.flows.added), "removed": list(diff.flows.removed)},
        "settings": _settings(diff.settings),
        "text": found.text,
    }


def schema(request: Request, name: str) -> Json:
    """Return JSON Schemas of the input of a flow, of the events that it waits for, and of its actions.

    The schemas of an action are those of its newest version: what it is sent, and what it answers.
    """
    from chalicelib.authoring import flow_schema

    version = request.query.number("version", 0, 1, MAX_VERSION) or None
    found = request.services.definition_details.context(request.namespace, name, version)
    return {
        "flow": name,
        "version": found.definition.version,
        "input": flow_schema.input_schema(found.flow),
        "events": flow_schema.event_schemas(found.flow, found.events),
        "actions": {
            key: {
                "sent": flow_schema.sent_schema(action),
                "answers": flow_schema.answer_schema(action),
                "states": list(action.returns),
            }
            for key, action in found.actions.items()
        },
    }


def asl(request: Request, name: str) -> Json:
    """Return a flow as a machine of AWS Step Functions: a definition of a Standard workflow, with JSONata.

    It sends what the newest versions of its actions say. What Step Functions has not is refused, with all places.
    """
    from chalicelib.service.details.machines import flow_machine

    version = request.query.number("version", 0, 1, MAX_VERSION) or None
    found = flow_machine(request.services.definition_details, request.namespace, name, version)
    return {"asl": found.machine, "problems": [asl_problem(one) for one in found.problems]}


def _step(placed: PlacedStep) -> shapes.DiffStep:
    step = placed.step
    return {"step": step.name, "kind": str(step.__struct_config__.tag), "within": placed.within, "routes": _texts(step)}


def _texts(step: Json) -> list[str]:
    from chalicelib.authoring.flow_diff import route_text

    return [route_text(one) for one in step.routes]


def _routes(diff: FlowDiff) -> shapes.Routes:
    added = [(one.step.name, _texts(one.step)) for one in diff.added]
    removed = [(one.step.name, _texts(one.step)) for one in diff.removed]
    added += [(one.name, list(one.added_routes)) for one in diff.changed]
    removed += [(one.name, list(one.removed_routes)) for one in diff.changed]
    return {"added": _flat(added), "removed": _flat(removed)}


def _flat(found: Iterable[tuple[str, list[str]]]) -> list[shapes.DiffRoute]:
    return [{"step": step, "route": route} for step, routes in found for route in routes]


def _settings(changed: Iterable[ChangedSetting]) -> list[shapes.Setting]:
    return [{"name": one.name, "before": one.before, "after": one.after} for one in changed]


_CURSOR: Final = Parameter("cursor", "The value of `x-next-cursor` of the previous page.", integer(1, MAX_VERSION))
ROUTES: Final = (
    *(
        Route(
            method="GET",
            path=f"/{kind.resource}/{{name}}/versions",
            view=versions_of(kind),
            group="definitions",
            role=Role.VIEWER,
            query=(parameters.LIMIT, _CURSOR),
            answers={200: list[shapes.Version]},
            errors=(404,),
            paged=True,
        )
        for kind in (Kind.FLOW, Kind.ACTION)
    ),
    *(
        Route(
            method="GET",
            path=f"/{kind.resource}/{{name}}/used_by",
            view=users_of(kind),
            group="definitions",
            role=Role.VIEWER,
            answers={200: shapes.Users},
            errors=(404,),
        )
        for kind in (Kind.FLOW, Kind.ACTION)
    ),
    Route(
        method="GET",
        path="/flow/{name}/diff",
        view=difference,
        group="definitions",
        role=Role.VIEWER,
        query=(
            Parameter("from", "The earlier version; by default the one before `to`.", integer(1, MAX_VERSION)),
            Parameter("to", "The later version; by default the newest.", integer(1, MAX_VERSION)),
        ),
        answers={200: shapes.FlowDiff},
        errors=(404,),
    ),
    Route(
        method="GET",
        path="/flow/{name}/schema",
        view=schema,
        group="definitions",
        role=Role.VIEWER,
        query=(parameters.VERSION,),
        answers={200: shapes.FlowSchema},
        errors=(404,),
    ),
    Route(
        method="GET",
        path="/flow/{name}/asl",
        view=asl,
        group="definitions",
        role=Role.VIEWER,
        query=(parameters.VERSION,),
        answers={200: shapes.FlowMachine},
        errors=(404, 422),
    ),
)
