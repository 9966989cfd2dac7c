"""How a token enters a step: it waits there, or the step returns immediately."""

from __future__ import annotations

from typing import assert_never

from msgspec.structs import replace

from chalicelib.engine.bindings import step_names
from chalicelib.engine.errors import ExpressionFailed
from chalicelib.engine.evaluation import Names, holds
from chalicelib.engine.invocation import invocation_of
from chalicelib.engine.routes import choose
from chalicelib.engine.step_result import StepResult
from chalicelib.engine.steps import action, call, each, fork, waits
from chalicelib.engine.transition import Transition
from chalicelib.model.compiled_step import CompiledStep
from chalicelib.model.flow import (
    DEFAULT_STATE,
    ERROR,
    ActionStep,
    CallStep,
    ChoiceStep,
    ConditionStep,
    EachStep,
    EventStep,
    ForkStep,
    SetStep,
    Step,
    TimerStep,
)
from chalicelib.model.run import Token


def enter(transition: Transition, token: Token) -> StepResult | None:
    """Let the token enter its step. Return what the step returned, or None if the token waits."""
    try:
        return _enter(transition, token, transition.step_of(token))
    except ExpressionFailed as failure:
        return StepResult(state=ERROR, error=str(failure))


def _enter(transition: Transition, token: Token, step: Step) -> StepResult | None:
    before = token.activation.wait if token.activation else None
    token = replace(token, activation=None)
    names = step_names(transition, token)
    match step:
        case ActionStep():
            _send(transition, token)
        case CallStep():
            call.enter(transition, token, step, names)
        case ChoiceStep():
            return _choose(transition.definition.steps[step.name], transition.with_secrets(names))
        case SetStep():
            return StepResult(state=DEFAULT_STATE)
        case TimerStep() | EventStep() | ConditionStep():
            return waits.enter(transition, token, step, names)
        case ForkStep():
            fork.enter(transition, token, step, before)
        case EachStep():
            return each.enter(transition, token, step, names, before)
        case _:
            assert_never(step)
    return None


def _send(transition: Transition, token: Token) -> None:
    invocation = invocation_of(transition.definition, transition.run, token)
    if invocation is not None:
        action.enter(transition, token, invocation)


def _choose(step: CompiledStep, names: Names) -> StepResult:
    """Return without a state, which the routes of a choice do not ask for; ERROR if no condition holds."""
    if choose(step, "", lambda when: holds(when, names)) is None:
        return StepResult(state=ERROR, error="none of its conditions holds, and there is no else")
    return StepResult(state="")
