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
from chalicelib.entrypoints.http.request import Request, Response
from chalicelib.entrypoints.http.route import Route
from chalicelib.model import step_token
from chalicelib.model.json_values import Json, ready

LOG = logging.getLogger("echoer.audit")

LOG.setLevel(logging.INFO)  # independent of ECHOER_LOG

MAX_NAME_CHARACTERS: Final = 200
"""Longer names are cut in the audit log."""

_WORD: Final = re.compile(r"[\w.-]+")


class _NamesInBody(msgspec.Struct, frozen=True):
    """The fields of a body that name what is to be changed."""

    run: str = msgspec.field(name="flowId", default="")
    step: str = msgspec.field(name="stepName", default="")
    command: str = ""
    token: str = msgspec.field(name="taskToken", default="")


def record(request: Request, route: Route, names: Iterable[str], result: Json, status: int) -> None:
    """Log one line: the caller, the call, the names of what it changed, and the status.

    If the server is open, callers are unknown; then the line goes to the debug log of the API.
    """
    log, level = LOG, logging.INFO
    if request.services.settings.auth is Access.OPEN:
        log, level = errors.LOG, logging.DEBUG
    if not log.isEnabledFor(level):
        return
    named = [*names, *_names_in_body(request.body), *_names_in_result(result)]
    token = next(filter(None, map(step_token.decode, named)), None) if route.is_callback else None
    fields = {
        "who": request.caller,
        "namespace": token.namespace if token else request.namespace,
        "call": " ".join(route.call),
        "names": [token.run] if token else list(dict.fromkeys(named)),  # never the token: it is a permission
        "status": status,
    }
    log.log(level, "%(who)r in %(namespace)s: %(call)s %(names)r: %(status)d", fields, extra=fields)


def _names_in_body(body: bytes) -> Iterator[str]:
    try:
        found = msgspec.json.decode(body, type=_NamesInBody)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return  # the body is plain text, or the view refused it
    yield from (text[:MAX_NAME_CHARACTERS] for text in (found.run, found.step, _start_of(found.command)) if text)
    yield from (found.token,) if step_token.decode(found.token) else ()


def _start_of(command: str) -> str:
    """Return the verb of a command and the names after it. The rest may hold confidential values."""
    return " ".join(takewhile(_WORD.fullmatch, command.split()[:3]))


def _names_in_result(result: Json) -> Iterator[str]:
    match result.body if isinstance(result, Response) else result:
        case {"metadata": {"name": str(name)}}:
            yield name
        case {"id": str(token_id), "name": str(name)}:
            yield from (token_id, name)
        case {"results": [*results]}:
            named = (getattr(result, "name", None) for result in results)
            yield from (one for one in named if isinstance(one, str))
        case [*resources]:
            for resource in resources:
                yield from _names_in_result(resource)


ready(_NamesInBody)
