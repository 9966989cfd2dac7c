"""What became of a delivery, other than an answer."""

from __future__ import annotations

from typing import Final

from msgspec.structs import replace

from chalicelib.engine.effects import Outcome, ReleasePermit
from chalicelib.engine.events import (
    AnswerPending,
    CircuitChanged,
    DeliveryFailed,
    DeliveryHeld,
    DeliveryTaken,
    NoticeTaken,
    ReplyIgnored,
)
from chalicelib.engine.handlers import notices
from chalicelib.engine.invocation import invocation_of, limiters_of
from chalicelib.engine.step_result import StepResult
from chalicelib.engine.steps import action
from chalicelib.engine.token_moves import leave
from chalicelib.engine.transition import MAX_ERROR_CHARACTERS, Transition
from chalicelib.engine.values.secret_values import encrypted, encrypted_response, encrypted_text
from chalicelib.model import status
from chalicelib.model.flow import ERROR
from chalicelib.model.run import Activation, Token
from chalicelib.model.run_error import StepError
from chalicelib.model.status import Status
from chalicelib.model.times import Milliseconds

FAR_RETRY_MS: Final[Milliseconds] = 5_000
"""An activation that waits longer than this for a retry does not keep its permit."""


def delivered(
    transition: Transition,
    event: DeliveryFailed | DeliveryHeld | DeliveryTaken | CircuitChanged | AnswerPending | ReplyIgnored | NoticeTaken,
) -> Outcome:
    """Apply what became of a delivery; late events are ignored."""
    match event:
        case DeliveryFailed():
            return _failed(transition, event)
        case DeliveryHeld():
            return _held(transition, event)
        case CircuitChanged():
            return _circuit_changed(transition, event)
        case AnswerPending():
            return _pending(transition, event)
        case ReplyIgnored():
            return _reply_ignored(transition, event)
        case NoticeTaken(uuid=uuid):
            return notices.taken(transition, uuid)
        case DeliveryTaken():
            return _taken(transition, event)


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
    token = transition.put(replace(token, activation=replace(activation, retry_at=retry_at, circuit_open=False)))
    if retry_at is None:
        data, response = event.data, event.response
        if invocation.has_secrets:
            data, response = encrypted(data, transition.cipher), encrypted_response(response, transition.cipher)
        error = StepError(event.name, event.error, status=event.status, data=data)
        leave(transition, token, StepResult(state=ERROR, error=error, event="DeliveryFailed", response=response))
        return Outcome.ADVANCED
    transition.record("DeliveryFailed", token, error=event.error, error_name=event.name)
    if retry_at - transition.at > FAR_RETRY_MS:
        _release_permit(transition, token, activation)
    return Outcome.PROGRESS


def _release_permit(transition: Transition, token: Token, activation: Activation) -> None:
    """Return the permit until the next attempt."""
    for limiter in limiters_of(transition.definition, transition.run, token):
        transition.emit(ReleasePermit(activation.uuid, limiter, activation.attempt))


def _pending(transition: Transition, event: AnswerPending) -> Outcome:
    """Remember where to ask for the answer, and when. Deliveries that failed before do not count any more."""
    token = transition.run.token_of(event.uuid)
    if token is None or token.activation is None or transition.run.status in status.ENDED:
        return Outcome.IGNORED
    invocation = invocation_of(transition.definition, transition.run, token)
    location = event.location
    if invocation is not None and invocation.has_secrets:  # the service may quote them in it
        location = encrypted_text(location, transition.cipher)
    is_new = token.activation.location != location
    look_at, attempt = transition.at + event.wait, token.activation.attempt
    asked = replace(token.activation, location=location, retry_at=look_at, settled=attempt)
    token = transition.put(replace(token, activation=asked))
    if is_new:
        transition.record("AnswerPending", token)
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


def _taken(transition: Transition, event: DeliveryTaken) -> Outcome:
    """Note that the action has it: a heartbeat begins, and a message that was sent in case of a crash does nothing."""
    token = transition.run.token_of(event.uuid)
    if token is None or token.activation is None or transition.run.status in status.ENDED:
        return Outcome.IGNORED
    taken = replace(_with_heartbeat(transition, token.activation), is_taken=True, circuit_open=False)
    transition.put(replace(token, activation=taken))
    return Outcome.PROGRESS


def _with_heartbeat(transition: Transition, activation: Activation) -> Activation:
    """Return the activation with its heartbeat counting from now, unless it counts already."""
    if not activation.awaits_delivery:
        return activation
    return replace(activation, awaits_delivery=False, reported_at=transition.at)


def _circuit_changed(transition: Transition, event: CircuitChanged) -> Outcome:
    """Note whether the delivery waits for its action's breaker: a timeout then says so."""
    token = transition.run.token_of(event.uuid)
    if token is None or token.activation is None or transition.run.status in status.ENDED:
        return Outcome.IGNORED
    if token.activation.circuit_open is event.is_open:
        return Outcome.IGNORED
    transition.put(replace(token, activation=replace(token.activation, circuit_open=event.is_open)))
    return Outcome.PROGRESS


def _reply_ignored(transition: Transition, event: ReplyIgnored) -> Outcome:
    """Record that a response was ignored; the step keeps waiting for its answer."""
    token = transition.run.token_of(event.uuid)
    if token is None or token.activation is None or transition.run.status in status.ENDED:
        return Outcome.IGNORED
    reason = event.reason[:MAX_ERROR_CHARACTERS]
    ignored = replace(_with_heartbeat(transition, token.activation), ignored_reply=reason)
    token = transition.put(replace(token, activation=ignored))
    transition.record("IgnoredReply", token, error=reason)
    return Outcome.PROGRESS
