"""What a text of the terminal means: FSL statements, or a command."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterable
from typing import Final

from chalicelib.entrypoints.http.request import Request
from chalicelib.entrypoints.http.terminal.arguments import Verb, call_verb, similar, usage_of, words_of
from chalicelib.entrypoints.http.terminal.output import NOTHING, Output, OutputKind, Usage
from chalicelib.entrypoints.http.terminal.verbs import many, people, reading, running
from chalicelib.model.errors import EchoerError
from chalicelib.service.ports.definitions import Kind

BOM: Final = "\ufeff"
"""The byte order mark that some editors put at the beginning of a text."""

_STATEMENT_WORDS: Final = (*Kind, "flow_run")
_FSL: Final = re.compile(rf"\s*(?:(?:{'|'.join(_STATEMENT_WORDS)})\b|#|/\*)", re.IGNORECASE)
_PUBLISHES: Final = re.compile(r"\s*event\s(?!.*\bevent_end\b)(?!\s*\S+\s+args\b)", re.IGNORECASE | re.DOTALL)
"""`event` is a statement and a command: a statement has args or an end."""


def execute(request: Request, text: str) -> Output:
    """Execute a command or FSL statements. An error becomes an output."""
    try:
        text = text.removeprefix(BOM)
        is_fsl = _FSL.match(text) and not _PUBLISHES.match(text)
        return _submit(request, text) if is_fsl else _run(request, text)
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
    words = words_of(text)
    if not words:
        return NOTHING
    name = words[0].replace("`", "")
    verb = VERBS.get(name.lower())
    if verb is None:
        raise Usage(_unknown_command(name, VERBS))
    return call_verb(request, verb, words[1:])


def _help(_: Request, command: str = "") -> Output:
    """help [COMMAND]

    List the commands, or show how one is used.
    """
    if not command:
        lines = [f"  {usage_of(verb)}" for verb in VERBS.values()]
        statements = ", ".join(
            [*(f"{word} ... {word}_end" for word in _STATEMENT_WORDS if word != Kind.CONFIG), "config NAME = VALUE;"]
        )
        heading = "Commands, in upper or lower case; put arguments with spaces in backticks:"
        return Output(OutputKind.RAW, "\n".join([heading, *lines, "FSL:", f"  {statements}"]))
    verb = VERBS.get(command.lower())
    if verb is not None:
        statement = [f"FSL: {_STATEMENTS[command.lower()]}"] if command.lower() in _STATEMENTS else []
        return Output(OutputKind.RAW, "\n\n".join([inspect.getdoc(verb) or "", *statement]))
    if command.lower() in _STATEMENTS:
        return Output(OutputKind.RAW, _STATEMENTS[command.lower()])
    raise Usage(_unknown_command(command, [*VERBS, *_STATEMENTS]))


VERBS: Final[dict[str, Verb]] = {
    "list": reading.list_,
    "get": reading.get,
    "history": reading.history,
    "task": reading.task,
    "items": reading.items,
    "sent": reading.sent,
    "cost": reading.cost,
    "diff": reading.diff,
    "timer": reading.timer,
    "doctor": reading.doctor,
    "run": running.run,
    "pause": running.pause,
    "continue": running.continue_,
    "stop": running.stop,
    "retry": running.retry,
    "migrate": running.migrate,
    "goto": running.goto,
    "vars": running.vars_,
    "label": running.label,
    "signal": running.signal,
    "del": running.del_,
    "answer": people.answer,
    "approve": people.approve,
    "reject": people.reject,
    "event": people.event,
    "batch": many.batch,
    "deliveries": many.deliveries,
    "backfill": people.backfill,
    "next": people.next_,
    "help": _help,
}
"""The commands. The first line of a docstring is the usage, which the completion of `fsl shell` reads."""

_STATEMENTS: Final = {
    "action": 'action NAME addr = "URL"; method = http; args = (str NAME, ...); return = (STATE | ...); action_end',
    "flow": "flow NAME step NAME => (STATE -> TARGET | ...) { action = NAME; args = (...); }; flow_end",
    "flow_run": "flow_run NAME step NAME => (STATE -> TARGET | ...) { action = NAME; args = (...); }; flow_run_end",
    "event": "event NAME args = (str NAME, ...); event_end",
    "config": "config NAME = VALUE;",
    "schedule": 'schedule NAME flow = NAME; cron = "0 2 * * *"; zone = "ZONE"; input = (...); schedule_end',
    "hook": 'hook NAME addr = "URL"; on = (run.failed, ...); flow = NAME; labels = (NAME = VALUE, ...); hook_end',
}


def _unknown_command(word: str, known: Iterable[str]) -> str:
    return f"unknown command {word!r:.60}{similar(word, known)}; type help for a list of commands"
