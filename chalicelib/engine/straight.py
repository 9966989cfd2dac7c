"""The decisions of most events: a run starts with an action, its only token goes to the next one, the run is done.

Theory of operation. This decides nothing that the handlers would decide differently. It does the same in one place,
without a Transition, where nothing can happen but that the token takes a route without entries. Whether this is so is
known from the definition when it is compiled (`CompiledStep.leaves_straight`, `enters_straight`), from the head, and
from the event. In all other cases, and whenever an expression fails, it returns None, and the handlers decide.
tests/engine/test_straight.py compares both.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from msgspec.structs import replace

from chalicelib.engine.bindings import NO_NAMES, Moment, answered_value
from chalicelib.engine.effects import (
    MAX_MESSAGE_DELAY_MS,
    Decision,
    DeliverAction,
    Effect,
    Outcome,
    SetTimer,
)
from chalicelib.engine.errors import ExpressionFailed
from chalicelib.engine.events import Fact, RunStarted, StepAcked
from chalicelib.engine.handlers.start import new_run
from chalicelib.engine.request_args import evaluated_args
from chalicelib.engine.returning.routes import place_of_route
from chalicelib.engine.senders import Sender
from chalicelib.engine.values import size_limits
from chalicelib.engine.values.evaluation import Draws, Names, evaluate_at_once, holds, resolve_kept
from chalicelib.expressions import NOTHING, together
from chalicelib.model.compiled_step import CompiledStep, Invocation
from chalicelib.model.definition import Definition
from chalicelib.model.flow import DONE, Route
from chalicelib.model.history import Entries, Entry
from chalicelib.model.ids import ROOT, mint_uuid
from chalicelib.model.json_values import Json
from chalicelib.model.run import Activation, Run, Token
from chalicelib.model.status import READY, Status
from chalicelib.model.times import Instant

_RUNNING: Final = Status.RUNNING
_NO_DRAWS: Final = Draws()
_ANY: Final = Sender.ANY
_PERSON: Final = Sender.PERSON


def answered(definition: Definition, run: Run, event: StepAcked) -> Decision | None:
    """Return the decision of an answer; None if it is to be decided by the handlers. Raises TooLarge."""
    if run.status is not _RUNNING or not definition.is_straight or len(run.tokens) != 1:
        return None
    (token,) = run.tokens
    activation, compiled = token.activation, definition.steps.get(token.step)
    if activation is None or activation.uuid != event.uuid or compiled is None or not compiled.leaves_straight:
        return None
    if token.id != ROOT or not _is_undisturbed(run, activation) or not _is_plain(event, token.step, compiled):
        return None
    if event.data is not None:
        size_limits.admit("the data", event.data)
    variables = run.vars
    if event.variables:
        variables = {**run.vars, **event.variables}
        size_limits.admit("the run's variables", variables)
    try:
        try:
            return _routed(definition, run, event, token, compiled, variables, _holds_at_once, _args_bounded)
        except _NotAtOnce:
            return _routed_bounded(definition, run, event, token, compiled, variables, holds, _with_args)
    except ExpressionFailed:
        return None


def _is_undisturbed(run: Run, activation: Activation) -> bool:
    """Return whether the run does nothing beside what its token does."""
    return not (
        run.undos
        or run.undo_pages
        or run.stopping
        or run.notices
        or run.interrupted
        or run.suspended_at is not None
        or run.ending is not None
        or run.former_steps
        or activation.wait is not None
        or activation.pinned is not None
    )


def _is_plain(event: StepAcked, step: str, compiled: CompiledStep) -> bool:
    """Return whether the answer ends the step with a declared state and no error, and its sender may give it."""
    invocation = compiled.invocation
    return (
        invocation is not None
        and event.done
        and event.error is None
        and not event.too_large
        and event.state in invocation.action.returns
        and (not event.step or event.step == step)
        and (event.signed or not invocation.options.signed)
        and (event.direct or not invocation.action.direct)
        and (event.sender is _ANY or (event.sender is _PERSON) is invocation.is_human)
    )


def _routed(
    definition: Definition,
    run: Run,
    event: StepAcked,
    token: Token,
    compiled: CompiledStep,
    variables: dict[str, Json],
    fits: Callable[[str, Names], bool],
    add_args: Callable[..., Token],
) -> Decision | None:
    """Let the token take its route; None if that is not a plain one. `fits` judges conditions."""
    data = event.data
    if isinstance(data, str) and not event.direct and not event.is_value:
        data = answered_value(data)
    draws, names = _NO_DRAWS, NO_NAMES
    if compiled.names:
        after = Token(id=ROOT, step=token.step, state=event.state, result=data)
        draws = Draws(event.at, event.nonce)
        names = _names(definition, run, after, event.at, draws, variables, token.activation)
    for route in compiled.routes_of(event.state):
        if route.when is None or fits(route.when, names):
            break
    else:
        return None
    if route.entries:
        return None
    entry = _entry(definition, run, event, token, route, place_of_route(route, compiled.step.routes, event.state))
    if route.target == DONE:
        return _done(definition, run, event, entry, variables, data)
    entered = definition.steps.get(route.target)
    if entered is None or not entered.enters_straight or entered.invocation is None:
        return None
    if run.steps >= definition.step_limit:
        return None
    activation = _activation(definition, run.id, event, route.target, entered.invocation)
    arrived = Token(id=ROOT, step=route.target, activation=activation, state=event.state, result=data)
    if entered.invocation.evaluated:
        draws = draws if compiled.names else Draws(event.at, event.nonce)
        arrived = add_args(definition, run, arrived, event.at, draws, variables, activation, entered.invocation)
    return _moved(run, event, entry, variables, arrived, activation)


_routed_bounded: Final = together()(_routed)
"""All expressions of a decision are bounded together, but for conditions that are evaluated at once."""


class _NotAtOnce(Exception):
    """A condition needs a full evaluation."""


_NOT_AT_ONCE: Final = _NotAtOnce()


def _holds_at_once(when: str, names: Names) -> bool:
    """Return whether a small condition is true, as `holds` does. It does so little that nothing bounds it.

    Raises _NotAtOnce for another condition, and for one that yields neither true nor false.
    """
    value = evaluate_at_once(when, names)
    if value is True or value is False:
        return bool(value)
    if value is NOTHING or value is None:
        return False
    raise _NOT_AT_ONCE


def _names(
    definition: Definition,
    run: Run,
    token: Token,
    at: Instant,
    draws: Draws,
    variables: Mapping[str, Json],
    activation: Activation | None,
) -> Names:
    """Return what `bindings.names_for` returns for a token without item and error."""
    return Names(
        input=run.input,
        vars=variables,
        result=token.result,
        state=token.state,
        scheduled=run.scheduled or NOTHING,
        config=definition.config,
        made=Moment(definition, run, token, activation, at),
        draws=draws,
    )


def _with_args(
    definition: Definition,
    run: Run,
    token: Token,
    at: Instant,
    draws: Draws,
    variables: Mapping[str, Json],
    activation: Activation,
    invocation: Invocation,
) -> Token:
    """Return the token with the args of its action. Raises ExpressionFailed."""
    args = evaluated_args(invocation, _names(definition, run, token, at, draws, variables, activation))
    return replace(token, activation=replace(activation, args=args)) if args else token


_args_bounded: Final = together()(_with_args)


def _entry(definition: Definition, run: Run, event: StepAcked, token: Token, route: Route, place: int) -> Entry:
    return Entry(
        seq=run.seq + 1,
        at=event.at,
        event="StepAcked",
        step=token.step,
        origin=token.step,
        target=route.target,
        state=event.state,
        data=event.data,
        vars=event.variables,
        by=event.by,
        uuid=event.uuid,
        route=place,
        sent=event.sent,
        nonce=event.nonce if definition.has_draws else "",
    )


def _activation(definition: Definition, run_id: str, fact: Fact, step: str, invocation: Invocation) -> Activation:
    options = invocation.options
    timeout = options.timeout if options.timeout is not None else definition.defaults.timeout
    return Activation(
        uuid=mint_uuid(run_id, step, fact.nonce, 0),
        since=fact.at,
        deadline=fact.at + timeout,  # type: ignore[operator]  # a number: `is_straight`, `enters_straight`
        heartbeat=options.heartbeat,  # type: ignore[arg-type]
        awaits_delivery=options.heartbeat is not None and invocation.may_be_held_back,
    )


# ── the start of a run ───────────────────────────────────────────────────────────────────────────────────────────────


def started(definition: Definition, event: RunStarted) -> Decision | None:
    """Return the decision that starts a run; None if it is to be decided by the handlers. Raises TooLarge."""
    flow = definition.flow
    entered = definition.steps[flow.steps[0].name]
    if not definition.is_straight or not entered.enters_straight or entered.invocation is None:
        return None
    if flow.limit is not None or flow.labels or flow.timeout is not None or definition.step_limit < 1:
        return None
    if event.held or (event.start_at is not None and event.start_at > event.at):
        return None
    size_limits.admit("the input", event.input)
    size_limits.admit_labels(event.labels)
    begun = _begun_bounded if definition.computes_vars or entered.invocation.evaluated else _begun
    try:
        return begun(definition, event, entered.step.name, entered.invocation)
    except ExpressionFailed:
        return None


def _begun(definition: Definition, event: RunStarted, step: str, invocation: Invocation) -> Decision:
    """Let the run begin at its first step. Raises ExpressionFailed, TooLarge."""
    at, variables = event.at, dict[str, Json]()
    activation = _activation(definition, event.id, event, step, invocation)
    token, draws = Token(id=ROOT, step=step, activation=activation), Draws(at, event.nonce)
    if definition.flow.vars:
        names = NO_NAMES
        if definition.computes_vars:
            names = _names(definition, new_run(event), Token(id=ROOT, step=step), at, draws, {}, None)
        variables = resolve_kept(definition.flow.vars, names)
        size_limits.admit("the variables", variables)
    if invocation.evaluated:
        token = _with_args(definition, new_run(event), token, at, draws, variables, activation, invocation)
    entry = Entry(
        seq=1,
        at=at,
        event="RunStarted",
        step=step,
        origin=READY,
        target=step,
        by=event.by,
        nonce=event.nonce if definition.has_draws else "",
    )
    after = new_run(
        event,
        version=1,
        written=event.nonce[:8],
        status_at=at,
        timer_at=activation.due,
        tokens=(token,),
        vars=variables,
        steps=1,
        stored_tail=Entries(entry.seq, 0, [entry]),
        extra_messages=int(activation.due - at <= MAX_MESSAGE_DELAY_MS),
    )
    return Decision(after, Outcome.ADVANCED, (DeliverAction(activation.uuid), SetTimer(activation.due)))


_begun_bounded: Final = together()(_begun)


# ── the decisions ────────────────────────────────────────────────────────────────────────────────────────────────────


def _moved(
    run: Run, event: StepAcked, entry: Entry, variables: dict[str, Json], token: Token, activation: Activation
) -> Decision:
    """Return the decision by which the token has entered its next step."""
    at, timer_at = event.at, run.timer_at
    effects: tuple[Effect, ...] = (DeliverAction(activation.uuid),)
    extra = run.extra_messages
    due = activation.due if run.deadline is None else min(activation.due, run.deadline)
    if timer_at is None or timer_at <= at or due < timer_at:
        timer_at = due
        effects = (*effects, SetTimer(due))
        extra += due - at <= MAX_MESSAGE_DELAY_MS
    after = replace(
        run,
        version=run.version + 1,
        updated_at=at,
        written=event.nonce[:8],
        timer_at=timer_at,
        tokens=(token,),
        vars=variables,
        last_state=entry.step,
        stored_event=f"_{event.state}",
        steps=run.steps + 1,
        stored_tail=run.stored_tail.plus((entry,)),
        extra_messages=extra,
    )
    return Decision(after, Outcome.ADVANCED, effects)


def _done(
    definition: Definition, run: Run, event: StepAcked, entry: Entry, variables: dict[str, Json], data: Json
) -> Decision | None:
    """Return the decision that ends the run with the data of its last step; None if its end does more than that."""
    if definition.flow.output is not None or definition.kept_ms is not None:
        return None
    if run.parent is not None or run.queued_behind or run.limiter or run.unanswered:
        return None
    size_limits.fit("the output", data)
    after = replace(
        run,
        version=run.version + 1,
        status=Status.SUCCEEDED,
        status_at=event.at,
        ended_at=event.at,
        updated_at=event.at,
        written=event.nonce[:8],
        timer_at=None,
        tokens=(),
        vars=variables,
        output=data,
        last_state=entry.step,
        stored_event=f"_{event.state}",
        last_err="",
        stored_tail=run.stored_tail.plus((entry,)),
        extra_messages=run.extra_messages - 1,
    )
    return Decision(after, Outcome.ADVANCED)
