"""How a token enters a step: it waits there, or the step returns immediately."""

from __future__ import annotations

from typing import TypeAlias, assert_never

from msgspec.structs import replace

from chalicelib.engine.bindings import step_names
from chalicelib.engine.errors import ExpressionFailed
from chalicelib.engine.invocation import invocation_of
from chalicelib.engine.step_result import StepResult
from chalicelib.engine.steps import action, call, each, fork, outgoing, waits
from chalicelib.engine.transition import Transition
from chalicelib.model.flow import (
    DEFAULT_STATE,
    ERROR,
    ActionStep,
    CallStep,
    ChoiceStep,
    ConditionStep,
    EachStep,
    EmitStep,
    EventStep,
    ForkStep,
    SetStep,
    StartStep,
    TimerStep,
)
from chalicelib.model.run import Token
from chalicelib.model.run_error import StepError

_OtherStep: TypeAlias = (
    CallStep | ChoiceStep | ConditionStep | EachStep | EmitStep | EventStep | ForkStep | SetStep | StartStep | TimerStep
)


def enter(transition: Transition, token: Token) -> StepResult | None:
    """Let the token enter its step. Return what the step returned, or None if the token waits."""
    try:
        step = transition.step_of(token)
        if isinstance(step, ActionStep):  # it needs no names before it has its activation
            _send(transition, replace(token, activation=None))
            return None
        return _enter(transition, token, step)
    except ExpressionFailed as failure:
        return StepResult(state=ERROR, error=StepError(failure.name, str(failure)))


def _enter(transition: Transition, token: Token, step: _OtherStep) -> StepResult | None:
    before = token.activation.wait if token.activation else None
    token = replace(token, activation=None)
    names = step_names(transition, token, is_entering=True)
    match step:
        case CallStep():
            call.enter(transition, token, step, names)
        case EmitStep():
            outgoing.enter_emit(transition, token, step, names)
        case StartStep():
            outgoing.enter_start(transition, token, step, names)
        case ChoiceStep():
            return StepResult(state="")  # its conditions are judged when its route is chosen
        case SetStep():
            return StepResult(state=DEFAULT_STATE)
        case TimerStep() | EventStep() | ConditionStep():
            return waits.enter(transition, token, step, names)
        case ForkStep():
            return fork.enter(transition, token, step, names, before)
        case EachStep():
            return each.enter(transition, token, step, names, before)
        case _:
            assert_never(step)
    return None


def _send(transition: Transition, token: Token) -> None:
    invocation = invocation_of(transition.definition, transition.run, token)
    if invocation is not None:
        action.enter(transition, token, invocation)
