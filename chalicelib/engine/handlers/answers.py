"""Answers: of actions, of people, and of people who are asked to approve an action."""

from __future__ import annotations

from typing import Final

import msgspec.structs
from msgspec.structs import replace

from chalicelib.engine import senders
from chalicelib.engine.bindings import answered_value
from chalicelib.engine.effects import Outcome
from chalicelib.engine.errors import NeverIssued, NoCallback, RunIsStopped, StateNotRouted, Unsigned
from chalicelib.engine.events import StepAcked
from chalicelib.engine.handlers import notices
from chalicelib.engine.invocation import APPROVED, REJECTED, awaits_approval, invocation_of, is_signed
from chalicelib.engine.returning.returns import MAX_ERROR_NAME_CHARACTERS
from chalicelib.engine.step_result import StepResult
from chalicelib.engine.token_moves import leave
from chalicelib.engine.transition import MAX_ERROR_CHARACTERS, Transition
from chalicelib.engine.values import size_limits
from chalicelib.engine.values.hidden_errors import hidden_error
from chalicelib.engine.values.secret_values import encrypted, encrypted_response
from chalicelib.model import status
from chalicelib.model.compiled_step import Invocation
from chalicelib.model.flow import ERROR
from chalicelib.model.ids import was_minted
from chalicelib.model.run import Activation, Token
from chalicelib.model.run_error import ErrorName, StepError
from chalicelib.model.status import Status
from chalicelib.model.times import Milliseconds
from chalicelib.model.waits import ApprovalWait

_REJECTED: Final = StepError(ErrorName.APPROVAL_REJECTED, "a person refused it")


def acked(transition: Transition, event: StepAcked) -> Outcome:
    """Apply an answer or a report of progress.

    Raises NeverIssued, Unsigned, NotPermitted, RunIsStopped, NoCallback, StateNotRouted, TooLarge.
    """
    notice = transition.run.notice_of(event.uuid) if transition.run.notices else None
    if notice is not None and _is_for(event, notice):
        senders.refuse_notice(notice.step, event.sender)
        return notices.acked(transition, notice, event)
    run, token = transition.run, transition.run.token_of(event.uuid)
    if token is None or token.activation is None or not _is_for(event, token):
        return _not_awaited(transition, token, event)
    if event.step != token.step:
        event = msgspec.structs.replace(event, step=token.step)
    _refuse_unsigned(transition, token, event)
    senders.refuse_waiting(transition.definition, run, token, event.sender)
    if run.status in status.STOPPED:
        raise RunIsStopped(run.name, run.last_err)
    invocation = invocation_of(transition.definition, run, token)
    if invocation is None:
        raise StateNotRouted(token.step, event.state, ())
    approves = awaits_approval(token)
    if invocation.action.direct and not event.direct and not approves:
        raise NoCallback(token.step)
    if invocation.has_secrets and not approves:
        event = _hide_secrets(transition, invocation, event)
    _admit(transition, token, event)
    if approves:
        return _approved(transition, token, token.activation, invocation, event)
    if not event.done:
        return _reported(transition, token, token.activation, event)
    return _answered(transition, token, invocation, event)


def _is_for(event: StepAcked, token: Token) -> bool:
    """Return whether the answer names the token's step, perhaps as it was called when its action was sent; or none."""
    if event.step in ("", token.step):
        return True
    pinned = token.activation.pinned if token.activation else None
    return pinned is not None and event.step == pinned.step


def _answered(transition: Transition, token: Token, invocation: Invocation, event: StepAcked) -> Outcome:
    """Let the step return the state of the answer. Raises StateNotRouted if its action does not declare it."""
    if not invocation.accepts(event.state) and not (event.state == ERROR and event.error):
        raise StateNotRouted(token.step, event.state, invocation.action.returns)
    returned = StepResult(
        state=event.state,
        data=event.data,
        error=event.error,
        event="StepAcked",
        variables=event.variables,
        response=event.response,
        is_read=event.direct or event.is_value,
        too_large=event.too_large,
    )
    leave(transition, token, returned)
    return Outcome.ADVANCED


def _not_awaited(transition: Transition, token: Token | None, event: StepAcked) -> Outcome:
    """Ignore an answer to an activation that has ended. Raises NeverIssued, Unsigned, NotPermitted."""
    ended = _ended_step(transition, event) if token is None else None
    if ended is None:
        raise NeverIssued(transition.run.name, event.step, event.uuid)
    event = msgspec.structs.replace(event, step=ended)
    _refuse_unsigned(transition, None, event)
    senders.refuse_ended(transition.definition, ended, event.sender)
    return _late(transition, event) if transition.run.unanswered else Outcome.DUPLICATE


def _late(transition: Transition, event: StepAcked) -> Outcome:
    """Keep the first answer to an activation that ended without one. A run that has ended does not change."""
    run = transition.run
    known = next((one for one in run.unanswered if one.uuid == event.uuid), None)
    if known is None or not event.done or run.status in status.ENDED:
        return Outcome.DUPLICATE
    size_limits.admit("the data", event.data)
    token = Token(id=known.token, step=known.step)
    invocation = invocation_of(transition.definition, run, token)
    if invocation is None:  # its version of the flow is gone, and it is unknown whether the data is secret
        event = msgspec.structs.replace(event, data=None, error=None)
    elif invocation.has_secrets:
        event = _hide_secrets(transition, invocation, event)
    error = event.error
    transition.record(
        "LateAnswer",
        token,
        origin="",
        uuid=event.uuid,
        state=event.state[:MAX_ERROR_NAME_CHARACTERS],
        data=event.data,
        error=error.cause[:MAX_ERROR_CHARACTERS] if error else "",
        error_name=error.name if error else "",
    )
    transition.set_run(unanswered=tuple(one for one in run.unanswered if one is not known))
    return Outcome.LATE


def _ended_step(transition: Transition, event: StepAcked) -> str | None:
    """Return the step of an activation that has ended; None if the run never issued its uuid for the event's step.

    In a run that has moved to another version, the activation may have been issued for its step under another name. An
    answer that names a step which no version of the run had is not for it.
    """
    run, named = transition.run, event.step
    known = {**transition.definition.steps, **run.former_steps}
    if named and (not run.former_steps or named not in known):
        return named if was_minted(run.id, named, event.uuid) else None
    steps = (named, *known) if named else known
    return next((step for step in steps if was_minted(run.id, step, event.uuid)), None)


def _hide_secrets(transition: Transition, invocation: Invocation, event: StepAcked) -> StepAcked:
    """Return the answer as it is stored: without what its service may have quoted of secrets.

    The data and the variables of an action with `data = secret` are encrypted, whatever variables they set.
    """
    cipher = transition.cipher
    if event.error is not None:
        event = msgspec.structs.replace(event, error=hidden_error(event.error, invocation.action.name, cipher))
    if not invocation.action.secret_data:
        return event
    data = event.data if event.direct or event.is_value else answered_value(event.data)
    return msgspec.structs.replace(
        event,
        data=encrypted(data, cipher),
        response=encrypted_response(event.response, cipher),
        variables={name: encrypted(value, cipher) for name, value in event.variables.items()},
    )


def _admit(transition: Transition, token: Token, event: StepAcked) -> None:
    """Raise TooLarge if the run cannot hold what the answer brings."""
    if event.data is not None:
        size_limits.admit("the data", event.data)
    if event.variables:
        variables = {**transition.visible_vars(token), **transition.encrypt_secrets(event.variables, token)}
        size_limits.admit("the run's variables", variables)


def _refuse_unsigned(transition: Transition, token: Token | None, event: StepAcked) -> None:
    """Raise Unsigned if the answer must be signed and is not. `token` is None if the activation has ended.

    This check comes before all others that reveal the state of the run. A sender without the key receives the same
    error for an activation that waits, was stopped or has ended, and so learns nothing. That a uuid belongs to no
    activation of the run and step may be revealed: its tag can be computed from the run's id. A service that repeats
    its answer signs it again, and then learns that it is a duplicate. An approval is a person's answer and needs no
    signature.
    """
    if event.signed:
        return
    if token is None:
        wanted = is_signed(transition.definition, transition.run, event.step)
    else:
        invocation = None if awaits_approval(token) else invocation_of(transition.definition, transition.run, token)
        wanted = invocation is not None and invocation.options.signed
    if wanted:
        raise Unsigned(event.step)


def _reported(transition: Transition, token: Token, activation: Activation, event: StepAcked) -> Outcome:
    """Store reported progress, and restart the heartbeat."""
    reported_at = transition.at if activation.heartbeat is not None else None
    reported = replace(activation, data=event.data, reported_at=reported_at, awaits_delivery=False)
    transition.put(replace(token, activation=reported))
    transition.set_vars(event.variables, token)
    variables = transition.encrypt_secrets(event.variables, token)
    transition.record("StepReported", token, state=event.state, data=event.data, vars=variables)
    return Outcome.PROGRESS


def _approved(
    transition: Transition, token: Token, activation: Activation, invocation: Invocation, event: StepAcked
) -> Outcome:
    """Send the action if the person approved it. Its whole timeout starts now."""
    if event.state == REJECTED:
        leave(
            transition,
            token,
            StepResult(state=ERROR, data=event.data, error=_rejection(event), event="StepRejected"),
        )
        return Outcome.ADVANCED
    if event.state != APPROVED:
        raise StateNotRouted(token.step, event.state, (APPROVED, REJECTED))
    heartbeat = _heartbeat_of(activation, invocation)
    approved = replace(
        activation,
        wait=None,
        since=transition.at,
        deadline=transition.at + activation.deadline - activation.since,
        heartbeat=heartbeat,
        awaits_delivery=heartbeat is not None and invocation.may_be_held_back,
        held=transition.run.status is Status.PAUSED,
    )
    transition.record("StepApproved", token, data=event.data)
    transition.deliver(transition.put(replace(token, activation=approved)))
    return Outcome.ADVANCED


def _rejection(event: StepAcked) -> StepError:
    """Return why the person refused, with the data of the answer."""
    error = event.error or _REJECTED
    return error if error.data is not None else replace(error, data=event.data)


def _heartbeat_of(activation: Activation, invocation: Invocation) -> Milliseconds | None:
    """Return the heartbeat of an action that was approved. Heads of older versions do not store it."""
    wait, option = activation.wait, invocation.options.heartbeat
    if isinstance(wait, ApprovalWait) and wait.heartbeat is not None:
        return wait.heartbeat
    return option if isinstance(option, int) else None
