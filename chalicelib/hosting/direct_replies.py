"""What a script replies to a direct call (`callback = none`), as its caller would return it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec

from chalicelib.adapters.virtual import VirtualClock
from chalicelib.hosting.responder import Answer, Failure, HttpReply, Reply
from chalicelib.model.actions import Action
from chalicelib.model.flow import BUILT_IN_STATES
from chalicelib.model.json_values import Json
from chalicelib.model.times import Milliseconds
from chalicelib.service.deliveries.direct_answers import RETRIED_STATUSES
from chalicelib.service.ports import actions as ports

_CONTENT_TYPE: Final = "content-type"


def reply_of(reply: Reply | None, action: Action, timeout: Milliseconds, clock: VirtualClock) -> ports.Reply:
    """Return the reply of a caller. The clock moves on by the time that the answer takes; no answer takes longer."""
    after = 0 if isinstance(reply, Failure) else timeout + 1
    if isinstance(reply, HttpReply):
        after = reply.after
    elif isinstance(reply, tuple) and reply:
        after = reply[-1].after
    clock.sleep(min(after, timeout))
    if reply is None or reply == () or after > timeout:
        return ports.NotTaken.own(f"{action.name} did not answer within {timeout / 1000:g} s", final=False)
    if isinstance(reply, Failure):
        return ports.NotTaken(reply.error, final=reply.final, retry_after=reply.retry_after)
    if isinstance(reply, HttpReply) and not action.is_http:
        final = reply.status not in RETRIED_STATUSES
        return ports.NotTaken.own(f"{action.name}: HTTP {reply.status}", final=final, status=reply.status)
    if isinstance(reply, HttpReply):
        return _response(reply)
    return _answered(reply, action)


def _answered(answers: Sequence[Answer], action: Action) -> ports.Reply:
    """Return the reply that leads to the state of the answer."""
    answer = answers[-1]
    if not action.is_http:
        error = answer.error
        return ports.Raised(error.name, error.cause, answer.data) if error else ports.Returned(answer.data)
    usual = 400 if answer.state in BUILT_IN_STATES else 200
    status = next(iter(action.statuses.get(answer.state, ())), usual)
    return _response(HttpReply(status=status, body=answer.data))


def _response(reply: HttpReply) -> ports.Response:
    headers = {name.lower(): value for name, value in reply.headers.items()}
    body = _body(reply.body)
    if body and _CONTENT_TYPE not in headers:
        headers[_CONTENT_TYPE] = "text/plain" if isinstance(reply.body, str) else "application/json"
    wait = headers.get("retry-after", "")
    return ports.Response(reply.status, headers, body, retry_after=int(wait) * 1000 if wait.isdecimal() else None)


def _body(value: Json) -> bytes:
    if value is None:
        return b""
    return value.encode() if isinstance(value, str) else msgspec.json.encode(value)
