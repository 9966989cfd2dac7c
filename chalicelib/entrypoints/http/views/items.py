"""Calls that show the items of an each, and the cost of a run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, cast

from chalicelib.entrypoints.http import parameters, presenters
from chalicelib.entrypoints.http.parameters import Parameter, integer
from chalicelib.entrypoints.http.presenters import run_details
from chalicelib.entrypoints.http.presenters.values import cut
from chalicelib.entrypoints.http.request import Request, Response
from chalicelib.entrypoints.http.responses import run_details as shapes
from chalicelib.entrypoints.http.route import Route
from chalicelib.model.flow import MAX_EACH_ITEMS
from chalicelib.model.json_values import Json
from chalicelib.service.details.kinds import ItemStatus
from chalicelib.service.security.roles import Role

if TYPE_CHECKING:
    from chalicelib.service.details.items import Item


def items(request: Request, name: str) -> Response:
    """List the items of an each of the run: how far each of them is, with its error or output.

    `step` is the each; it need not be given if the flow has one. `status` selects items. If the each has returned, the
    newest 20,000 entries of the history show what became of its items.
    """
    query = request.query
    status, has_spans = query.choice("status", tuple(ItemStatus)), query.flag("spans")
    found = request.services.items.page(
        request.namespace,
        name,
        step=query.text("step"),
        token=query.text("token"),
        status=ItemStatus(status) if status else None,
        after=query.number("cursor", -1, 0, MAX_EACH_ITEMS),
        limit=query.limit(),
        has_spans=has_spans,
    )
    shown = {**run_details.progress(found.progress), "items": [_item(name, one) for one in found.items]}
    page = cast("shapes.Items", shown)
    if has_spans:
        page["spans"] = [{"status": one.status, "first": one.first, "count": one.count} for one in found.spans]
    return Response(page, headers={} if found.after is None else {"x-next-cursor": str(found.after)})


def cost(request: Request, name: str) -> Json:
    """Show what the run has cost so far: requests, and money at list prices; and what AWS Step Functions would ask.

    State transitions are counted in the newest 20,000 entries of the history.
    """
    view = request.services.reader.path(request.namespace, name)
    now = request.services.adapters.clock.now()
    return run_details.compared_cost(*request.services.run_details.compared(view.run, view.entries, now))


def _item(run: str, found: Item) -> shapes.Item:
    return {
        "index": found.index,
        "token": found.token,
        "status": found.status,
        "step": found.step,
        "error": found.error,
        "error_name": found.error_name,
        "output": cut(run, found.output),
        "since": presenters.moment(found.since),
    }


_CURSOR: Final = Parameter("cursor", "The value of `x-next-cursor` of the previous page.", integer(0, MAX_EACH_ITEMS))
ROUTES: Final = (
    Route(
        method="GET",
        path="/flowrun/{name}/items",
        view=items,
        group="runs",
        role=Role.VIEWER,
        query=(
            Parameter("step", "The each. It must be given if the flow has several."),
            Parameter("token", "The token at the each, if several are: one in another each or in a fork."),
            Parameter(
                "status", "Return items with this status.", {"type": "string", "enum": [*map(str, ItemStatus), ""]}
            ),
            Parameter(
                "spans",
                "Return the statuses of all items, too: of those that follow one another and have the same, together.",
                {"type": "boolean", "default": False},
            ),
            parameters.LIMIT,
            _CURSOR,
        ),
        answers={200: shapes.Items},
        errors=(404, 422),
        paged=True,
    ),
    Route(
        method="GET",
        path="/flowrun/{name}/cost",
        view=cost,
        group="runs",
        role=Role.VIEWER,
        answers={200: shapes.ComparedCost},
        errors=(404,),
    ),
)
