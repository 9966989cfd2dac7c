"""Calls on batches: commands over many runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from chalicelib.entrypoints.http import parameters, presenters, reading, responses
from chalicelib.entrypoints.http.bodies import BatchBody, NoBody
from chalicelib.entrypoints.http.parameters import Parameter
from chalicelib.entrypoints.http.query import Query
from chalicelib.entrypoints.http.request import Request, Response
from chalicelib.entrypoints.http.route import Route
from chalicelib.model.json_values import Json
from chalicelib.model.similar_names import nearest
from chalicelib.service.batches.commands import ARGS, ROLE_OF, BatchCommand
from chalicelib.service.batches.operator import BatchOrder
from chalicelib.service.errors import Invalid, Malformed
from chalicelib.service.ports.batches import Batch, BatchOutcome
from chalicelib.service.ports.runs import RunQuery
from chalicelib.service.security.roles import Forbidden, Role

MAX_NAMES: Final = 10_000
"""How many runs a batch can name."""

NAMES: Final = "names"

FILTERS: Final = tuple(parameter.name for parameter in parameters.FILTERS)
"""The filters of `GET /flowrun` that select the runs of a batch."""


def create(request: Request) -> Json:
    """Give a command to many runs, in the background: `retry`, `pause`, `continue`, `stop`, `delete`, `migrate` or
    `signal`.

    `select` has filters of `GET /flowrun`, or `names`. Runs that begin to match later do not slip in. `with` has the
    fields of the command's own call. `rate` is how many runs per second it commands at most. With `dry_run`, nothing is
    done, and the results say what would be refused. `delete` requires the role `author`.
    """
    body = reading.read(request.body, BatchBody)
    command = BatchCommand(body.command)
    _permit(request, command)
    reading.checked(body.args, ARGS[command], "with")
    names, query = selected(body.select)
    order = BatchOrder(
        command=command,
        args=body.args,
        query=query,
        names=names,
        select={NAMES: len(names)} if query is None else body.select,
        dry_run=body.dry_run,
        rate=body.rate,
    )
    batch = request.services.batches.create(request.namespace, order, by=request.caller)
    return _with_results(request, batch, 202)


def list_batches(request: Request) -> Json:
    """List batches, newest first. A batch is kept for 30 days."""
    limit, before = request.query.limit(), request.query.text("cursor") or ""
    found = request.services.batches.list(request.namespace, limit + 1, before)
    more = len(found) > limit
    page = [presenters.batch(one) for one in found[:limit]]
    return Response(page, headers={"x-next-cursor": found[limit - 1].id} if more else {})


def get(request: Request, batch_id: str) -> Json:
    """Get a batch: how far it is, and what became of each run, in the order in which they are commanded."""
    return _with_results(request, request.services.batches.get(request.namespace, batch_id))


def stop(request: Request, batch_id: str) -> Json:
    """Stop a batch. The runs that it has commanded stay as they are."""
    reading.read_optional(request.body, NoBody)
    return _with_results(request, request.services.batches.stop(request.namespace, batch_id))


def resume(request: Request, batch_id: str) -> Json:
    """Continue a batch that was stopped, with the runs that are left. It requires the role of the command."""
    reading.read_optional(request.body, NoBody)
    operator = request.services.batches
    _permit(request, BatchCommand(operator.get(request.namespace, batch_id).command))
    return _with_results(request, operator.resume(request.namespace, batch_id))


def _permit(request: Request, command: BatchCommand) -> None:
    """Raise Forbidden if the caller may not give the command."""
    role, caller = ROLE_OF[command], request.identity
    if caller is not None and not caller.role.covers(role):
        raise Forbidden(f"a batch with the command `{command}` requires the role {role}")


def selected(select: Mapping[str, Json]) -> tuple[tuple[str, ...], RunQuery | None]:
    """Return the names that `select` has, or else the query of its filters. Raises Malformed, Invalid."""
    for name in select:
        if name not in (NAMES, *FILTERS):
            near = nearest(name, (NAMES, *FILTERS))
            advice = f"; did you mean `{near}`?" if near else f"; it can have {', '.join((NAMES, *FILTERS))}"
            raise Malformed(f"`select` has no filter {name!r:.60}{advice}")
    if not select:
        raise Invalid("`select` is empty: give at least one filter, such as `status`, or `names`")
    if NAMES not in select:
        return (), Query({name: _texts(name, value) for name, value in select.items()}).runs()
    if len(select) > 1:
        raise Malformed("`names` in `select` excludes all filters")
    names = select[NAMES]
    if not isinstance(names, Sequence) or isinstance(names, str) or not all(isinstance(one, str) for one in names):
        raise Malformed("`names` in `select` must be a list of strings")
    if len(names) > MAX_NAMES:
        raise Invalid(f"`names` in `select` has {len(names)} names; the limit is {MAX_NAMES}")
    return tuple(reading.name_of(str(name)) for name in names), None


def _texts(name: str, value: Json) -> list[str]:
    """Return a filter as the texts of a query parameter. Raises Malformed."""
    if isinstance(value, Mapping) and name == "label":
        return [f"{key}:{_text(name, one)}" for key, one in value.items()]
    if isinstance(value, list | tuple):
        texts = [_text(name, one) for one in value]
        return [",".join(texts)] if name == "status" else texts
    return [_text(name, value)]


def _text(name: str, value: Json) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if not isinstance(value, str | int | float):
        raise Malformed(f"`{name}` in `select` must be a string or a list of strings, not {value!r:.60}")
    return str(value)


def _with_results(request: Request, batch: Batch, status: int = 200) -> Response:
    """Return the batch with a page of its results."""
    words = (request.query.text("outcome") or "").split(",")
    only = [word for word in words if word]
    for word in only:
        if word not in list(BatchOutcome):
            raise Malformed(f"`outcome` must be one or more of {', '.join(BatchOutcome)}, not {word!r:.60}")
    page = request.services.batches.results(
        request.namespace,
        batch,
        request.query.position("cursor"),
        request.query.limit(),
        frozenset(BatchOutcome(word) for word in only),
    )
    found = {**presenters.batch(batch), "results": [presenters.batch_result(one) for one in page.results]}
    return Response(found, status, {} if page.cursor is None else {"x-next-cursor": str(page.cursor)})


# ── routes ───────────────────────────────────────────────────────────────────────────────────────────────────────────

_OUTCOME: Final = Parameter(
    "outcome",
    f"Return only results with one of these outcomes, separated by commas: {', '.join(BatchOutcome)}.",
    {"type": "string", "maxLength": reading.MAX_TEXT_CHARACTERS},
)
_CURSOR: Final = Parameter(
    "cursor",
    "Continue after the previous page of results: the value of its header `x-next-cursor`.",
    parameters.integer(0, 10**15),
)
_RESULTS: Final = (_OUTCOME, parameters.LIMIT, _CURSOR)

ROUTES: Final = (
    Route(
        method="POST",
        path="/batch",
        view=create,
        group="batches",
        role=Role.OPERATOR,
        body=BatchBody,
        answers={202: responses.BatchWithResults},
        errors=(413, 422),
        example="a batch",
    ),
    Route(
        method="GET",
        path="/batch",
        view=list_batches,
        group="batches",
        role=Role.VIEWER,
        query=(parameters.LIMIT, parameters.CURSOR),
        answers={200: list[responses.Batch]},
        paged=True,
    ),
    Route(
        method="GET",
        path="/batch/{batch_id}",
        view=get,
        group="batches",
        role=Role.VIEWER,
        query=_RESULTS,
        answers={200: responses.BatchWithResults},
        errors=(404,),
        paged=True,
    ),
    Route(
        method="POST",
        path="/batch/{batch_id}/stop",
        view=stop,
        group="batches",
        role=Role.OPERATOR,
        body=NoBody,
        answers={200: responses.BatchWithResults},
        errors=(404,),
    ),
    Route(
        method="POST",
        path="/batch/{batch_id}/continue",
        view=resume,
        group="batches",
        role=Role.OPERATOR,
        body=NoBody,
        answers={200: responses.BatchWithResults},
        errors=(404,),
    ),
)
