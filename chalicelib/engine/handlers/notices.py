"""What happens to a notice: its action took it, answered it, or could not be reached."""

from __future__ import annotations

from msgspec.structs import replace

from chalicelib.engine import notices
from chalicelib.engine.effects import Outcome
from chalicelib.engine.errors import StateNotRouted, Unsigned
from chalicelib.engine.events import DeliveryFailed, StepAcked
from chalicelib.engine.invocation import invocation_of
from chalicelib.engine.step_result import StepResult
from chalicelib.engine.steps import action
from chalicelib.engine.token_moves import leave
from chalicelib.engine.transition import MAX_ERROR_CHARACTERS, Transition
from chalicelib.engine.values.hidden_errors import hidden_error
from chalicelib.model.compiled_step import Invocation
from chalicelib.model.flow import ERROR
from chalicelib.model.run import Token
from chalicelib.model.run_error import ErrorName, StepError
from chalicelib.model.status import Status


def taken(transition: Transition, uuid: str) -> Outcome:
    """Note that the action has taken the notice."""
    notice = transition.run.notice_of(uuid)
    if notice is None:
        return Outcome.IGNORED
    before = transition.run
    notices.taken(transition, notice)
    return Outcome.PROGRESS if transition.run is not before else Outcome.IGNORED


def acked(transition: Transition, notice: Token, event: StepAcked) -> Outcome:
    """Apply the answer to a notice. Only ERROR, as the answer to an `on_enter`, changes anything but the notice.

    Raises Unsigned, StateNotRouted.
    """
    invocation = invocation_of(transition.definition, transition.run, notice)
    if invocation is not None and invocation.options.signed and not event.signed:
        raise Unsigned(event.step)
    if invocation is None or not notices.fails_with(notice) or not event.done:
        return taken(transition, event.uuid)
    if event.state == ERROR:
        given = event.error
        if given is not None and invocation.has_secrets:
            given = hidden_error(given, invocation.action.name, transition.cipher)
        error = given or StepError(ErrorName.REFUSED, f"action {invocation.action.name!r} answered ERROR")
        _fail(transition, notice, invocation, error)
        return Outcome.ADVANCED
    if event.state not in invocation.action.returns:
        raise StateNotRouted(event.step, event.state, invocation.action.returns)
    notices.taken(transition, notice)
    answered = transition.run.notice_of(event.uuid)
    if answered is not None:
        notices.remove(transition, answered)
    return Outcome.PROGRESS


def failed(transition: Transition, notice: Token, event: DeliveryFailed) -> Outcome:
    """Plan the next attempt, or give the notice up if there is none."""
    invocation = invocation_of(transition.definition, transition.run, notice)
    if invocation is None or notice.activation is None:
        return Outcome.IGNORED
    activation = replace(notice.activation, attempt=notice.activation.attempt + 1)
    retry_at = None if event.final else action.retry_at(transition, invocation, activation, event)
    if retry_at is None:
        _fail(transition, notice, invocation, StepError(event.name, event.error, status=event.status))
        return Outcome.ADVANCED
    notice = notices.update(transition, notice, replace(activation, retry_at=retry_at))
    transition.record("DeliveryFailed", notice, error=event.error, error_name=event.name)
    return Outcome.PROGRESS


def held(transition: Transition, notice: Token) -> Outcome:
    """Mark a notice that was due while the run was paused: `continue` sends it."""
    if transition.run.status is not Status.PAUSED:
        return Outcome.IGNORED
    notices.hold(transition, notice)
    return Outcome.PROGRESS


def _fail(transition: Transition, notice: Token, invocation: Invocation, error: StepError) -> None:
    """Give the notice up. If a wait depends on it that has not ended, the wait returns ERROR."""
    name, waiting = invocation.action.name, transition.run.token_of(notices.fails_with(notice))
    transition.record(
        "NoticeFailed", notice, data={"action": name}, error=error.cause[:MAX_ERROR_CHARACTERS], error_name=error.name
    )
    notices.remove(transition, notice)
    if waiting is not None:
        cause = f"its on_enter, action {name!r}, failed: {error.cause}"
        leave(
            transition,
            waiting,
            StepResult(state=ERROR, error=replace(error, cause=cause), event="EnterFailed"),
        )
