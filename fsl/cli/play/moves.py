"""Lines of a play as moves: `Charge PAID {"id": 1}`, `next`, `event paid o-1`."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any, Final, TypeAlias

import msgspec

from chalicelib.model.errors import EchoerError
from chalicelib.model.flow import ERROR
from chalicelib.model.json_values import Json
from chalicelib.play.moves import Move
from chalicelib.play.waiting import Waiting
from fsl.cli.values import value_of

_WORD: Final = re.compile(r'\s*(?:"([^"]*)"|(\S+))')
_STATUS: Final = re.compile(r"[1-5]\d\d")

_Fields: TypeAlias = dict[str, Any]


class BadMove(EchoerError):
    """The line is no move; `str()` says how one is written."""


def move_of(line: str, waits: Sequence[Waiting], run: str = "run") -> Move:
    """Return the move that the line means, where tokens of the run of that name wait like this. Raises BadMove."""
    word, rest = _first(line)
    if word.lower() == "signal":
        return _made(_signal(rest, run))
    parse = _PARSERS.get(word.lower())
    if parse is not None:
        return _made(parse(rest))
    if any(one.step == word.partition("@")[0] for one in waits):
        return _made(_answer(line))
    asked = [one for one in waits if word in (*one.states, ERROR) and one.states]
    if len(asked) == 1:
        return _made(_answer_at(asked[0].step, asked[0].token, asked[0].run, line))
    if asked:
        steps = ", ".join(sorted({one.step for one in asked}))
        raise BadMove(f"several steps can return {word}: name one of {steps}, as in {asked[0].step} {word}")
    raise BadMove(f"{word!r} is no move, no step that waits, and no state of one; `help` lists the moves")


def _made(fields: _Fields) -> Move:
    try:
        return msgspec.convert(fields, Move)
    except msgspec.ValidationError as exc:
        raise BadMove(str(exc)) from exc


def _first(text: str) -> tuple[str, str]:
    """Return the first word, and the rest of the text. A word in double quotes may have spaces."""
    found = _WORD.match(text)
    if found is None:
        return "", ""
    return found[1] if found[1] is not None else found[2], text[found.end() :].strip()


def _words(text: str, least: int, most: int, usage: str) -> list[str]:
    """Return at most `most` words; the last one is the rest of the text. Raises BadMove if there are too few."""
    found: list[str] = []
    while text and len(found) < most - 1:
        word, text = _first(text)
        found.append(word)
    found += [text] if text else []
    if len(found) < least:
        raise BadMove(f"write: {usage}")
    return [*found, *[""] * (most - len(found))]


def _at(word: str) -> _Fields:
    """Return the step, and the token if it is named: `One@0.1`."""
    step, _, token = word.partition("@")
    return {"step": step, **({"token": token} if token else {})}


def _answer(text: str) -> _Fields:
    step, rest = _first(text)
    at = _at(step)
    return _answer_at(at["step"], at.get("token"), None, rest)


def _answer_at(step: str, token: str | None, run: str | None, text: str) -> _Fields:
    state, rest = _first(text)
    if not state:
        raise BadMove("write: STEP STATE [DATA]")
    fields: _Fields = {"step": step, "token": token, "run": run, "state": state}
    if state == ERROR and rest:
        name, cause = _first(rest)
        return {"answer": {**fields, "error": {"name": name, "cause": cause}}}
    return {"answer": {**fields, "data": value_of(rest) if rest else None}}


def _report(text: str) -> _Fields:
    step, data = _words(text, 1, 2, "report STEP [DATA]")
    return {"answer": {**_at(step), "data": value_of(data) if data else None, "done": False}}


def _fail(text: str) -> _Fields:
    step, reason = _words(text, 1, 2, "fail STEP [HTTP STATUS | REASON]")
    status: _Fields = {"status": int(reason)} if _STATUS.fullmatch(reason) else {"error": reason} if reason else {}
    return {"fail": {**_at(step), **status}}


def _event(text: str) -> _Fields:
    name, key, data = _words(text, 1, 3, "event NAME [KEY [DATA]]")
    if key.startswith(("{", "[")):
        key, data = "", f"{key} {data}"
    return {"event": {"name": name, "key": key, "data": value_of(data.strip()) if data.strip() else None}}


def _signal(text: str, run: str) -> _Fields:
    name, data = _words(text, 1, 2, "signal NAME [DATA]")
    return {"event": {"name": name, "data": value_of(data) if data else None, "run": run}}


def _wait(text: str) -> _Fields:
    (length,) = _words(text, 1, 1, "wait DURATION, such as wait 2h")
    return {"clock": {"by": length}}


def _until(text: str) -> _Fields:
    (moment,) = _words(text, 1, 1, "until TIME, such as until 2027-01-31T08:00:00Z")
    return {"clock": {"to": moment}}


def _set(text: str) -> _Fields:
    (pair,) = _words(text, 1, 1, "set NAME=VALUE")
    name, equals, value = pair.partition("=")
    if not name or not equals:
        raise BadMove("write: set NAME=VALUE")
    return {"command": {"do": "vars", "set": {name.strip(): _value(value.strip())}}}


def _value(text: str) -> Json:
    return value_of(text)


def _command(do: str) -> Callable[[str], _Fields]:
    def parse(text: str) -> _Fields:
        given = {"step": text} if do == "retry" and text else {"reason": text} if do == "stop" else {}
        return {"command": {"do": do, **given}}

    return parse


_PARSERS: Final[dict[str, Callable[[str], _Fields]]] = {
    "answer": _answer,
    "report": _report,
    "fail": _fail,
    "event": _event,
    "next": lambda _: {"clock": {"next": True}},
    "wait": _wait,
    "until": _until,
    "auto": lambda text: {"auto": {"until": text or None}},
    "set": _set,
    **{do: _command(do) for do in ("pause", "continue", "stop", "retry")},
}

HELP: Final = """\
STATE [DATA]              the only step that waits for such an answer returns STATE
STEP STATE [DATA]         STEP returns STATE; STEP@TOKEN, where several tokens wait there
STEP ERROR [NAME CAUSE]   STEP returns ERROR
report STEP [DATA]        STEP reports progress
fail STEP [503 | REASON]  a delivery fails
next                      time passes until something happens by itself
wait 2h                   time passes
until 2027-01-31T08:00Z   time passes to a moment
event NAME [KEY [DATA]]   an event is published
signal NAME [DATA]        an event is sent to the run
auto [STEP]               everything is answered with its first state, until STEP waits
set NAME=VALUE            a person sets a variable
pause, continue, stop [REASON], retry [STEP]
undo                      takes the last move back
vars, history, runs       show the variables, the whole history, the called runs
quit"""

WORDS: Final = (*_PARSERS, "signal", "undo", "vars", "history", "runs", "help", "quit")
"""The words with which a line may begin, beside the names of steps and states."""
