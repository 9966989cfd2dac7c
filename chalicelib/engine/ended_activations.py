"""What happens outside when activations end: permits are returned, and abandoned work is canceled.

An activation is abandoned if it ends without an answer of its action: by a timeout, because its run ends, or because
its branch or item has lost. If its action has a `cancel`, this address is notified (`engine.notices`).
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from chalicelib.engine import notices
from chalicelib.engine.effects import ReleasePermit
from chalicelib.engine.invocation import UNDO, awaits_approval, invocation_of, limiters_of
from chalicelib.model.run import Run, Token
from chalicelib.model.status import ENDED, Status
from chalicelib.model.waits import NoticeKind

if TYPE_CHECKING:
    from chalicelib.engine.transition import Transition

_ANSWERS: Final = frozenset({"StepAcked", "DeliveryFailed", "StepRejected", "StepFailed"})
_TIMEOUTS: Final = frozenset({"StepTimedOut", "RunTimedOut"})


class Reason(StrEnum):
    """Why an activation was abandoned."""

    TIMEOUT = "timeout"
    STOPPED = "stopped"
    """Its run was stopped."""
    FAILED = "failed"
    """Its run has failed elsewhere."""
    LEFT = "left"
    """A person had its token leave the step, or one around it."""
    LOST = "lost"
    """Its branch or item has lost, or what it belongs to goes on without it."""


def settle(transition: Transition, before: Run, written: Run) -> None:
    """Return permits, and notify the actions of abandoned activations. `written` is the head as it is stored."""
    definition = transition.began_with
    if before.status in ENDED or not (definition.has_permits or definition.has_cancels):
        return
    for token in _ended(transition, before):
        uuid = token.activation.uuid if token.activation else ""
        for limiter in limiters_of(definition, before, token):
            transition.emit(ReleasePermit(uuid, limiter))
        if definition.has_cancels and written.token_of(uuid) is not None:
            _cancel(transition, before, token, uuid)


def _ended(transition: Transition, before: Run) -> Iterator[Token]:
    """Yield the tokens of `before` with activations that have ended since then."""
    live = () if transition.run.status in ENDED else transition.tokens.values()
    uuids = {token.activation.uuid for token in live if token.activation}
    return (token for token in before.tokens if token.activation and token.activation.uuid not in uuids)


def _cancel(transition: Transition, before: Run, token: Token, uuid: str) -> None:
    invocation = invocation_of(transition.began_with, before, token)
    if invocation is None or not invocation.action.cancel or awaits_approval(token):
        return
    is_sent = token.activation is not None and not token.activation.held
    if is_sent and not any(entry.event in _ANSWERS and entry.uuid == uuid for entry in transition.entries):
        kind = NoticeKind.CANCEL_UNDO if token.id == UNDO else NoticeKind.CANCEL
        notices.cancel(transition, token, kind, uuid, _reason(transition, uuid))


def _reason(transition: Transition, uuid: str) -> Reason:
    if any(entry.event in _TIMEOUTS and entry.uuid in ("", uuid) for entry in transition.entries):
        return Reason.TIMEOUT
    if any(entry.event == "TokenMoved" for entry in transition.entries):
        return Reason.LEFT
    match transition.run.ending or transition.run.status:
        case Status.CANCELED:
            return Reason.STOPPED
        case Status.FAILED:
            return Reason.FAILED
        case _:
            return Reason.LOST
