"""Commands that read."""

from __future__ import annotations

from typing import Final

from chalicelib.entrypoints.http import presenters
from chalicelib.entrypoints.http.request import Request
from chalicelib.entrypoints.http.step_lookup import find_step
from chalicelib.entrypoints.http.terminal import tables
from chalicelib.entrypoints.http.terminal.arguments import ResourceType, ask, type_of
from chalicelib.entrypoints.http.terminal.output import NOTHING, Output, OutputKind, Usage, raw
from chalicelib.entrypoints.http.views import activations, histories, run_lists, runs, steps, timers, versions
from chalicelib.entrypoints.http.views import doctor as doctor_view
from chalicelib.entrypoints.http.views import items as run_details
from chalicelib.model.json_values import Json
from chalicelib.model.status import LIVE
from chalicelib.service.ports.definitions import Kind

MAX_ROWS: Final = 200
"""How many resources or history entries a table has."""

KINDS: Final = {ResourceType(kind.resource): kind for kind in Kind if kind.resource in list(ResourceType)}
"""The kinds of definitions by the type that commands name."""


def list_(
    request: Request,
    kind: str,
    *,
    status: str = "",
    flow: str = "",
    label: tuple[str, ...] = (),
    since: str = "",
    until: str = "",
    version: str = "",
    error: str = "",
    parent: str = "",
    name_prefix: str = "",
    undo: str = "",
    waiting_for: str = "",
) -> Output:
    """list TYPE

    List the newest resources of a type: action, flow, flowrun, step, event, eventtype, config, schedule, hook. Steps
    are those of live runs. Runs and steps are selected by --status, --flow, --version, --label NAME=VALUE, --since
    TIME, --until TIME, --error NAME, --parent RUN, --name-prefix TEXT, --undo failed and --waiting-for EVENT.
    """
    reader, wanted = request.services.reader, type_of(kind)
    query: dict[str, str | list[str]] = {
        "status": status or (",".join(sorted(LIVE)) if wanted is ResourceType.STEP else ""),
        "flow": flow,
        "label": [text.replace("=", ":", 1) for text in label],
        "since": since,
        "until": until,
        "version": version,
        "error": error,
        "parent": parent,
        "name_prefix": name_prefix,
        "undo": undo,
        "waiting_for": waiting_for,
    }
    if wanted not in (ResourceType.FLOWRUN, ResourceType.STEP) and any(query.values()):
        raise Usage(f"a list of type {wanted} takes no filters; usage: list TYPE")
    query["limit"] = str(MAX_ROWS)
    found: list[Json]
    match wanted:
        case ResourceType.FLOWRUN:
            found = ask(request, run_lists.list_runs, query={**query, "view": "summary"})
        case ResourceType.STEP:
            found = ask(request, steps.list_steps, query=query)
        case ResourceType.EVENT:
            found = [presenters.signal(request.namespace, one) for one in reader.signals(request.namespace, MAX_ROWS)]
        case _:
            definitions = reader.definitions(request.namespace, KINDS[wanted], MAX_ROWS, "")
            found = [presenters.definition(request.namespace, one) for one in definitions]
    return Output(OutputKind.RAW, tables.resources(wanted, found)) if found else NOTHING


def get(request: Request, kind: str, name: str) -> Output:
    """get TYPE NAME

    Show an action, a flow, an eventtype, a config, a schedule, a hook, a flowrun, or a step as RUN.STEP.
    """
    namespace, reader = request.namespace, request.services.reader
    match wanted := type_of(kind):
        case ResourceType.ACTION:
            found = presenters.definition(namespace, reader.definition(namespace, Kind.ACTION, name))
            return raw(tables.action(found))
        case ResourceType.FLOW:
            found = presenters.definition(namespace, reader.definition(namespace, Kind.FLOW, name))
            return raw(tables.flow(found))
        case ResourceType.FLOWRUN:
            return raw(tables.flowrun(ask(request, runs.get, name=name)))
        case ResourceType.STEP:
            return raw(tables.step(find_step(reader, namespace, name)))
        case ResourceType.EVENT:
            raise Usage("cannot get one event; `list event` shows all events")
        case _:
            return raw(reader.definition(namespace, KINDS[wanted], name).text)


def history(request: Request, run: str) -> Output:
    """history RUN

    Show the newest history entries of a run.
    """
    after = max(0, request.services.reader.run(request.namespace, run).seq - MAX_ROWS)
    return raw(
        tables.history(ask(request, histories.history, name=run, query={"after": str(after), "limit": str(MAX_ROWS)}))
    )


def task(request: Request, run: str = "") -> Output:
    """task [RUN]

    List the tasks that wait for a person, of all runs or of one.
    """
    found = ask(request, steps.tasks, query={"flowId": run, "limit": str(MAX_ROWS)})
    return raw(tables.tasks(found)) if found else NOTHING


def items(request: Request, run: str, step: str = "", *, status: str = "", token: str = "") -> Output:
    """items RUN [STEP] [--status failed] [--token TOKEN]

    List the items of an each.
    """
    query = {"step": step, "status": status, "token": token, "limit": str(MAX_ROWS)}
    found = ask(request, run_details.items, name=run, query=query)["items"]
    columns = ["index", "token", "status", "step", "since", "error", "output"]
    return raw(tables.fields(columns, found)) if found else NOTHING


def sent(request: Request, run: str, uuid: str) -> Output:
    """sent RUN UUID

    Show what an activation was sent, and what came back.
    """
    return raw(tables.pairs(ask(request, activations.activation, name=run, uuid=uuid)))


def cost(request: Request, run: str) -> Output:
    """cost RUN

    Show what a run costs so far on AWS, at list prices.
    """
    return raw(tables.pairs(ask(request, run_details.cost, name=run)))


def diff(request: Request, flow: str, before: str = "", after: str = "") -> Output:
    """diff FLOW [FROM [TO]]

    Show what changed from one version of a flow to another, by default from the last but one to the newest.
    """
    return raw(ask(request, versions.difference, name=flow, query={"from": before, "to": after})["text"])


def timer(request: Request, until: str = "") -> Output:
    """timer [TIME]

    List what is due within a day, or until an RFC 3339 time.
    """
    found = ask(request, timers.list_timers, query={"until": until, "limit": str(MAX_ROWS)})
    return raw(tables.fields(["at", "kind", "name", "what", "step"], found)) if found else NOTHING


def doctor(request: Request, *, repair: bool = False) -> Output:
    """doctor [--repair]

    Find runs that make no progress; with --repair, send their messages again.
    """
    found = ask(request, doctor_view.repair if repair else doctor_view.examine)["findings"]
    return raw(tables.fields(["ailment", "run", "step", "since", "detail", "cured"], found)) if found else NOTHING
