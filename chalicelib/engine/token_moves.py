"""How tokens move: they arrive at a step, enter it, leave it by a route, and end.

A step that needs no wait is entered and left immediately, so one event may take a token through many steps:
`run_until_waiting` continues until every token waits or has ended. A token that has ended either ends its run (the
root) or is counted by the fork or each that waits for it.
"""

from __future__ import annotations

from collections import Counter
from typing import Final

from msgspec.structs import replace

from chalicelib.engine import size_limits
from chalicelib.engine.bindings import names_for, result_of, step_names
from chalicelib.engine.compensation import fail, note_undo, undone
from chalicelib.engine.entering import enter
from chalicelib.engine.errors import ExpressionFailed
from chalicelib.engine.evaluation import holds, resolve
from chalicelib.engine.invocation import UNDO
from chalicelib.engine.routes import choose
from chalicelib.engine.step_result import StepResult
from chalicelib.engine.steps import each, fork
from chalicelib.engine.transition import Transition
from chalicelib.model.flow import (
    BUILT_IN_STATES,
    DEFAULT_STATE,
    DONE,
    ENDS,
    ERROR,
    STOPPED,
    ChoiceStep,
    ConditionStep,
    EachStep,
    ForkStep,
    Route,
    Step,
)
from chalicelib.model.json_values import Json
from chalicelib.model.run import Token
from chalicelib.model.status import LIVE, Status

MAX_PASSES: Final = 1_000
"""How often one token may pass one step without a wait in one transition: more is a loop that never ends."""


def run_until_waiting(transition: Transition) -> None:
    """Let every token that has arrived enter its step, and every condition that holds end its wait."""
    passed: Counter[tuple[str, str]] = Counter()
    while transition.run.status in LIVE:
        if not transition.arrivals:
            if not _end_condition_wait(transition):
                return
            continue
        token = transition.tokens.get(transition.arrivals.popleft())
        if token is None:
            continue
        passed[token.id, token.step] += 1
        if passed[token.id, token.step] > MAX_PASSES:
            why = f"step {token.step!r} was passed {MAX_PASSES} times at once"
            end_unrouted(transition, token, StepResult(state=ERROR, error=why))
            continue
        transition.passed += 1
        returned = enter(transition, token)
        if returned is not None:
            leave(transition, token, returned)


def leave(transition: Transition, token: Token, returned: StepResult) -> None:
    """Save the variables of the step that returned, and move its token to where the state leads."""
    if token.id == UNDO:
        undone(transition, token, returned)
        return
    token = transition.tokens.get(token.id, token)
    after = replace(token, activation=None, state=returned.state, result=result_of(returned.data))
    before = transition.run
    try:
        route = _save_and_choose(transition, after, returned)
    except ExpressionFailed as failure:
        transition.run = before
        _leave_with_error(transition, token, returned, str(failure))
        return
    if route is None:
        end_unrouted(transition, token, returned)
        return
    transition.record_return(token, returned, route.target)
    transition.abandon(token)
    for child in transition.children_of(token):
        transition.remove(child)
    if route.target in ENDS:
        finish(transition, transition.put(after), ok=route.target == DONE, error=returned.error)
    else:
        transition.arrive(replace(after, step=route.target))


def end_unrouted(transition: Transition, token: Token, returned: StepResult) -> None:
    """End a token if no route accepts its state: its branch or item fails, or the run stops there."""
    why = f"step {token.step!r} returned {returned.state}" + (f" ({returned.error})" if returned.error else "")
    transition.record_return(token, returned, STOPPED)
    for child in transition.children_of(token):
        transition.remove(child)
    if token.parent:
        finish(transition, replace(token, state=returned.state), ok=False, error=returned.error or why)
    else:
        fail(transition, Status.FAILED, f"{why}, which it does not route")


def finish(transition: Transition, token: Token, *, ok: bool, error: str) -> None:
    """End the token, and with it the run, its branch or its item."""
    parent = transition.tokens.get(token.parent) if token.parent else None
    if parent is None:
        _finish_run(transition, token, ok=ok, error=error)
        return
    transition.remove(token)
    try:
        returned = _child_ended(transition, parent, token, ok=ok, error=error)
    except ExpressionFailed as failure:
        returned = StepResult(state=ERROR, error=str(failure), event="StepJoined")
    if returned is not None:
        leave(transition, parent, returned)


def _save_and_choose(transition: Transition, token: Token, returned: StepResult) -> Route | None:
    """Save the step's variables and its undo, and return the route of its state. Raises ExpressionFailed."""
    step = transition.step_of(token)
    transition.set_vars(returned.variables)
    transition.set_vars(_saved(transition, step, token, returned))
    names = step_names(transition, token, error=returned.error, event=returned.signal)
    compiled = transition.definition.steps[step.name]
    route = choose(compiled, returned.state, lambda when: holds(when, transition.with_secrets(names)))
    if route is not None and route.target not in (STOPPED, step.name):
        note_undo(transition, compiled, returned, names)
    return route


def _leave_with_error(transition: Transition, token: Token, returned: StepResult, error: str) -> None:
    """Make the step return ERROR, because an expression failed; end the token if this happened after an ERROR."""
    if returned.state == ERROR:
        ended = StepResult(state=ERROR, error=returned.error or error, event=returned.event)
        end_unrouted(transition, token, ended)
    else:
        failed = StepResult(state=ERROR, error=error, event=returned.event, variables=returned.variables)
        leave(transition, token, failed)


def _saved(transition: Transition, step: Step, token: Token, returned: StepResult) -> dict[str, Json]:
    """Return the variables that the step saves. After TIMEOUT or ERROR, none if an expression fails."""
    if isinstance(step, ChoiceStep) or not step.save:
        return {}
    try:
        names = step_names(transition, token, error=returned.error, event=returned.signal)
        saved = transition.resolve_vars(step.save, names)
        size_limits.fit("the run's variables", {**transition.run.vars, **saved})
    except ExpressionFailed:
        if returned.state in BUILT_IN_STATES:
            return {}
        raise
    return saved


def _child_ended(transition: Transition, parent: Token, token: Token, *, ok: bool, error: str) -> StepResult | None:
    step = transition.step_of(parent)
    match step:
        case ForkStep():
            return fork.child_ended(transition, parent, step, token, ok=ok, error=error)
        case EachStep():
            return each.child_ended(transition, parent, step, token, ok=ok, error=error)
        case _:
            raise LookupError(f"step {step.name!r} waits for no tokens")


def _end_condition_wait(transition: Transition) -> bool:
    """Move the first token that waits for a condition which holds now; return whether there was one."""
    if not transition.definition.has_conditions:
        return False
    for token in transition.tokens.values():
        step = transition.step_of(token) if token.activation and token.id != UNDO else None
        if not isinstance(step, ConditionStep):
            continue
        try:
            met = holds(step.condition, transition.with_secrets(step_names(transition, token)))
        except ExpressionFailed as failure:
            leave(transition, token, StepResult(state=ERROR, error=str(failure)))
            return True
        if met:
            leave(transition, token, StepResult(state=DEFAULT_STATE, event="ConditionMet"))
            return True
    return False


def _finish_run(transition: Transition, token: Token, *, ok: bool, error: str) -> None:
    if not ok:
        why = f"step {token.step!r} returned {token.state}, which leads to {STOPPED}"
        fail(transition, Status.FAILED, f"{why}: {error}" if error else why)
        return
    output = transition.definition.flow.output
    try:
        value = token.result
        if output is not None:
            value = resolve(output, names_for(transition.definition, transition.run, token, transition.at))
        size_limits.fit("the output", value)
    except ExpressionFailed as failure:
        fail(transition, Status.FAILED, f"the flow's output could not be made: {failure}")
        return
    transition.end(Status.SUCCEEDED, output=value)
