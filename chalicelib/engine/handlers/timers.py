"""The timer of a run: deadlines that have passed take effect."""

from __future__ import annotations

from chalicelib.engine.compensation import fail
from chalicelib.engine.effects import Outcome
from chalicelib.engine.invocation import UNDO
from chalicelib.engine.step_result import StepResult
from chalicelib.engine.steps import each
from chalicelib.engine.token_moves import leave
from chalicelib.engine.transition import Transition
from chalicelib.model.flow import DEFAULT_STATE, STOPPED, TIMEOUT, EachStep, TimerStep
from chalicelib.model.run import Activation, Token
from chalicelib.model.status import MOVING, Status


def fired(transition: Transition) -> Outcome:
    """Apply every deadline that has passed, the run's own before those of its tokens. The timer is then set again."""
    run = transition.run
    if run.status not in MOVING or run.timer_at is None or run.timer_at > transition.at:
        return Outcome.IGNORED
    if run.deadline is not None and run.deadline <= transition.at and run.ending is None:
        transition.set_run(deadline=None)
        transition.record("RunTimedOut", origin=transition.current_step, target=STOPPED, state=TIMEOUT)
        fail(transition, Status.FAILED, "the run took longer than its flow's timeout")
        return Outcome.ADVANCED
    for token_id in tuple(transition.tokens):
        token = transition.tokens.get(token_id)
        activation = token.activation if token else None
        if token and activation and activation.due <= transition.at and transition.run.status in MOVING:
            _time_out(transition, token, activation)
    return Outcome.ADVANCED if transition.entries else Outcome.PROGRESS


def _time_out(transition: Transition, token: Token, activation: Activation) -> None:
    """End the wait of the token; an each starts its deferred items instead."""
    step = transition.step_of(token) if token.id != UNDO else None
    if isinstance(step, EachStep):
        each.start_deferred(transition, token, step)
    elif isinstance(step, TimerStep):
        leave(transition, token, StepResult(state=DEFAULT_STATE, event="TimerRang"))
    else:
        silent = activation.due < activation.deadline
        why = "no report came within its heartbeat" if silent else "no final answer came in time"
        leave(transition, token, StepResult(state=TIMEOUT, error=why, event="StepTimedOut"))
