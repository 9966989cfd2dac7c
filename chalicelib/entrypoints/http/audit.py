"""The audit log: one line per change."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Iterator
from itertools import takewhile
from typing import Final

import msgspec

from chalicelib.config import Access
from chalicelib.entrypoints.http import errors
from chalicelib.entrypoints.http.adapter import Answer, Call, Request
from chalicelib.model.json_values import Json, ready

LOG = logging.getLogger("echoer.audit")

LOG.setLevel(logging.INFO)  # whatever ECHOER_LOG says

SHOWN: Final = 200
"""Characters of a name that the audit shows."""

_WORD: Final = re.compile(r"[\w.-]+")


class _Said(msgspec.Struct, frozen=True):
    """What a body says of the thing that is to be changed, where the path does not."""

    run: str = msgspec.field(name="flowId", default="")
    step: str = msgspec.field(name="stepName", default="")
    command: str = ""


def record(request: Request, call: Call, names: Iterable[str], made: Json, status: int) -> None:
    """One line: who asked for which change, of what, and how it was answered. Where the door is open nobody is known,
    and the line is for those who look for faults."""
    log, level = LOG, logging.INFO
    if request.services.settings.auth is Access.OPEN:
        log, level = errors.LOG, logging.DEBUG
    if not log.isEnabledFor(level):
        return
    told = {
        "who": request.by,
        "namespace": request.namespace,
        "call": " ".join(call),
        "names": list(dict.fromkeys([*names, *_names_said(request.body), *_names_made(made)])),
        "status": status,
    }
    log.log(level, "%(who)r in %(namespace)s: %(call)s %(names)r: %(status)d", told, extra=told)


def _names_said(body: bytes) -> Iterator[str]:
    try:
        said = msgspec.json.decode(body, type=_Said)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return  # it is text, or the view refused it
    yield from (text[:SHOWN] for text in (said.run, said.step, _begin_of(said.command)) if text)


def _begin_of(command: str) -> str:
    """What the command is to do, and to what; not what else it says, which may be anybody's args."""
    return " ".join(takewhile(_WORD.fullmatch, command.split()[:3]))


def _names_made(made: Json) -> Iterator[str]:
    """The names that a view's answer tells of."""
    match made.body if isinstance(made, Answer) else made:
        case {"metadata": {"name": str(name)}}:
            yield name
        case {"id": str(token_id), "name": str(name)}:
            yield from (token_id, name)
        case {"results": [*results]}:
            yield from (result.name for result in results)
        case [*several]:
            for one in several:
                yield from _names_made(one)


ready(_Said)
