"""Views of FSL and of what it defines: actions, flows, and the runs that documents order."""

from __future__ import annotations

from chalicelib.entrypoints.http import bodies, presenters
from chalicelib.entrypoints.http.adapter import Answer, Request, View
from chalicelib.entrypoints.http.bodies import FslBody
from chalicelib.entrypoints.http.query import cursor_of, name_in
from chalicelib.model.json_values import Json
from chalicelib.service.errors import Invalid, NotFound
from chalicelib.service.ports.definitions import Kind

FLOW_RUN = "flow_run"
CHANGES = ("created", "updated", "unchanged")


class WrongStatement(Invalid):
    """The path takes statements of another kind."""

    def __init__(self, wanted: str, found: str, name: str) -> None:
        super().__init__(f"this path takes {wanted} statements only, not {found} {name!r}; POST /fsl takes them all")


def submit(request: Request) -> Json:
    """A document is in force: all its statements, or, if one of them is wrong, none of them.

    `results` tells of each statement in order; `created`, `updated` and `unchanged` hold the same, sorted by that.
    """
    text, dry_run = bodies.fsl_of(request.body), request.query.flag("dry_run")
    made = request.services.submitter.submit(
        request.namespace, text, by=request.by, dry_run=dry_run, trace=request.trace
    )
    told = {change: [result for result in made.results if result.change == change] for change in CHANGES}
    return {"results": made.results, **told, "diagnostics": made.diagnostics}


def submit_only(wanted: str) -> View:
    """The view that takes FSL statements of one kind, and answers the resources that they made."""

    def view(request: Request) -> Json:
        text = bodies.read(request.body, FslBody).data
        _refuse_others(text, wanted)
        made = request.services.submitter.submit(request.namespace, text, by=request.by, trace=request.trace)
        found = [_resource(request, result.kind, result.name) for result in made.results]
        return found[0] if len(found) == 1 else found

    view.__name__, view.__doc__ = f"submit_{wanted}", f"Statements of kind {wanted} are in force, all or none."
    return view


def list_of(kind: Kind) -> View:
    def view(request: Request) -> Json:
        name, limit = request.query.text("metadata.name"), request.query.limit()
        after = name_in(request.query.text("cursor"))
        if name is not None:
            return _list_one(request, kind, name)
        found = request.services.reader.definitions(request.namespace, kind, limit + 1, after)
        told = [presenters.definition(request.namespace, one) for one in found[:limit]]
        return Answer(told, headers={"x-next-cursor": cursor_of(found[limit - 1].name)} if len(found) > limit else {})

    view.__name__, view.__doc__ = f"list_{kind}", f"The newest version of every {kind}, by name."
    return view


def get(kind: Kind) -> View:
    def view(request: Request, name: str) -> Json:
        version = request.query.number("version", 0, 1, 10**9) or None
        found = request.services.reader.definition(request.namespace, kind, name, version)
        return presenters.definition(request.namespace, found)

    view.__name__, view.__doc__ = f"get_{kind}", f"One {kind}, its newest version or `?version=`."
    return view


def delete(kind: Kind) -> View:
    def view(request: Request, name: str, uuid: str | None = None) -> Json:
        found = request.services.definition_deleter.delete(request.namespace, kind, name, uuid)
        return presenters.definition(request.namespace, found)

    view.__name__, view.__doc__ = f"delete_{kind}", f"The {kind} is no longer defined; runs that obey it go on."
    return view


def _list_one(request: Request, kind: Kind, name: str) -> list[Json]:
    try:
        return [
            presenters.definition(request.namespace, request.services.reader.definition(request.namespace, kind, name))
        ]
    except NotFound:
        return []


def _refuse_others(text: str, wanted: str) -> None:
    """Raises WrongStatement where the text holds a statement of another kind."""
    from chalicelib import language  # it loads ply: only those who submit something pay for that

    document, _ = language.parse(text)
    for statement in document.statements:
        if statement.kind.key != wanted:
            raise WrongStatement(wanted, statement.kind.key, statement.name.text)


def _resource(request: Request, kind: str, name: str) -> Json:
    reader = request.services.reader
    if kind == FLOW_RUN:
        return presenters.run(reader.view(request.namespace, name))
    return presenters.definition(request.namespace, reader.definition(request.namespace, Kind(kind), name))
