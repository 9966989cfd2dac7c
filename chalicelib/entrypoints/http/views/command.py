"""`POST /command`: what a person types at the terminal, and the answer as text. The help is the docstrings."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from difflib import get_close_matches
from enum import StrEnum
from typing import Final, TypeAlias

from chalicelib.entrypoints.http import bodies, presenters
from chalicelib.entrypoints.http.adapter import Request, encoded
from chalicelib.entrypoints.http.bodies import CommandBody
from chalicelib.entrypoints.http.text_table import table
from chalicelib.entrypoints.http.views import runs
from chalicelib.model.errors import EchoerError
from chalicelib.model.json_values import Json
from chalicelib.service.errors import Malformed
from chalicelib.service.ports.definitions import Kind
from chalicelib.service.ports.runs import RunQuery

SHOWN: Final = 200
"""How many resources or history entries a table shows."""

_FSL: Final = re.compile(r"\s*(?:action|flow|#|/\*)", re.IGNORECASE)
_ARG: Final = re.compile(r"(?:`[^`]*`?|[^\s`])+")


class Kinds(StrEnum):
    """Types of resources, as the terminal calls them."""

    ACTION = "action"
    FLOW = "flow"
    FLOWRUN = "flowrun"
    STEP = "step"
    EVENT = "event"


class Reply(StrEnum):
    """How an answer is to be shown; echoer's words."""

    OK = "OK"
    RAW = "Raw"
    ERR = "ERR"
    NIL = "NIL"


class Usage(Malformed):
    """The command is not used as it must be."""


Answer: TypeAlias = tuple[Reply, str]
Verb: TypeAlias = Callable[..., Answer]


def execute(request: Request) -> Json:
    """The command is carried out; what is wrong with it is told in the reply, and never as an error of HTTP's."""
    text = bodies.read(request.body, CommandBody).command
    try:
        reply, raw = _submit(request, text) if _FSL.match(text) else _run(request, text)
    except EchoerError as error:
        reply, raw = Reply.ERR, _told(error, text)
    return {"reply": reply, "raw": raw}


def _told(error: EchoerError, text: str) -> str:
    """The error; of FSL every diagnostic, with the line it speaks of."""
    diagnostics = getattr(error, "diagnostics", None)
    if diagnostics is None:
        return str(error)
    from chalicelib.language import render  # loaded already by whoever made the diagnostics

    return "\n".join(render(diagnostic, text, "command") for diagnostic in diagnostics)


def _submit(request: Request, text: str) -> Answer:
    made = request.services.submitter.submit(request.namespace, text, by=request.by, trace=request.trace)
    return Reply.OK, "\n".join(f"{one.kind} {one.name} version {one.version} {one.change}" for one in made.results)


def _run(request: Request, text: str) -> Answer:
    args = [found.replace("`", "") for found in _ARG.findall(text.strip().removesuffix("/"))]
    if not args:
        return Reply.NIL, ""
    verb = _VERBS.get(args[0].lower())
    if verb is None:
        raise Usage(f"there is no command {args[0]!r:.60}{_near(args[0], _VERBS)}; type help for a list of commands")
    try:
        inspect.signature(verb).bind(request, *args[1:])
    except TypeError:
        raise Usage(f"{args[0].lower()} is used so: {_first_line(verb)}") from None
    return verb(request, *args[1:])


# ── commands ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def _list(request: Request, kind: str) -> Answer:
    """list TYPE

    Shows the newest resources of a type: action, flow, flowrun, step, event.
    """
    reader, wanted = request.services.reader, _kind(kind)
    header = ["name", "type", "uuid", "version"]
    found: list[Json]
    match wanted:
        case Kinds.ACTION | Kinds.FLOW:
            kept = reader.definitions(request.namespace, Kind(wanted), SHOWN, "")
            found = [presenters.definition(request.namespace, one) for one in kept]
        case Kinds.FLOWRUN | Kinds.STEP:
            views, _ = reader.views(request.namespace, RunQuery(limit=SHOWN))
            runs_found = [presenters.run(view) for view in views]
            steps_found = [step for view in views for step in presenters.current_steps(view)]
            found = runs_found if wanted is Kinds.FLOWRUN else steps_found
        case Kinds.EVENT:
            found = [presenters.signal(request.namespace, one) for one in reader.signals(request.namespace, SHOWN)]
    if not found:
        return Reply.NIL, ""
    rows = [
        [one["metadata"]["name"], wanted, one["metadata"]["uuid"], str(one["metadata"]["version"])] for one in found
    ]
    if wanted is Kinds.FLOWRUN:
        header.append("state")
        rows = [[*row, one["spec"]["current_state"]] for row, one in zip(rows, found, strict=True)]
    if wanted is Kinds.STEP:
        header.append("run")
        rows = [[*row, one["spec"]["flow_id"]] for row, one in zip(rows, found, strict=True)]
    return Reply.RAW, table(header, rows)


def _get(request: Request, kind: str, name: str) -> Answer:
    """get TYPE NAME

    Shows one resource: an action, a flow, a flowrun, or a step as RUN.STEP.
    """
    reader = request.services.reader
    found: Json
    match _kind(kind):
        case Kinds.ACTION:
            found = presenters.definition(request.namespace, reader.definition(request.namespace, Kind.ACTION, name))
            return Reply.RAW, _action(found["metadata"], found["spec"])
        case Kinds.FLOW:
            found = presenters.definition(request.namespace, reader.definition(request.namespace, Kind.FLOW, name))
            return Reply.RAW, _flow(found["metadata"], found["spec"])
        case Kinds.FLOWRUN:
            found = presenters.run(reader.view(request.namespace, name))
            return Reply.RAW, _flowrun(found["metadata"], found["spec"])
        case Kinds.STEP:
            found = runs.get_step(request, name)
            return Reply.RAW, _step(found["metadata"], found["spec"])
        case Kinds.EVENT:
            raise Usage("single events are not looked up; list event shows them all")


def _del(request: Request, kind: str, name: str, uuid: str | None = None) -> Answer:
    """del TYPE NAME [UUID]

    Deletes an action, a flow, or a flowrun that has ended; with its uuid nothing else of that name.
    """
    match wanted := _kind(kind):
        case Kinds.ACTION | Kinds.FLOW:
            request.services.definition_deleter.delete(request.namespace, Kind(wanted), name, uuid)
        case Kinds.FLOWRUN:
            request.services.operator.delete_run(request.namespace, name, uuid)
        case Kinds.STEP | Kinds.EVENT:
            raise Usage(f"a {wanted} cannot be deleted: only an action, a flow or a flowrun can")
    return Reply.OK, ""


def _history(request: Request, run: str) -> Answer:
    """history RUN

    Shows the run's newest transitions.
    """
    head = request.services.reader.run(request.namespace, run)
    after = max(0, head.seq - SHOWN)
    entries = request.services.reader.history(request.namespace, run, after, SHOWN)
    told: list[Json] = [presenters.entry(one) for one in entries]
    columns = ["seq", "at", "event", "step", "from", "to", "state", "by", "error"]
    return Reply.RAW, table(columns, [[str(one[column]) for column in columns] for one in told])


def _pause(request: Request, run: str) -> Answer:
    """pause RUN

    Holds a run: it records what its actions answer, and sends nothing.
    """
    request.services.operator.pause(request.namespace, run, by=request.by)
    return Reply.OK, ""


def _continue(request: Request, run: str) -> Answer:
    """continue RUN

    Lets a paused run go on.
    """
    request.services.operator.resume(request.namespace, run, by=request.by)
    return Reply.OK, ""


def _stop(request: Request, run: str, reason: str = "") -> Answer:
    """stop RUN [REASON]

    Ends a run. A reason of several words stands in backticks.
    """
    request.services.operator.stop(request.namespace, run, reason=reason, by=request.by)
    return Reply.OK, ""


def _retry(request: Request, run: str, step: str | None = None) -> Answer:
    """retry RUN [STEP]

    Takes a stopped run up again: where it stood, or at a step.
    """
    request.services.operator.retry(request.namespace, run, step=step, by=request.by)
    return Reply.OK, ""


def _help(_: Request, command: str = "") -> Answer:
    """help [COMMAND]

    Shows how commands are used.
    """
    if not command:
        lines = [f"  {_first_line(verb)}" for verb in _VERBS.values()]
        statements = "  action ... action_end, flow ... flow_end, flow_run ... flow_run_end"
        return Reply.RAW, "\n".join(["Commands, in any case; `...` holds spaces:", *lines, "FSL:", statements])
    verb = _VERBS.get(command.lower())
    if verb is not None:
        return Reply.RAW, inspect.getdoc(verb) or ""
    if command.lower() in _STATEMENTS:
        return Reply.RAW, _STATEMENTS[command.lower()]
    known = [*_VERBS, *_STATEMENTS]
    raise Usage(f"there is no command {command!r:.60}{_near(command, known)}; type help for a list of commands")


_VERBS: Final[dict[str, Verb]] = {
    "list": _list,
    "get": _get,
    "del": _del,
    "history": _history,
    "pause": _pause,
    "continue": _continue,
    "stop": _stop,
    "retry": _retry,
    "help": _help,
}

_STATEMENTS: Final = {
    "action": 'action NAME addr = "URL"; method = http; args = (str NAME, ...); return = (STATE | ...); action_end',
    "flow": "flow NAME step NAME => (STATE -> TARGET | ...) { action = NAME; args = (...); }; flow_end",
    "flow_run": "flow_run NAME step NAME => (STATE -> TARGET | ...) { action = NAME; args = (...); }; flow_run_end",
}


def _first_line(verb: Verb) -> str:
    return (verb.__doc__ or "").partition("\n")[0]


def _kind(word: str) -> Kinds:
    known = word.lower().replace("_", "")
    if known not in list(Kinds):
        raise Usage(f"there is no type {word!r:.60}{_near(word, Kinds)}; there are {', '.join(Kinds)}")
    return Kinds(known)


def _near(word: str, known: object) -> str:
    near = get_close_matches(word.lower(), list(known), n=1)  # type: ignore[call-overload]
    return f" (did you mean {near[0]}?)" if near else ""


# ── tables ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def _action(meta: Json, spec: Json) -> str:
    params = [f"{kind} {name}" for name, kind in spec["params"].items()]
    cells = [meta["name"], "\n".join(spec["endpoints"]), "\n".join(params), "\n".join(spec["return_states"])]
    return table(["name", "endpoints", "params", "return_states"], [cells])


def _flow(meta: Json, spec: Json) -> str:
    rows = [
        [step["name"], step["action_name"], "\n".join(f"{state} -> {to}" for state, to in step["returns"].items())]
        for step in spec["steps"]
    ]
    return f"{meta['name']} version {meta['version']}\n" + table(["step", "action", "returns"], rows)


def _flowrun(meta: Json, spec: Json) -> str:
    header = ["name", "uuid", "status", "current_state", "history_states", "global_variable", "last_err"]
    states = "\n".join(spec["history_states"])
    shown = [meta["name"], meta["uuid"], spec["status"], spec["current_state"], states, _json(spec["global_variable"])]
    return table(header, [[*shown, spec["last_err"]]])


def _step(meta: Json, spec: Json) -> str:
    header = ["name", "flow_run_id", "uuid", "response_state", "global_variables", "data"]
    shown = [meta["name"], spec["flow_id"], meta["uuid"], spec["response"]["state"], _json(spec["global_variables"])]
    return table(header, [[*shown, _json(spec["data"])]])


def _json(value: Json) -> str:
    return "" if value is None else value if isinstance(value, str) else encoded(value)
