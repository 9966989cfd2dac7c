"""The timer of a run: deadlines that have passed take effect."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from msgspec.structs import replace

from chalicelib.engine import suspensions
from chalicelib.engine.effects import Outcome, RequestPermit
from chalicelib.engine.endings import fail_with
from chalicelib.engine.invocation import UNDO
from chalicelib.engine.returning.repeats import is_repeating
from chalicelib.engine.step_result import StepResult
from chalicelib.engine.steps import each
from chalicelib.engine.token_moves import end_wait, leave
from chalicelib.engine.transition import Transition
from chalicelib.engine.undo.compensation import give_up_children
from chalicelib.model.flow import (
    DEFAULT_STATE,
    STOPPED,
    TIMEOUT,
    ConditionStep,
    EachStep,
    EventStep,
    Step,
    TimerStep,
)
from chalicelib.model.run import Activation, Token
from chalicelib.model.run_error import ErrorName, StepError
from chalicelib.model.status import MOVING, Status
from chalicelib.model.times import Instant
from chalicelib.model.waits import ApprovalWait, ChildWait, EachWait, EmitWait, EventWait, ForkWait, StartWait, Wait

_RUN_TIMED_OUT: Final = "the run took longer than its flow's timeout"


def fired(transition: Transition, paused: Mapping[str, Instant]) -> Outcome:
    """Apply every deadline that has passed, the run's own before those of its tokens. The timer is then set again.

    `paused` are paused actions, and since when: the time-outs of what waits for them are suspended.
    """
    run = transition.run
    if run.status not in MOVING or run.timer_at is None or run.timer_at > transition.at:
        return Outcome.IGNORED
    suspensions.suspend_due(transition, paused)
    run = transition.run
    is_due = run.deadline is not None and run.deadline <= transition.at and run.suspended_at is None
    if is_due and run.ending is None:
        transition.set_run(deadline=None)
        transition.record("RunTimedOut", origin=transition.current_step, target=STOPPED, state=TIMEOUT)
        fail_with(transition, StepError(ErrorName.TIMEOUT, _RUN_TIMED_OUT, transition.current_step, TIMEOUT))
        return Outcome.ADVANCED
    if run.status is Status.PENDING and run.start_at is not None and run.start_at <= transition.at:
        transition.emit(RequestPermit())
    give_up_children(transition)
    for token_id in tuple(transition.tokens):
        token = transition.tokens.get(token_id)
        activation = token.activation if token else None
        is_awaited = token_id == UNDO or (transition.run.ending is None and run.status is not Status.PENDING)
        is_suspended = activation is not None and suspensions.holds_back(transition.run, activation)
        if token and activation and is_awaited and not is_suspended and activation.due <= transition.at:
            _time_out(transition, token, activation)
    return Outcome.ADVANCED if transition.entries else Outcome.PROGRESS


def _time_out(transition: Transition, token: Token, activation: Activation) -> None:
    """End the wait of the token. A repeated step begins, and an each starts its deferred items."""
    step = transition.step_of(token) if token.id != UNDO else None
    if is_repeating(token):
        transition.arrive(replace(token, activation=None))
    elif isinstance(step, EachStep) and each.is_deferred(step, activation):
        each.start_deferred(transition, token, step)
    elif isinstance(step, TimerStep):
        leave(transition, token, StepResult(state=DEFAULT_STATE, event="TimerRang"))
    else:
        error = _timeout_error(step, activation)
        end_wait(transition, token, StepResult(state=TIMEOUT, error=error, event="StepTimedOut"))


def _timeout_error(step: Step | None, activation: Activation) -> StepError:
    """Return the error that says what did not happen in time. `step` is None where an undo was awaited."""
    if activation.due < activation.deadline:
        return StepError(ErrorName.HEARTBEAT_TIMEOUT, "no report came within its heartbeat")
    if activation.circuit_open:
        return StepError(
            ErrorName.CIRCUIT_OPEN, "it was not delivered, because earlier deliveries to its action failed"
        )
    if isinstance(activation.wait, ApprovalWait):
        return StepError(ErrorName.APPROVAL_EXPIRED, "no person approved it in time")
    return StepError(ErrorName.TIMEOUT, _what_did_not_happen(step, activation.wait))


def _what_did_not_happen(step: Step | None, wait: Wait | None) -> str:
    match wait, step:
        case EventWait(key=key), EventStep(events=events):
            names = " or ".join(repr(name) for name in dict.fromkeys(events.values()))
            return f"no event {names}" + (f" with key {key!r}" if key else "") + " came in time"
        case ForkWait(), _:
            return "its branches did not end in time"
        case EachWait(), _:
            return "its items did not end in time"
        case ChildWait(child=child), _:
            return f"run {child!r} did not end in time"
        case EmitWait(event=event), _:
            return f"event {event!r} was not published in time"
        case StartWait(run=run), _:
            return f"run {run!r} was not started in time"
        case _, ConditionStep():
            return "its condition did not hold in time"
        case _:
            return "no final answer came in time"
