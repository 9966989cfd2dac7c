"""Commands that start, command and change runs."""

from __future__ import annotations

from chalicelib.entrypoints.http import presenters
from chalicelib.entrypoints.http.request import Request
from chalicelib.entrypoints.http.route import View
from chalicelib.entrypoints.http.terminal import tables
from chalicelib.entrypoints.http.terminal.arguments import ResourceType, ask, data_of, pairs_of, type_of, value_of
from chalicelib.entrypoints.http.terminal.output import DONE, NOTHING, Output, OutputKind, Usage, raw
from chalicelib.entrypoints.http.terminal.verbs.reading import KINDS
from chalicelib.entrypoints.http.views import events, holds, runs, schedules, starts
from chalicelib.model.json_values import Json
from chalicelib.service.ports.definitions import Kind

_SCHEDULE, _ACTION, _FLOW = "schedule", "action", "flow"

_PAUSES = {_SCHEDULE: schedules.pause, _ACTION: holds.pause_action, _FLOW: holds.pause_flow}
_CONTINUES = {_SCHEDULE: schedules.resume, _ACTION: holds.resume_action, _FLOW: holds.resume_flow}


def run(
    request: Request, flow: str, *inputs: str, name: str = "", key: str = "", label: tuple[str, ...] = ()
) -> Output:
    """run FLOW [NAME=VALUE]... | schedule NAME

    Start a run of a flow, and print its name; or start a run of a schedule now. Options: --name, --key, --label
    NAME=VALUE. Text stays text where the flow declares text.
    """
    if flow.lower() == _SCHEDULE and len(inputs) == 1 and "=" not in inputs[0]:
        return Output(
            OutputKind.OK, request.services.schedules.run(request.namespace, inputs[0], by=request.caller).run
        )
    body = {
        "input": _input(request, flow, inputs),
        "name": name or None,
        "key": key or None,
        "labels": pairs_of(label) or None,
    }
    return Output(OutputKind.OK, ask(request, starts.start, name=flow, body=body)["metadata"]["name"])


def _input(request: Request, flow: str, given: tuple[str, ...]) -> dict[str, Json]:
    """Return the input; a value that the flow declares as text is not read as JSON."""
    found = pairs_of(given)
    if not found or not flow:
        return found
    definition = request.services.reader.definition(request.namespace, Kind.FLOW, flow)
    declared = presenters.definition(request.namespace, definition)["spec"]["input"]
    texts = {one["name"] for one in declared if one["type"] == "str"}
    written = dict(word.partition("=")[::2] for word in given)
    return {
        name: written[name] if name in texts and not isinstance(value, str) else value for name, value in found.items()
    }


def pause(request: Request, name: str, other: str | None = None) -> Output:
    """pause RUN | schedule NAME | action NAME | flow NAME

    Pause a run: it records answers and sends nothing. A paused schedule starts no runs, of a paused action nothing is
    sent, and new runs of a paused flow wait.
    """
    return _hold(request, runs.pause, _PAUSES, name, other)


def continue_(request: Request, name: str, other: str | None = None) -> Output:
    """continue RUN | schedule NAME | action NAME | flow NAME

    Continue what was paused: a run, a schedule with its next slot, an action, or a flow.
    """
    return _hold(request, runs.resume, _CONTINUES, name, other)


def _hold(request: Request, of_run: View, of_kind: dict[str, View], name: str, other: str | None) -> Output:
    if other is None:
        ask(request, of_run, name=name)
        return DONE
    view = of_kind.get(type_of(name))
    if view is None:
        raise Usage(f"a {name.lower()} cannot be named here; write a run, or one of {', '.join(of_kind)} and its name")
    ask(request, view, name=other)
    return DONE


def stop(request: Request, run: str, *reason: str) -> Output:
    """stop RUN [REASON]

    Stop a run. What it did is undone.
    """
    ask(request, runs.stop, name=run, body={"reason": " ".join(reason)})
    return DONE


def retry(
    request: Request,
    run: str,
    step: str | None = None,
    *,
    undo: bool = False,
    version: str = "",
    token: str = "",
    input: tuple[str, ...] = (),  # noqa: A002 - the name of the option
    var: tuple[str, ...] = (),
    reason: str = "",
) -> Output:
    """retry RUN [STEP] [--version N | latest] [--input NAME=VALUE] [--var NAME=VALUE] [--undo]

    Continue a failed or stopped run, where it stopped or at a step. A run whose work was undone needs the step. It can
    continue with another --version of its flow, or with some --input or --var mended; --token names the token, where
    several can continue. --reason is recorded. With --undo, repeat the undos that failed.
    """
    body: dict[str, Json] = {
        "step": step,
        "undo": True if undo else None,
        "version": value_of(version) if version else None,
        "token": token or None,
        "input": _input(request, request.services.reader.run(request.namespace, run).definition.flow, input) or None,
        "vars": pairs_of(var) or None,
        "reason": reason or None,
    }
    ask(request, runs.retry, name=run, body=body)
    return DONE


def migrate(
    request: Request,
    run: str,
    version: str = "latest",
    *,
    dry_run: bool = False,
    step: tuple[str, ...] = (),
    reason: str = "",
) -> Output:
    """migrate RUN [VERSION] [--dry-run] [--step OLD=NEW]

    Move a running or paused run to another version of its flow, by default the newest. With --dry-run, only show what
    fits. --step names a step that is called otherwise in that version.
    """
    body: dict[str, Json] = {
        "version": value_of(version),
        "dry_run": dry_run,
        "steps": {name: str(new) for name, new in pairs_of(step).items()},
        "reason": reason or None,
    }
    found = ask(request, runs.migrate, name=run, body=body)
    rows = [{"why": "", **one, "fits": "yes" if one["fits"] else "no"} for one in found["tokens"]]
    lines = [*found["problems"], tables.fields(["token", "step", "to", "fits", "why"], rows)]
    if not found["fits"]:
        return Output(OutputKind.ERR, "\n".join(lines))
    return raw("\n".join(lines)) if dry_run else Output(OutputKind.OK, "\n".join(lines))


def goto(request: Request, run: str, step: str, *, token: str = "", reason: str = "") -> Output:
    """goto RUN STEP [--token TOKEN] [--reason TEXT]

    Leave what a token waits for, and enter a step.
    """
    ask(request, runs.go_to, name=run, body={"step": step, "token": token or None, "reason": reason or None})
    return DONE


def vars_(request: Request, run: str, *values: str, remove: tuple[str, ...] = ()) -> Output:
    """vars RUN [NAME=VALUE]... [--remove NAME]

    Show, set and remove variables of a run.
    """
    if values or remove:
        found = ask(request, runs.set_vars, name=run, body={"vars": pairs_of(values), "remove": list(remove)})
    else:
        found = ask(request, runs.get, name=run)
    return _pairs(found["spec"].get("global_variable"))


def label(request: Request, run: str, *values: str, remove: tuple[str, ...] = ()) -> Output:
    """label RUN [NAME=VALUE]... [--remove NAME]

    Show, set and remove labels of a run.
    """
    if values or remove:
        found = ask(request, runs.set_labels, name=run, body={"set": pairs_of(values), "remove": list(remove)})
    else:
        found = ask(request, runs.get, name=run)
    return _pairs(found["metadata"]["labels"])


def signal(request: Request, run: str, event: str, *data: str) -> Output:
    """signal RUN EVENT [DATA]

    Send an event to one run. DATA is JSON or text.
    """
    ask(request, events.signal_run, name=run, body={"name": event, "data": data_of(data)})
    return DONE


def del_(request: Request, kind: str, name: str, uuid: str | None = None) -> Output:
    """del TYPE NAME [UUID]

    Delete a definition, or a flowrun that has ended. With a UUID, delete it only if it has this uuid.
    """
    match wanted := type_of(kind):
        case ResourceType.FLOWRUN:
            request.services.operator.delete_run(request.namespace, name, uuid)
        case ResourceType.STEP | ResourceType.EVENT:
            raise Usage(f"cannot delete a {wanted}; only definitions and flowruns can be deleted")
        case _:
            request.services.definition_deleter.delete(request.namespace, KINDS[wanted], name, uuid)
    return DONE


def _pairs(values: dict[str, Json] | None) -> Output:
    return raw(tables.pairs(values)) if values else NOTHING
