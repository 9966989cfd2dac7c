"""How tokens move: they arrive at a step, enter it, leave it by a route, and end.

A step that needs no wait is entered and left immediately, so one event may take a token through many steps:
`run_until_waiting` continues until every token waits or has ended. A token that has ended either ends its run (the
root) or is counted by the fork or each that waits for it.
"""

from __future__ import annotations

import dataclasses
from collections import Counter
from typing import Final

from msgspec.structs import replace

from chalicelib.engine import size_limits
from chalicelib.engine.bindings import names_for, result_of, step_names
from chalicelib.engine.compensation import (
    abandon_scope,
    adopt,
    fail,
    has_due,
    proceed,
    register,
    undone,
)
from chalicelib.engine.entering import enter
from chalicelib.engine.errors import ExpressionFailed
from chalicelib.engine.evaluation import holds, resolve
from chalicelib.engine.invocation import UNDO
from chalicelib.engine.routes import choose
from chalicelib.engine.step_result import StepResult
from chalicelib.engine.steps import each, fork
from chalicelib.engine.transition import JOIN_TIMEOUT_MS, Transition
from chalicelib.model.flow import (
    BUILT_IN_STATES,
    DEFAULT_STATE,
    DONE,
    ENDS,
    ERROR,
    FAIL,
    STOPPED,
    TIMEOUT,
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
from chalicelib.model.waits import Decided, EachWait, ForkWait, Wait

MAX_PASSES: Final = 1_000
"""How often one token may pass one step without a wait in one transition: more is a loop that never ends."""


def run_until_waiting(transition: Transition) -> None:
    """Let every token that has arrived enter its step, and every condition that holds end its wait."""
    passed: Counter[tuple[str, str]] = Counter()
    while transition.run.status in LIVE:
        if not transition.arrivals:
            if not proceed(transition) and not _end_decided(transition) and not _end_condition_wait(transition):
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
        _register(transition, token, after, returned)
        _leave_with_error(transition, token, returned, str(failure))
        return
    problem = _register(transition, token, after, returned)
    if problem:
        transition.set_run(vars=before.vars)
        _leave_with_error(transition, token, returned, f"its undo could not be prepared: {problem}")
        return
    if route is None:
        end_unrouted(transition, token, returned)
        return
    transition.record_return(token, returned, route.target)
    _clear(transition, token)
    if route.target in ENDS:
        finish(transition, transition.put(after), ok=route.target == DONE, error=returned.error)
    else:
        transition.arrive(replace(after, step=route.target))


def _register(transition: Transition, token: Token, after: Token, returned: StepResult) -> str:
    """Register the work that is undone if the run comes to nothing. Return why args could not be made, or nothing."""
    if token.activation is None:
        return ""
    names = step_names(transition, after, error=returned.error, event=returned.signal)
    return register(transition, after, token.activation.uuid, returned.state, names)


def _clear(transition: Transition, token: Token) -> None:
    """Remove what the token waited for. The work done below it becomes its own."""
    transition.abandon(token)
    for child in transition.children_of(token):
        transition.remove(child)
    adopt(transition, token.id)


def end_unrouted(transition: Transition, token: Token, returned: StepResult) -> None:
    """End a token if no route accepts its state: its branch or item fails, or the run stops there."""
    why = f"step {token.step!r} returned {returned.state}" + (f" ({returned.error})" if returned.error else "")
    transition.record_return(token, returned, STOPPED)
    _clear(transition, token)
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
    step = transition.step_of(parent)
    is_tolerated = not ok and (returned is None or returned.state != FAIL)
    if is_tolerated and isinstance(step, EachStep) and not step.keep_abandoned:
        abandon_scope(transition, token.id)
    if returned is not None:
        end_wait(transition, parent, returned)


def end_wait(transition: Transition, token: Token, returned: StepResult) -> None:
    """Let the step return. A fork or an each first waits until the work that it abandoned is undone."""
    token = transition.tokens.get(token.id, token)
    step = transition.step_of(token) if token.id != UNDO else None
    if isinstance(step, ForkStep) and returned.state == DEFAULT_STATE and not step.keep_abandoned:
        for child in transition.children_of(token):
            transition.remove(child, is_due=True)
        for scope in fork.lost_branches(token, step):
            abandon_scope(transition, scope)
    if isinstance(step, (ForkStep, EachStep)) and has_due(transition, token.id):
        _decide(transition, token, returned)
    else:
        leave(transition, token, returned)


def _decide(transition: Transition, token: Token, returned: StepResult) -> None:
    """Remember what the fork or each returns once everything that is due below it has been undone."""
    activation = token.activation
    wait = activation.wait if activation else None
    if activation is None or not isinstance(wait, (ForkWait, EachWait)):
        raise LookupError(f"token {token.id} waits for no tokens")
    for child in transition.children_of(token):
        transition.remove(child)
    decided = wait.decided or Decided(state=returned.state, error=returned.error)
    deadline = transition.at + JOIN_TIMEOUT_MS
    transition.put(
        replace(token, activation=replace(activation, deadline=deadline, wait=replace(wait, decided=decided)))
    )


def _end_decided(transition: Transition) -> bool:
    """Let the first fork or each return whose abandoned work has been undone; return whether there was one."""
    if transition.run.ending is not None:
        return False
    for token in transition.tokens.values():
        wait = token.activation.wait if token.activation else None
        decided = wait.decided if isinstance(wait, (ForkWait, EachWait)) else None
        if decided and not has_due(transition, token.id):
            leave(transition, token, _decided_result(transition, wait, decided))
            return True
    return False


def _decided_result(transition: Transition, wait: Wait | None, decided: Decided) -> StepResult:
    event = "StepTimedOut" if decided.state == TIMEOUT else "StepJoined"
    returned = StepResult(state=decided.state, error=decided.error, event=event)
    try:
        if isinstance(wait, ForkWait) and decided.state in (DEFAULT_STATE, FAIL):
            return dataclasses.replace(returned, data=wait.results)
        if isinstance(wait, EachWait) and decided.state == DEFAULT_STATE:
            return dataclasses.replace(returned, data=each.results(transition, wait))
    except ExpressionFailed as failure:
        return StepResult(state=ERROR, error=str(failure), event=event)
    return returned


def _save_and_choose(transition: Transition, token: Token, returned: StepResult) -> Route | None:
    """Save the step's variables, and return the route of its state. Raises ExpressionFailed."""
    step = transition.step_of(token)
    transition.set_vars(returned.variables)
    transition.set_vars(_saved(transition, step, token, returned))
    names = step_names(transition, token, error=returned.error, event=returned.signal)
    compiled = transition.definition.steps[step.name]
    return choose(compiled, returned.state, lambda when: holds(when, transition.with_secrets(names)))


def _leave_with_error(transition: Transition, token: Token, returned: StepResult, error: str) -> None:
    """Make the step return ERROR, because an expression failed; end the token if this happened after an ERROR."""
    if returned.state == ERROR:
        ended = StepResult(state=ERROR, error=returned.error or error, event=returned.event)
        end_unrouted(transition, token, ended)
    else:
        event = returned.event
        if event != "StepPassed":  # what was answered stays in the history
            transition.record_return(token, returned, "")
            event = "StepFailed"
        leave(transition, token, StepResult(state=ERROR, error=error, event=event, variables=returned.variables))


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
