"""How tokens move: they arrive at a step, enter it, leave it by a route, and come to an end.

A step that needs no wait is entered and left at once, so one event may take a token through many steps; `settle` goes
on until every token waits or has ended. A token at an end either ends its run (the root) or is counted by the fork or
each that waits for it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Final, assert_never

import msgspec
from msgspec.structs import replace

from chalicelib.engine import size_limits
from chalicelib.engine.bindings import item_of, names_for, step_names
from chalicelib.engine.compensation import fail, undone
from chalicelib.engine.errors import ExpressionFailed
from chalicelib.engine.evaluation import Names, holds, resolve, resolve_known
from chalicelib.engine.invocation import UNDO, invocation_of
from chalicelib.engine.routes import choose
from chalicelib.engine.secret_values import encrypted, holds_secret
from chalicelib.engine.steps import action, call, each, fork, waits
from chalicelib.engine.transition import StepResult, Transition
from chalicelib.model.compiled_step import CompiledStep
from chalicelib.model.flow import (
    BUILT_IN_STATES,
    DEFAULT_STATE,
    DONE,
    ENDS,
    ERROR,
    STOPPED,
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
from chalicelib.model.json_values import Json, is_shallow
from chalicelib.model.run import PendingUndo, Token
from chalicelib.model.status import LIVE, Status
from chalicelib.model.templates import Template

STRAIGHT: Final = 1_000
"""How often one token may pass one step without anything being waited for: more is a loop that never ends."""


def run_until_waiting(transition: Transition) -> None:
    """Every token that arrived has entered its step, and conditions that hold have been noticed."""
    passed: Counter[tuple[str, str]] = Counter()
    while transition.run.status in LIVE:
        if not transition.arrivals:
            if not _notice(transition):
                return
            continue
        token = transition.tokens.get(transition.arrivals.popleft())
        if token is None:
            continue
        passed[token.id, token.step] += 1
        if passed[token.id, token.step] > STRAIGHT:
            end_unrouted(
                transition,
                token,
                StepResult(state=ERROR, error=f"step {token.step!r} was passed {STRAIGHT} times at once"),
            )
            continue
        transition.passed += 1
        returned = _try_to_enter(transition, token)
        if returned is not None:
            leave(transition, token, returned)


def leave(transition: Transition, token: Token, returned: StepResult) -> None:
    """The token's step returned: variables are saved, and the token goes where its state leads."""
    if token.id == UNDO:
        undone(transition, token, returned)
        return
    token = transition.tokens.get(token.id, token)
    step = transition.step_of(token)
    before = transition.run
    after = replace(token, activation=None, state=returned.state, result=result_of(returned.data))
    try:
        transition.set_vars(returned.variables)
        transition.set_vars(_saved(transition, step, after, returned))
        names = step_names(transition, after, error=returned.error, event=returned.signal)
        route = choose(
            transition.definition.steps[step.name], returned.state, lambda when: holds(when, transition.judging(names))
        )
        if route is not None and route.target not in (STOPPED, step.name):
            _note_undo(transition, step, returned, names)
    except ExpressionFailed as failure:
        transition.run = before
        if returned.state == ERROR:
            end_unrouted(
                transition, token, StepResult(state=ERROR, error=returned.error or str(failure), event=returned.event)
            )
        else:
            leave(
                transition,
                token,
                StepResult(state=ERROR, error=str(failure), event=returned.event, variables=returned.variables),
            )
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
    """Nothing says what is to follow. In a branch or an item that fails it; else the run stops, to be retried there."""
    why = f"step {token.step!r} returned {returned.state}" + (f" ({returned.error})" if returned.error else "")
    transition.record_return(token, returned, STOPPED)
    for child in transition.children_of(token):
        transition.remove(child)
    if token.parent:
        finish(transition, replace(token, state=returned.state), ok=False, error=returned.error or why)
    else:
        fail(transition, Status.FAILED, f"{why}, which it does not route")


def finish(transition: Transition, token: Token, *, ok: bool, error: str) -> None:
    """The token came to an end: of the run, of its branch, of its item."""
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


def _child_ended(transition: Transition, parent: Token, token: Token, *, ok: bool, error: str) -> StepResult | None:
    step = transition.step_of(parent)
    match step:
        case ForkStep():
            return fork.child_ended(transition, parent, step, token, ok=ok, error=error)
        case EachStep():
            return each.child_ended(transition, parent, step, token, ok=ok, error=error)
        case _:
            raise LookupError(f"step {step.name!r} waits for no tokens")


def result_of(data: Json) -> Json:
    """What `$result` is: the data that an action answered; where it is text that holds JSON, that JSON.

    JSON that is nested so deeply that not everybody could read it again stays text; so does what looks sealed.
    """
    if not isinstance(data, str):
        return data
    try:
        found = msgspec.json.decode(data)
    except (msgspec.DecodeError, RecursionError):
        return data
    return data if holds_secret(found) or not is_shallow(found) else found


# ── entering ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def _try_to_enter(transition: Transition, token: Token) -> StepResult | None:
    """The token waits at its step now; or what the step returned at once."""
    try:
        return _enter(transition, token, transition.step_of(token))
    except ExpressionFailed as failure:
        return StepResult(state=ERROR, error=str(failure))


def _enter(transition: Transition, token: Token, step: Step) -> StepResult | None:
    before = token.activation.memo if token.activation else None
    token = replace(token, activation=None)
    names = step_names(transition, token)
    match step:
        case ActionStep() | CallStep():
            _send(transition, token, step, names)
        case ChoiceStep():
            return _choose(transition.definition.steps[step.name], transition.judging(names))
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


def _send(transition: Transition, token: Token, step: ActionStep | CallStep, names: Names) -> None:
    if isinstance(step, CallStep):
        call.enter(transition, token, step, names)
        return
    invocation = invocation_of(transition.definition, transition.run, token)
    if invocation is not None:
        action.enter(transition, token, invocation)


def _choose(step: CompiledStep, names: Names) -> StepResult:
    """A choice returns no state of its own: its routes ask for none. That none holds is an error."""
    if choose(step, "", lambda when: holds(when, names)) is None:
        return StepResult(state=ERROR, error="none of its conditions holds, and there is no else")
    return StepResult(state="")


def _notice(transition: Transition) -> bool:
    """The first token that waits for a condition which holds now goes on."""
    if not transition.definition.has_conditions:
        return False
    for token in transition.tokens.values():
        step = transition.step_of(token) if token.activation and token.id != UNDO else None
        if not isinstance(step, ConditionStep):
            continue
        try:
            met = holds(step.condition, transition.judging(step_names(transition, token)))
        except ExpressionFailed as failure:
            leave(transition, token, StepResult(state=ERROR, error=str(failure)))
            return True
        if met:
            leave(transition, token, StepResult(state=DEFAULT_STATE, event="ConditionMet"))
            return True
    return False


# ── leaving ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def _saved(transition: Transition, step: Step, token: Token, returned: StepResult) -> dict[str, Json]:
    """The variables that the step writes when it returns. After an error, what cannot be known is left as it is."""
    saves: Mapping[str, Template] = {} if isinstance(step, ChoiceStep) else step.save
    if not saves:
        return {}
    try:
        saved = transition.resolve_vars(
            saves, step_names(transition, token, error=returned.error, event=returned.signal)
        )
        size_limits.fit("the run's variables", {**transition.run.vars, **saved})
    except ExpressionFailed:
        if returned.state in BUILT_IN_STATES:
            return {}
        raise
    return saved


def _note_undo(transition: Transition, step: Step, returned: StepResult, names: Names) -> None:
    """A finished step whose work can be undone is remembered, with args as they are now.

    A step has finished when it leads on: not when it is to be tried again, and not when it stops the run.
    """
    undo = transition.definition.steps[step.name].undo
    if undo is None or returned.state in BUILT_IN_STATES:
        return
    args = resolve_known(undo.args, names)
    if undo.secret_args:
        found = resolve_known(undo.secret_args, transition.judging(names))
        args |= {name: encrypted(value, transition.cipher) for name, value in found.items()}
    size_limits.fit("the args of its undo", args)
    transition.set_run(undos=(*transition.run.undos, PendingUndo(step=step.name, action=undo.action, args=args)))


# ── ending ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def _finish_run(transition: Transition, token: Token, *, ok: bool, error: str) -> None:
    if not ok:
        why = f"step {token.step!r} returned {token.state}, which leads to {STOPPED}"
        fail(transition, Status.FAILED, f"{why}: {error}" if error else why)
        return
    output = transition.definition.flow.output
    try:
        item = item_of(token, transition.tokens, transition.read)
        names = names_for(transition.definition, transition.run, token, transition.at, item=item)
        value = token.result if output is None else resolve(output, names)
        size_limits.fit("the output", value)
    except ExpressionFailed as failure:
        fail(transition, Status.FAILED, f"the flow's output could not be made: {failure}")
        return
    transition.end(Status.SUCCEEDED, output=value)
