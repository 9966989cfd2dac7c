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
from chalicelib.engine.bindings import item_of, names_for
from chalicelib.engine.compensation import fail, undone
from chalicelib.engine.errors import ExpressionFailed
from chalicelib.engine.evaluation import Names, holds, resolve, resolve_known
from chalicelib.engine.invocation import UNDO, errand_of, undo_of
from chalicelib.engine.routes import choose
from chalicelib.engine.secret_values import holds_secret, sealed
from chalicelib.engine.steps import action, call, each, fork, waits
from chalicelib.engine.transition import Draft, Left
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
from chalicelib.model.run import Token, Undo
from chalicelib.model.status import LIVE, Status
from chalicelib.model.templates import Template, holds_reference

STRAIGHT: Final = 1_000
"""How often one token may pass one step without anything being waited for: more is a loop that never ends."""


def settle(draft: Draft) -> None:
    """Every token that arrived has entered its step, and conditions that hold have been noticed."""
    passed: Counter[tuple[str, str]] = Counter()
    while draft.run.status in LIVE:
        if not draft.arrivals:
            if not _notice(draft):
                return
            continue
        token = draft.tokens.get(draft.arrivals.popleft())
        if token is None:
            continue
        passed[token.id, token.step] += 1
        if passed[token.id, token.step] > STRAIGHT:
            strand(draft, token, Left(state=ERROR, error=f"step {token.step!r} was passed {STRAIGHT} times at once"))
            continue
        draft.passed += 1
        left = _try_to_enter(draft, token)
        if left is not None:
            leave(draft, token, left)


def leave(draft: Draft, token: Token, left: Left) -> None:
    """The token's step returned: variables are saved, and the token goes where its state leads."""
    if token.id == UNDO:
        undone(draft, token, left)
        return
    token = draft.tokens.get(token.id, token)
    step = draft.step_of(token)
    before = draft.run
    after = replace(token, activation=None, state=left.state, result=result_of(left.data))
    try:
        draft.set_vars(left.variables)
        draft.set_vars(_saved(draft, step, after, left))
        names = _names(draft, after, error=left.error, event=left.signal)
        route = choose(step, left.state, lambda when: holds(when, draft.judging(names)))
        if route is not None and route.target not in (STOPPED, step.name):
            _note_undo(draft, step, left, names)
    except ExpressionFailed as failure:
        draft.run = before
        if left.state == ERROR:
            strand(draft, token, Left(state=ERROR, error=left.error or str(failure), event=left.event))
        else:
            leave(draft, token, Left(state=ERROR, error=str(failure), event=left.event, variables=left.variables))
        return
    if route is None:
        strand(draft, token, left)
        return
    draft.record_left(token, left, route.target)
    draft.abandon(token)
    for child in draft.children_of(token):
        draft.remove(child)
    if route.target in ENDS:
        finish(draft, draft.put(after), ok=route.target == DONE, error=left.error)
    else:
        draft.arrive(replace(after, step=route.target))


def strand(draft: Draft, token: Token, left: Left) -> None:
    """Nothing says what is to follow. In a branch or an item that fails it; else the run stops, to be retried there."""
    why = f"step {token.step!r} returned {left.state}" + (f" ({left.error})" if left.error else "")
    draft.record_left(token, left, STOPPED)
    for child in draft.children_of(token):
        draft.remove(child)
    if token.parent:
        finish(draft, replace(token, state=left.state), ok=False, error=left.error or why)
    else:
        fail(draft, Status.FAILED, f"{why}, which it does not route")


def finish(draft: Draft, token: Token, *, ok: bool, error: str) -> None:
    """The token came to an end: of the run, of its branch, of its item."""
    parent = draft.tokens.get(token.parent) if token.parent else None
    if parent is None:
        _finish_run(draft, token, ok=ok, error=error)
        return
    draft.remove(token)
    try:
        left = _child_ended(draft, parent, token, ok=ok, error=error)
    except ExpressionFailed as failure:
        left = Left(state=ERROR, error=str(failure), event="StepJoined")
    if left is not None:
        leave(draft, parent, left)


def _child_ended(draft: Draft, parent: Token, token: Token, *, ok: bool, error: str) -> Left | None:
    step = draft.step_of(parent)
    match step:
        case ForkStep():
            return fork.child_ended(draft, parent, step, token, ok=ok, error=error)
        case EachStep():
            return each.child_ended(draft, parent, step, token, ok=ok, error=error)
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


def _try_to_enter(draft: Draft, token: Token) -> Left | None:
    """The token waits at its step now; or what the step returned at once."""
    try:
        return _enter(draft, token, draft.step_of(token))
    except ExpressionFailed as failure:
        return Left(state=ERROR, error=str(failure))


def _enter(draft: Draft, token: Token, step: Step) -> Left | None:
    before = token.activation.memo if token.activation else None
    token = replace(token, activation=None)
    names = _names(draft, token)
    match step:
        case ActionStep() | CallStep():
            _send(draft, token, step, names)
        case ChoiceStep():
            return _choose(step, draft.judging(names))
        case SetStep():
            return Left(state=DEFAULT_STATE)
        case TimerStep() | EventStep() | ConditionStep():
            return waits.enter(draft, token, step, names)
        case ForkStep():
            fork.enter(draft, token, step, before)
        case EachStep():
            return each.enter(draft, token, step, names, before)
        case _:
            assert_never(step)
    return None


def _send(draft: Draft, token: Token, step: ActionStep | CallStep, names: Names) -> None:
    if isinstance(step, CallStep):
        call.enter(draft, token, step, names)
        return
    errand = errand_of(draft.definition, draft.run, token)
    if errand is not None:
        action.enter(draft, token, errand)


def _choose(step: ChoiceStep, names: Names) -> Left:
    """A choice returns no state of its own: its routes ask for none. That none holds is an error."""
    if choose(step, "", lambda when: holds(when, names)) is None:
        return Left(state=ERROR, error="none of its conditions holds, and there is no else")
    return Left(state="")


def _notice(draft: Draft) -> bool:
    """The first token that waits for a condition which holds now goes on."""
    for token in draft.tokens.values():
        step = draft.step_of(token) if token.activation and token.id != UNDO else None
        if not isinstance(step, ConditionStep):
            continue
        try:
            met = holds(step.condition, draft.judging(_names(draft, token)))
        except ExpressionFailed as failure:
            leave(draft, token, Left(state=ERROR, error=str(failure)))
            return True
        if met:
            leave(draft, token, Left(state=DEFAULT_STATE, event="ConditionMet"))
            return True
    return False


# ── leaving ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def _names(draft: Draft, token: Token, *, error: str = "", event: Json = None) -> Names:
    item = item_of(token, draft.tokens, draft.read)
    return names_for(draft.definition, draft.run, token, draft.at, item=item, error=error, event=event)


def _saved(draft: Draft, step: Step, token: Token, left: Left) -> dict[str, Json]:
    """The variables that the step writes when it returns. After an error, what cannot be known is left as it is."""
    saves: Mapping[str, Template] = {} if isinstance(step, ChoiceStep) else step.save
    if not saves:
        return {}
    try:
        saved = draft.resolve_vars(saves, _names(draft, token, error=left.error, event=left.signal))
        size_limits.fit("the run's variables", {**draft.run.vars, **saved})
    except ExpressionFailed:
        if left.state in BUILT_IN_STATES:
            return {}
        raise
    return saved


def _note_undo(draft: Draft, step: Step, left: Left, names: Names) -> None:
    """A finished step whose work can be undone is remembered, with args as they are now.

    A step has finished when it leads on: not when it is to be tried again, and not when it stops the run.
    """
    if not isinstance(step, ActionStep) or left.state in BUILT_IN_STATES:
        return
    undo = undo_of(draft.definition, step)
    if undo is None:
        return
    secret = {one.name for one in draft.definition.actions[undo.action].parameters if one.secret}
    plain = {name: template for name, template in undo.args.items() if name not in secret}
    hidden = {
        name: template for name, template in undo.args.items() if name in secret and not holds_reference(template)
    }
    args = resolve_known(plain, names)
    args |= {name: sealed(value, draft.vault) for name, value in resolve_known(hidden, draft.judging(names)).items()}
    size_limits.fit("the args of its undo", args)
    draft.set_run(undos=(*draft.run.undos, Undo(step=step.name, action=undo.action, args=args)))


# ── ending ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def _finish_run(draft: Draft, token: Token, *, ok: bool, error: str) -> None:
    if not ok:
        why = f"step {token.step!r} returned {token.state}, which leads to {STOPPED}"
        fail(draft, Status.FAILED, f"{why}: {error}" if error else why)
        return
    output = draft.definition.flow.output
    try:
        value = token.result if output is None else resolve(output, _names(draft, token))
        size_limits.fit("the output", value)
    except ExpressionFailed as failure:
        fail(draft, Status.FAILED, f"the flow's output could not be made: {failure}")
        return
    draft.end(Status.SUCCEEDED, output=value)
