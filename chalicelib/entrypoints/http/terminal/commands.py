"""The commands of the terminal. Their docstrings are the help texts."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterable
from difflib import get_close_matches
from enum import StrEnum
from typing import Final, NamedTuple, TypeAlias

from chalicelib.entrypoints.http import presenters
from chalicelib.entrypoints.http.bodies import BackfillBody
from chalicelib.entrypoints.http.request import Request
from chalicelib.entrypoints.http.step_lookup import find_step
from chalicelib.entrypoints.http.terminal import tables
from chalicelib.model.errors import EchoerError
from chalicelib.model.json_values import Json
from chalicelib.service.errors import Malformed
from chalicelib.service.ports.definitions import Kind
from chalicelib.service.ports.runs import RunQuery

MAX_ROWS: Final = 200
"""How many resources or history entries a table has."""

NEXT_SLOTS: Final = 10
"""How many slots `next` shows."""

BOM: Final = "\ufeff"
"""The byte order mark that some editors put at the beginning of a text."""

UNDO_OPTION: Final = "--undo"
"""What `retry` takes in the place of a step, to repeat undos."""

_STATEMENT_WORDS: Final = (*Kind, "flow_run")
_FSL: Final = re.compile(rf"\s*(?:(?:{'|'.join(_STATEMENT_WORDS)})\b|#|/\*)", re.IGNORECASE)
_ARG: Final = re.compile(r"(?:`[^`]*`?|[^\s`])+")


class ResourceType(StrEnum):
    """Types of resources, as commands name them."""

    ACTION = "action"
    FLOW = "flow"
    FLOWRUN = "flowrun"
    STEP = "step"
    EVENT = "event"
    EVENTTYPE = "eventtype"
    CONFIG = "config"
    SCHEDULE = "schedule"
    HOOK = "hook"


class OutputKind(StrEnum):
    """How the terminal shows an output."""

    OK = "OK"
    RAW = "Raw"
    ERR = "ERR"
    NIL = "NIL"


class Output(NamedTuple):
    """The output of a command."""

    kind: OutputKind
    text: str = ""


class Usage(Malformed):
    """A command is unknown, or its arguments are wrong."""


_KINDS: Final = {ResourceType(kind.resource): kind for kind in Kind if kind.resource in list(ResourceType)}
"""The kinds of definitions by the type that commands name."""

Verb: TypeAlias = Callable[..., Output]

DONE: Final = Output(OutputKind.OK)
NOTHING: Final = Output(OutputKind.NIL)


def execute(request: Request, text: str) -> Output:
    """Execute a command or FSL statements. An error becomes an output."""
    try:
        text = text.removeprefix(BOM)
        return _submit(request, text) if _FSL.match(text) else _run(request, text)
    except EchoerError as error:
        return Output(OutputKind.ERR, _error_text(error, text))


def _error_text(error: EchoerError, text: str) -> str:
    """Return the message of the error. For FSL, return every diagnostic with its line."""
    diagnostics = getattr(error, "diagnostics", None)
    if diagnostics is None:
        return str(error)
    from chalicelib.language import render  # loaded already, by the module that made the diagnostics

    return "\n".join(render(diagnostic, text, "command") for diagnostic in diagnostics)


def _submit(request: Request, text: str) -> Output:
    submission = request.services.submitter.submit(request.namespace, text, by=request.caller, trace=request.trace)
    lines = (f"{one.kind} {one.name} version {one.version} {one.change}" for one in submission.results)
    return Output(OutputKind.OK, "\n".join(lines))


def _run(request: Request, text: str) -> Output:
    args = [found.replace("`", "") for found in _ARG.findall(text.strip().removesuffix("/"))]
    if not args:
        return NOTHING
    verb = _VERBS.get(args[0].lower())
    if verb is None:
        raise Usage(_unknown_command(args[0], _VERBS))
    try:
        inspect.signature(verb).bind(request, *args[1:])
    except TypeError:
        raise Usage(f"wrong number of arguments; usage: {_first_line(verb)}") from None
    return verb(request, *args[1:])


# ── commands ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def _list(request: Request, kind: str) -> Output:
    """list TYPE

    List the newest resources of a type: action, flow, flowrun, step, event, eventtype, config, schedule, hook.
    """
    reader, wanted = request.services.reader, _type(kind)
    found: list[Json]
    match wanted:
        case ResourceType.FLOWRUN:
            found = [presenters.run(view) for view in reader.views(request.namespace, RunQuery(limit=MAX_ROWS))[0]]
        case ResourceType.STEP:
            views, _ = reader.views(request.namespace, RunQuery(limit=MAX_ROWS))
            found = [step for view in views for step in presenters.started_steps(view)]
        case ResourceType.EVENT:
            found = [presenters.signal(request.namespace, one) for one in reader.signals(request.namespace, MAX_ROWS)]
        case _:
            definitions = reader.definitions(request.namespace, _KINDS[wanted], MAX_ROWS, "")
            found = [presenters.definition(request.namespace, one) for one in definitions]
    return Output(OutputKind.RAW, tables.resources(wanted, found)) if found else NOTHING


def _get(request: Request, kind: str, name: str) -> Output:
    """get TYPE NAME

    Show an action, a flow, an eventtype, a config, a schedule, a hook, a flowrun, or a step as RUN.STEP.
    """
    namespace, reader = request.namespace, request.services.reader
    match wanted := _type(kind):
        case ResourceType.ACTION:
            found = presenters.definition(namespace, reader.definition(namespace, Kind.ACTION, name))
            return Output(OutputKind.RAW, tables.action(found))
        case ResourceType.FLOW:
            found = presenters.definition(namespace, reader.definition(namespace, Kind.FLOW, name))
            return Output(OutputKind.RAW, tables.flow(found))
        case ResourceType.FLOWRUN:
            return Output(OutputKind.RAW, tables.flowrun(presenters.run(reader.view(namespace, name))))
        case ResourceType.STEP:
            return Output(OutputKind.RAW, tables.step(find_step(reader, namespace, name)))
        case ResourceType.EVENT:
            raise Usage("cannot get one event; `list event` shows all events")
        case _:
            return Output(OutputKind.RAW, reader.definition(namespace, _KINDS[wanted], name).text)


def _del(request: Request, kind: str, name: str, uuid: str | None = None) -> Output:
    """del TYPE NAME [UUID]

    Delete a definition, or a flowrun that has ended. With a UUID, delete it only if it has this uuid.
    """
    match wanted := _type(kind):
        case ResourceType.FLOWRUN:
            request.services.operator.delete_run(request.namespace, name, uuid)
        case ResourceType.STEP | ResourceType.EVENT:
            raise Usage(f"cannot delete a {wanted}; only definitions and flowruns can be deleted")
        case _:
            request.services.definition_deleter.delete(request.namespace, _KINDS[wanted], name, uuid)
    return DONE


def _history(request: Request, run: str) -> Output:
    """history RUN

    Show the newest history entries of a run.
    """
    reader = request.services.reader
    after = max(0, reader.run(request.namespace, run).seq - MAX_ROWS)
    entries = reader.history(request.namespace, run, after, MAX_ROWS)
    return Output(OutputKind.RAW, tables.history([presenters.entry(one) for one in entries]))


def _pause(request: Request, name: str, schedule: str | None = None) -> Output:
    """pause RUN | schedule NAME

    Pause a run: it records answers and sends nothing. Or pause a schedule: it starts no runs.
    """
    if schedule is not None:
        request.services.schedules.pause(request.namespace, _schedule(name, schedule))
    else:
        request.services.operator.pause(request.namespace, name, by=request.caller)
    return DONE


def _continue(request: Request, name: str, schedule: str | None = None) -> Output:
    """continue RUN | schedule NAME

    Continue a paused run, or a paused schedule with its next slot.
    """
    if schedule is not None:
        request.services.schedules.resume(request.namespace, _schedule(name, schedule))
    else:
        request.services.operator.resume(request.namespace, name, by=request.caller)
    return DONE


def _run_now(request: Request, kind: str, schedule: str) -> Output:
    """run schedule NAME

    Start a run of a schedule now.
    """
    found = request.services.schedules.run(request.namespace, _schedule(kind, schedule), by=request.caller)
    return Output(OutputKind.OK, found.run)


def _backfill(request: Request, schedule: str, since: str, until: str) -> Output:
    """backfill NAME FROM TO

    Start the runs of past slots of a schedule that do not exist, from one RFC 3339 time to another.
    """
    body = BackfillBody(since=since, until=until)
    done = request.services.schedules.backfill(request.namespace, schedule, *body.range(), by=request.caller)
    lines = [f"{one.run} started" for one in done.started] + [f"{one.run} existed" for one in done.existed]
    lines += [f"{slot} failed: {reason}" for slot, reason in done.failed.items()]
    return Output(OutputKind.ERR if done.failed else OutputKind.OK, "\n".join(lines))


def _next(request: Request, schedule: str) -> Output:
    """next NAME

    Show the next slots of a schedule.
    """
    found = request.services.schedules.next_slots(request.namespace, schedule, NEXT_SLOTS)
    return Output(OutputKind.RAW, "\n".join(found)) if found else NOTHING


def _stop(request: Request, run: str, reason: str = "") -> Output:
    """stop RUN [REASON]

    Stop a run. Put a reason of several words in backticks.
    """
    request.services.operator.stop(request.namespace, run, reason=reason, by=request.caller)
    return DONE


def _retry(request: Request, run: str, step: str | None = None) -> Output:
    """retry RUN [STEP | --undo]

    Continue a failed or stopped run, where it stopped or at a step. A run whose work was undone needs the step. With
    --undo, repeat the undos that failed.
    """
    if step == UNDO_OPTION:
        request.services.operator.retry_undos(request.namespace, run, by=request.caller)
        return DONE
    request.services.operator.retry(request.namespace, run, step=step, by=request.caller)
    return DONE


def _help(_: Request, command: str = "") -> Output:
    """help [COMMAND]

    List the commands, or show how one is used.
    """
    if not command:
        lines = [f"  {_first_line(verb)}" for verb in _VERBS.values()]
        statements = ", ".join(
            [*(f"{word} ... {word}_end" for word in _STATEMENT_WORDS if word != Kind.CONFIG), "config NAME = VALUE;"]
        )
        heading = "Commands, in upper or lower case; put arguments with spaces in backticks:"
        return Output(OutputKind.RAW, "\n".join([heading, *lines, "FSL:", f"  {statements}"]))
    verb = _VERBS.get(command.lower())
    if verb is not None:
        return Output(OutputKind.RAW, inspect.getdoc(verb) or "")
    if command.lower() in _STATEMENTS:
        return Output(OutputKind.RAW, _STATEMENTS[command.lower()])
    raise Usage(_unknown_command(command, [*_VERBS, *_STATEMENTS]))


_VERBS: Final[dict[str, Verb]] = {
    "list": _list,
    "get": _get,
    "del": _del,
    "history": _history,
    "pause": _pause,
    "continue": _continue,
    "run": _run_now,
    "backfill": _backfill,
    "next": _next,
    "stop": _stop,
    "retry": _retry,
    "help": _help,
}

_STATEMENTS: Final = {
    "action": 'action NAME addr = "URL"; method = http; args = (str NAME, ...); return = (STATE | ...); action_end',
    "flow": "flow NAME step NAME => (STATE -> TARGET | ...) { action = NAME; args = (...); }; flow_end",
    "flow_run": "flow_run NAME step NAME => (STATE -> TARGET | ...) { action = NAME; args = (...); }; flow_run_end",
    "event": "event NAME args = (str NAME, ...); event_end",
    "config": "config NAME = VALUE;",
    "schedule": 'schedule NAME flow = NAME; cron = "0 2 * * *"; zone = "ZONE"; input = (...); schedule_end',
    "hook": 'hook NAME addr = "URL"; on = (run.failed, ...); flow = NAME; labels = (NAME = VALUE, ...); hook_end',
}


def _schedule(kind: str, name: str) -> str:
    """Return the name of a schedule, if the word before it is `schedule`."""
    if _type(kind) is not ResourceType.SCHEDULE:
        raise Usage(f"a {kind.lower()} cannot be named here; write: schedule {name}")
    return name


def _first_line(verb: Verb) -> str:
    return (verb.__doc__ or "").partition("\n")[0]


def _type(word: str) -> ResourceType:
    known = word.lower().replace("_", "")
    if known not in list(ResourceType):
        raise Usage(f"unknown type {word!r:.60}{_similar(word, ResourceType)}; the types are {', '.join(ResourceType)}")
    return ResourceType(known)


def _unknown_command(word: str, known: Iterable[str]) -> str:
    return f"unknown command {word!r:.60}{_similar(word, known)}; type help for a list of commands"


def _similar(word: str, known: Iterable[str]) -> str:
    similar = get_close_matches(word.lower(), list(known), n=1)
    return f" (did you mean {similar[0]}?)" if similar else ""
