"""The results of deliveries, except for answers."""

from __future__ import annotations

from msgspec.structs import replace

from chalicelib.engine.effects import Outcome
from chalicelib.engine.errors import StepError
from chalicelib.engine.events import DeliveryFailed, DeliveryHeld, NoticeTaken, ReplyIgnored
from chalicelib.engine.handlers import notices
from chalicelib.engine.invocation import invocation_of
from chalicelib.engine.step_result import StepResult
from chalicelib.engine.steps import action
from chalicelib.engine.token_moves import leave
from chalicelib.engine.transition import MAX_ERROR_CHARACTERS, Transition
from chalicelib.model import status
from chalicelib.model.flow import ERROR
from chalicelib.model.status import Status


def delivered(transition: Transition, event: DeliveryFailed | DeliveryHeld | ReplyIgnored | NoticeTaken) -> Outcome:
    """Apply the result of a delivery."""
    match event:
        case DeliveryFailed():
            return _failed(transition, event)
        case DeliveryHeld():
            return _held(transition, event)
        case ReplyIgnored():
            return _reply_ignored(transition, event)
        case NoticeTaken(uuid=uuid):
            return notices.taken(transition, uuid)


def _failed(transition: Transition, event: DeliveryFailed) -> Outcome:
    """Plan the next attempt, or make the step return ERROR if there is none."""
    notice = transition.run.notice_of(event.uuid)
    if notice is not None:
        return notices.failed(transition, notice, event)
    token = transition.run.token_of(event.uuid)
    if token is None or token.activation is None or transition.run.status in status.ENDED:
        return Outcome.IGNORED
    invocation = invocation_of(transition.definition, transition.run, token)
    if invocation is None:
        return Outcome.IGNORED
    activation = replace(token.activation, attempt=token.activation.attempt + 1)
    retry_at = None if event.final else action.retry_at(transition, invocation, activation, event)
    token = transition.put(replace(token, activation=replace(activation, retry_at=retry_at)))
    if retry_at is None:
        error = StepError(event.name, event.error, status=event.status)
        leave(transition, token, StepResult(state=ERROR, error=error, event="DeliveryFailed"))
        return Outcome.ADVANCED
    transition.record("DeliveryFailed", token, error=event.error, error_name=event.name)
    return Outcome.PROGRESS


def _held(transition: Transition, event: DeliveryHeld) -> Outcome:
    """Mark a delivery of a paused run: `continue` sends it."""
    notice = transition.run.notice_of(event.uuid)
    if notice is not None:
        return notices.held(transition, notice)
    token = transition.run.token_of(event.uuid)
    if token is None or token.activation is None or transition.run.status is not Status.PAUSED:
        return Outcome.IGNORED
    transition.put(replace(token, activation=replace(token.activation, held=True, retry_at=None)))
    return Outcome.PROGRESS


def _reply_ignored(transition: Transition, event: ReplyIgnored) -> Outcome:
    """Record that a response was ignored; the step keeps waiting for its answer."""
    token = transition.run.token_of(event.uuid)
    if token is None or token.activation is None or transition.run.status in status.ENDED:
        return Outcome.IGNORED
    reason = event.reason[:MAX_ERROR_CHARACTERS]
    token = transition.put(replace(token, activation=replace(token.activation, ignored_reply=reason)))
    transition.record("IgnoredReply", token, error=reason)
    return Outcome.PROGRESS
