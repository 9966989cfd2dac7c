"""How tokens move: they arrive at a step, enter it, leave it by a route, and end.

A step that needs no wait is entered and left immediately, so one event may take a token through many steps:
`run_until_waiting` continues until every token waits or has ended. A token that has ended either ends its run (the
root) or is counted by the fork or each that waits for it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from msgspec.structs import replace

from chalicelib.engine import admission
from chalicelib.engine.bindings import step_names
from chalicelib.engine.endings import fail_with, succeed
from chalicelib.engine.entering import enter
from chalicelib.engine.errors import ExpressionFailed
from chalicelib.engine.invocation import UNDO
from chalicelib.engine.request_args import sent_vars
from chalicelib.engine.returning import repeats
from chalicelib.engine.returning.repeats import Repetition, is_repeating
from chalicelib.engine.returning.returns import Move, after_step, failure_of, located, next_move, unrouted_error
from chalicelib.engine.scope_vars import begin_scope, end_fork_scope
from chalicelib.engine.step_result import StepResult
from chalicelib.engine.steps import each, fork
from chalicelib.engine.transition import JOIN_TIMEOUT_MS, Transition, without_wait
from chalicelib.engine.undo.compensation import (
    abandon_scope,
    adopt,
    has_due,
    has_work,
    proceed,
    register,
    undone,
)
from chalicelib.engine.values.evaluation import holds
from chalicelib.expressions import has_room
from chalicelib.model.flow import (
    DEFAULT_STATE,
    ENDS,
    ERROR,
    FAIL,
    STOPPED,
    TIMEOUT,
    ConditionStep,
    EachStep,
    EmitStep,
    ForkStep,
    StartStep,
    TimerStep,
)
from chalicelib.model.json_values import Json
from chalicelib.model.run import Token
from chalicelib.model.run_error import ErrorName, StepError
from chalicelib.model.status import LIVE
from chalicelib.model.waits import Decided, EachWait, ForkWait, Wait

ENTRY_STEPS: Final = 50
"""What entering a step costs a transition, in steps of expressions: both are counted together, by the CPU they take."""

MAX_PASSES: Final = 1_000
"""A step that a token passes this often without a wait returns ERROR: the token is in a loop."""


def run_until_waiting(transition: Transition) -> None:
    """Let every token that has arrived enter its step, and every condition that holds end its wait."""
    while transition.run.status in LIVE:
        if not transition.arrivals:
            if not proceed(transition) and not _end_wait(transition):
                return
            continue
        token = transition.tokens.get(transition.arrivals.popleft())
        if token is None:
            continue
        transition.passed += 1
        if transition.run.steps + transition.passed > transition.definition.step_limit:
            limit = transition.definition.step_limit
            _stop_runaway(transition, token, f"the run has entered {limit} steps, which is the limit")
            continue
        if not has_room(ENTRY_STEPS):
            entered = f"{transition.passed} steps were entered without a wait"
            _stop_runaway(transition, token, f"{entered}, and all that one transition may compute is used up")
            continue
        if transition.definition.has_scopes and not _begin_scope(transition, token):
            continue
        returned = enter(transition, token)
        if returned is not None:
            leave(transition, token, returned)


def _begin_scope(transition: Transition, token: Token) -> bool:
    """Make the variables of the token's branch or item, if these begin. If they cannot be made, it fails."""
    try:
        begin_scope(transition, token)
    except ExpressionFailed as failure:
        what = f"branch {token.scope!r}" if token.scope else f"item {token.index}"
        cause = f"the variables of {what} could not be made: {failure}"
        error = StepError(failure.name, cause, step=token.step, state=ERROR)
        transition.record("StepFailed", token, state=ERROR, target=STOPPED, error=cause, error_name=failure.name)
        finish(transition, token, error=error)
        return False
    return True


def _stop_runaway(transition: Transition, token: Token, cause: str) -> None:
    """Fail the run because it has entered too many steps."""
    name = ErrorName.RUNAWAY_LOOP
    transition.record("RunFailed", token, target=STOPPED, error=cause, error_name=name)
    fail_with(transition, StepError(name, cause, step=token.step))


def leave(transition: Transition, token: Token, returned: StepResult) -> None:
    """Do what follows when a step returns: repeat it, or save its variables and move its token along its route."""
    if token.id == UNDO:
        undone(transition, token, returned)
        return
    token = transition.tokens.get(token.id, token)
    waited = _has_waited(transition, token)
    token = replace(token, passes=0 if waited else token.passes)
    if token.passes % MAX_PASSES == MAX_PASSES - 1:
        token, returned = _runaway(token, returned)
    returned = located(token, returned)
    has_scopes = transition.definition.has_scopes
    old_vars = transition.visible_vars(token) if has_scopes else transition.run.vars
    transition.set_vars(returned.variables, token)
    after = after_step(transition, token, returned)
    before = transition.run
    tokens = dict(transition.tokens) if has_scopes else transition.tokens
    try:
        move = next_move(transition, token, after, returned)
    except ExpressionFailed as failure:
        transition.run, transition.tokens = before, tokens
        _register(transition, token, after, returned, old_vars)
        _leave_with_error(transition, token, returned, failure)
        return
    problem = _register(transition, token, after, returned, old_vars)
    if problem:
        transition.set_run(vars=before.vars)
        transition.tokens = tokens
        _leave_with_error(transition, token, returned, ExpressionFailed(f"its undo could not be prepared: {problem}"))
    elif move is None or (token.passes > MAX_PASSES and token.passes % MAX_PASSES == 0):
        end_unrouted(transition, token, returned)
    elif isinstance(move, Repetition):
        transition.record_return(token, returned, token.step, rule=move.index + 1)
        _clear(transition, token)
        if transition.definition.has_scopes:
            end_fork_scope(transition, token)
        transition.forget_interrupted(token.id)
        repeats.begin(transition, token, returned.state, move)
    else:
        _move(transition, token, after, returned, move, waited=waited)


def _has_waited(transition: Transition, token: Token) -> bool:
    """Return whether the token waited at its step, for something outside or for a time."""
    activation = token.activation
    if activation is None or not transition.was_active(token):
        return False
    step = transition.step_of(token)
    if isinstance(step, (EmitStep, StartStep)):
        return False
    return activation.deadline > activation.since or not isinstance(step, TimerStep)


def _runaway(token: Token, returned: StepResult) -> tuple[Token, StepResult]:
    """Return the token and what its step returns instead, because it is in a loop without a wait."""
    cause = f"step {token.step!r} was passed {MAX_PASSES} times without a wait"
    error = StepError(ErrorName.RUNAWAY_LOOP, cause)
    failed = StepResult(state=ERROR, error=error, event=returned.event, after_failure=True)
    return replace(token, passes=token.passes + 1), failed


def _move(
    transition: Transition, token: Token, after: Token, returned: StepResult, move: Move, *, waited: bool
) -> None:
    """Move the token along the route that was chosen."""
    is_replaced = bool(move.error and move.is_given)
    shown = replace(returned, error=move.error) if is_replaced else returned
    replaced = returned.error if is_replaced else None
    transition.record_return(token, shown, move.target, route=move.route, replaced=replaced)
    _clear(transition, token)
    if move.target == STOPPED:  # `retry` resumes the token at this step
        kept = transition.put(without_wait(transition.tokens.get(token.id, token)))
        finish(transition, kept, error=move.error)
        return
    transition.forget_interrupted(token.id)
    if move.target not in ENDS:
        steps = transition.definition.steps
        is_back = steps[move.target].position <= steps[token.step].position
        passes = token.passes + (is_back and not waited)
        if transition.definition.has_scopes:
            end_fork_scope(transition, token)
        transition.arrive(replace(after, step=move.target, repeats={}, passes=passes))
        return
    after = replace(after, result=move.output) if move.is_given else after
    finish(transition, transition.put(after), has_output=move.is_given)


def _register(
    transition: Transition, token: Token, after: Token, returned: StepResult, old_vars: Mapping[str, Json]
) -> str:
    """Register the work that is undone if the run comes to nothing. Return why args could not be made, or nothing.

    `old_vars` are the variables as they were before the step returned.
    """
    if token.activation is None or not has_work(transition, token, returned.state):
        return ""
    names = step_names(transition, after, error=returned.error, event=returned.signal)
    activation = token.activation
    sent = replace(step_names(transition, token), vars=sent_vars(old_vars, activation))
    return register(transition, after, activation.uuid, returned.state, names, sent=sent, sent_args=activation.args)


def _clear(transition: Transition, token: Token) -> None:
    """Remove what the token waited for. The work done below it becomes its own."""
    transition.abandon(token)
    _remove_children(transition, token)
    adopt(transition, token.id)


def _remove_children(transition: Transition, token: Token) -> None:
    """Remove the tokens that the token waits for; `retry` resumes them. An each remembers their items."""
    children = transition.children_of(token)
    for child in children:
        transition.interrupt(child)
    known = transition.tokens.get(token.id)
    if children and known is not None and known.activation and isinstance(known.activation.wait, EachWait):
        transition.set_wait(known, each.interrupted(known.activation.wait, children))


def end_unrouted(transition: Transition, token: Token, returned: StepResult) -> None:
    """End a token if no route accepts its state: its branch or item fails, or the run stops there."""
    error = unrouted_error(token, returned)
    transition.record_return(token, replace(returned, error=error), STOPPED)
    _clear(transition, token)
    if token.parent:
        finish(transition, replace(token, state=returned.state), error=error)
    else:
        fail_with(transition, error)


def finish(transition: Transition, token: Token, *, error: StepError | None = None, has_output: bool = False) -> None:
    """End the token, and with it the run, its branch or its item. Without an error it has finished.

    `has_output`: its result is the output that its route made.
    """
    parent = transition.tokens.get(token.parent) if token.parent else None
    if parent is None:
        if error is not None:
            fail_with(transition, error)
        else:
            succeed(transition, token, has_output=has_output)
        return
    if error is None:
        transition.remove(token)
    else:
        transition.interrupt(token)
    try:
        returned = _child_ended(transition, parent, token, error)
    except ExpressionFailed as failure:
        returned = StepResult(state=ERROR, error=StepError(failure.name, str(failure)), event="StepJoined")
    step = transition.step_of(parent)
    is_tolerated = error is not None and (returned is None or returned.state != FAIL)
    if is_tolerated and isinstance(step, EachStep):
        transition.forget_interrupted(token.id)
        if not step.keep_abandoned:
            abandon_scope(transition, token.id)
    if returned is not None:
        end_wait(transition, parent, returned)


def end_wait(transition: Transition, token: Token, returned: StepResult) -> None:
    """Let the step return. A fork or an each first waits until the work that it abandoned is undone."""
    token = transition.tokens.get(token.id, token)
    step = transition.step_of(token) if token.id != UNDO else None
    if not isinstance(step, (ForkStep, EachStep)):
        leave(transition, token, returned)
        return
    if returned.state in (DEFAULT_STATE, TIMEOUT):
        _abandon_rest(transition, token, step, returned.state)
    if has_due(transition, token.id):
        _decide(transition, token, returned)
    elif returned.state == TIMEOUT and token.activation:
        decided = Decided(state=TIMEOUT, error=returned.error)
        leave(transition, token, _decided_result(transition, token.activation.wait, decided))
    else:
        leave(transition, token, returned)


def _abandon_rest(transition: Transition, token: Token, step: ForkStep | EachStep, state: str) -> None:
    """Abandon what did not finish below a fork or an each that returns, and have its work undone."""
    if state == DEFAULT_STATE or not step.keep_abandoned:
        transition.forget_interrupted(token.id)
    if step.keep_abandoned:
        return
    running = transition.children_of(token)
    for child in running:
        transition.remove(child, is_due=True)
    wait = token.activation.wait if token.activation else None
    if running and isinstance(wait, EachWait):
        transition.set_wait(token, each.interrupted(wait, running))
    scopes = fork.lost_branches(token, step) if isinstance(step, ForkStep) else [child.id for child in running]
    for scope in scopes:
        abandon_scope(transition, scope)


def _decide(transition: Transition, token: Token, returned: StepResult) -> None:
    """Remember what the fork or each returns once everything that is due below it has been undone."""
    _remove_children(transition, token)
    token = transition.tokens[token.id]
    activation = token.activation
    wait = activation.wait if activation else None
    if activation is None or not isinstance(wait, (ForkWait, EachWait)):
        raise LookupError(f"token {token.id} waits for no tokens")
    decided = wait.decided or Decided(state=returned.state, error=returned.error)
    deadline = transition.at + JOIN_TIMEOUT_MS
    transition.put(
        replace(token, activation=replace(activation, deadline=deadline, wait=replace(wait, decided=decided)))
    )


def _end_wait(transition: Transition) -> bool:
    """Let one token go on of which the wait has ended; return whether there was one.

    A retried run that waits for its turn keeps what its tokens waited for: they enter their steps again when it begins.
    """
    if not transition.passed and admission.waits(transition.run):
        return False
    return _end_decided(transition) or _end_condition_wait(transition)


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
        if isinstance(wait, ForkWait) and decided.state in (DEFAULT_STATE, FAIL, TIMEOUT):
            return replace(returned, data=wait.results)
        if isinstance(wait, EachWait) and decided.state in (DEFAULT_STATE, TIMEOUT):
            return replace(returned, data=each.results(transition, wait))
    except ExpressionFailed as failure:
        return StepResult(state=ERROR, error=StepError(failure.name, str(failure)), event=event)
    return returned


def _leave_with_error(transition: Transition, token: Token, returned: StepResult, failure: ExpressionFailed) -> None:
    """Make the step return ERROR, because something failed after it returned. What it returned stays in the history.

    If this happens while such an ERROR is routed, the token ends.
    """
    if returned.after_failure:
        end_unrouted(transition, token, returned)
        return
    failed = failure_of(token, returned, failure)
    if failed.event != returned.event:
        transition.record_return(token, returned, "")
    leave(transition, token, failed)


def _child_ended(transition: Transition, parent: Token, token: Token, error: StepError | None) -> StepResult | None:
    step = transition.step_of(parent)
    match step:
        case ForkStep():
            return fork.child_ended(transition, parent, step, token, error)
        case EachStep():
            return each.child_ended(transition, parent, step, token, error)
        case _:
            raise LookupError(f"step {step.name!r} waits for no tokens")


def _end_condition_wait(transition: Transition) -> bool:
    """Move the first token that waits for a condition which holds now; return whether there was one."""
    if not transition.definition.has_conditions:
        return False
    for token in transition.tokens.values():
        step = transition.step_of(token) if token.activation and token.id != UNDO else None
        if not isinstance(step, ConditionStep) or is_repeating(token):
            continue
        try:
            met = holds(step.condition, transition.with_secrets(step_names(transition, token)))
        except ExpressionFailed as failure:
            leave(transition, token, StepResult(state=ERROR, error=StepError(failure.name, str(failure))))
            return True
        if met:
            leave(transition, token, StepResult(state=DEFAULT_STATE, event="ConditionMet"))
            return True
    return False
