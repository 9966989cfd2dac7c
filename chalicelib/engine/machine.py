"""`decide`: what an event makes of a run.

Theory of operation. The machine reads a head and an event and yields the next head and effects; it keeps nothing. A
token stands at a step; entering a step gives the token an activation (a wait with a uuid and a deadline) or, where the
step needs no wait, takes it straight on. An activation ends exactly once, by an answer, a failed delivery, a deadline,
an event, another run's end: `moves.leave` finds the route of the state that the step returned and moves the token to
its target. What cannot be moved any more is either late (IGNORED, DUPLICATE: the very same head comes back) or wrong
(an error of `errors`: nothing changed). Deciding again on the same values yields the same decision, so a loser of the
conditional write simply reads and decides once more.
"""

from __future__ import annotations

import dataclasses
from typing import assert_never

from msgspec.structs import replace

from chalicelib.engine import size_limits
from chalicelib.engine.bindings import names_for
from chalicelib.engine.commands import ordered
from chalicelib.engine.compensation import fail
from chalicelib.engine.effects import Decision, Outcome
from chalicelib.engine.errors import (
    ExpressionFailed,
    NeverIssued,
    RunIsStopped,
    StateNotRouted,
    Unsigned,
)
from chalicelib.engine.evaluation import resolve_known
from chalicelib.engine.events import (
    AlarmRang,
    ChildEnded,
    DeliveryFailed,
    DeliveryHeld,
    Event,
    EventArrived,
    RunContinued,
    RunPaused,
    RunRetried,
    RunStarted,
    RunStopped,
    StepAcked,
    VarsSet,
)
from chalicelib.engine.expressions.limits import together
from chalicelib.engine.invocation import (
    APPROVED,
    REJECTED,
    UNDO,
    Errand,
    awaits_approval,
    errand_of,
    is_signed,
)
from chalicelib.engine.received_events import take
from chalicelib.engine.secret_values import NO_VAULT, Vault, sealed
from chalicelib.engine.steps import action, each, waits
from chalicelib.engine.token_moves import leave, result_of, settle
from chalicelib.engine.transition import Draft, Left, Shelf
from chalicelib.model import status
from chalicelib.model.definition import Definition
from chalicelib.model.flow import (
    DEFAULT_STATE,
    ERROR,
    STOPPED,
    TIMEOUT,
    CallStep,
    EachStep,
    EventStep,
    TimerStep,
)
from chalicelib.model.ids import was_minted
from chalicelib.model.json_values import Json
from chalicelib.model.run import Activation, Run, Token
from chalicelib.model.status import Status


def _empty_shelf(key: str) -> Json:
    raise LookupError(f"nothing is kept under {key!r}")


@together()
def decide(
    definition: Definition,
    run: Run | None,
    event: Event,
    shelf: Shelf = _empty_shelf,
    *,
    vault: Vault = NO_VAULT,
    written: Run | None = None,
) -> Decision:
    """What becomes of `run` (None: it does not exist yet) by `event`. Raises `errors.Refused`; then nothing changed.

    `shelf` reads what the run keeps beside its head, `vault` seals and opens what is secret in it. `written` is the
    head as it was read, if `run` is what earlier events of the same write made of it.
    """
    if isinstance(event, RunStarted):
        return _started(definition, event, shelf, vault)
    if run is None:
        raise LookupError("only RunStarted makes a run")
    draft = Draft(definition, run, event, shelf, vault, written)
    outcome = _happened(draft, event)
    if outcome not in (Outcome.IGNORED, Outcome.DUPLICATE):
        settle(draft)
    return draft.seal(outcome)


def _happened(draft: Draft, event: Event) -> Outcome:
    match event:
        case StepAcked():
            return _acked(draft, event)
        case DeliveryFailed() | DeliveryHeld():
            return _delivery_told(draft, event)
        case EventArrived() | ChildEnded():
            return _awaited_came(draft, event)
        case AlarmRang():
            return _alarm_rang(draft)
        case RunPaused() | RunContinued() | RunStopped() | RunRetried() | VarsSet():
            return ordered(draft, event)
        case RunStarted():
            raise LookupError("a run begins once")
        case _:
            assert_never(event)


# ── beginning ────────────────────────────────────────────────────────────────────────────────────────────────────────


def _started(definition: Definition, event: RunStarted, shelf: Shelf, vault: Vault) -> Decision:
    flow = definition.flow
    size_limits.admit("the input", event.input)
    size_limits.admit_labels(event.labels)
    run = Run(
        namespace=event.namespace,
        name=event.name,
        id=event.id,
        version=0,
        status=Status.RUNNING,
        definition=event.ref,
        created_at=event.at,
        updated_at=event.at,
        deadline=event.at + flow.timeout if flow.timeout is not None else None,
        input=event.input,
        labels=event.labels,
        last_state=status.READY,
        last_event="start",
        parent=event.parent,
        trace=event.trace,
    )
    draft = Draft(definition, run, event, shelf, vault)
    token = Token(step=flow.steps[0].name)
    draft.record("RunStarted", token, origin=status.READY, target=token.step)
    try:
        variables = draft.resolve_vars(flow.vars, names_for(definition, run, token, event.at))
        size_limits.admit("the variables", variables)
        draft.set_vars(variables)
        labels = {**resolve_known(flow.labels, names_for(definition, draft.run, token, event.at)), **event.labels}
        size_limits.admit_labels(labels)
        draft.set_run(labels=labels)
    except ExpressionFailed as failure:
        draft.put(token)
        fail(draft, Status.FAILED, f"the run's variables or labels could not be made: {failure}")
    else:
        draft.arrive(token)
        settle(draft)
    return draft.seal(Outcome.ADVANCED)


# ── answers and deliveries ───────────────────────────────────────────────────────────────────────────────────────────


def _acked(draft: Draft, event: StepAcked) -> Outcome:
    run, token = draft.run, draft.run.token_of(event.uuid)
    if token is None or token.activation is None or token.step != event.step:
        if token is None and was_minted(run.id, event.step, event.uuid):
            _refuse_unsigned(draft, None, event)
            return Outcome.DUPLICATE
        raise NeverIssued(run.name, event.step, event.uuid)
    _refuse_unsigned(draft, token, event)
    if run.status in status.STOPPED:
        raise RunIsStopped(run.name, run.last_err)
    errand = errand_of(draft.definition, run, token)
    if errand is None:
        raise StateNotRouted(token.step, event.state, ())
    if errand.action.secret_data and not awaits_approval(token):
        event = dataclasses.replace(event, data=sealed(result_of(event.data), draft.vault))
    size_limits.admit("the data", event.data)
    if event.variables:
        size_limits.admit("the run's variables", {**run.vars, **draft.as_kept(event.variables)})
    if awaits_approval(token):
        return _approved(draft, token, token.activation, errand, event)
    if not event.done:
        return _reported(draft, token, token.activation, event)
    if not errand.accepts(event.state):
        raise StateNotRouted(token.step, event.state, errand.states)
    left = Left(state=event.state, data=event.data, event="StepAcked", variables=event.variables)
    leave(draft, token, left)
    return Outcome.ADVANCED


def _refuse_unsigned(draft: Draft, token: Token | None, event: StepAcked) -> None:
    """Raises Unsigned where answers must be signed and this one is not.

    It is asked before all that tells of the run: whoever cannot sign hears the same of an activation that waits (at
    `token`), was stopped or has ended (None), and so learns nothing by asking. That a uuid is none of this run and
    step is no news: its tag can be computed by whoever knows the run. A service that says its answer again signs it
    again, and hears that it is a duplicate. Whether a dispatch may pass is a person's answer, and needs no signature.
    """
    if event.signed:
        return
    if token is None:
        wanted = is_signed(draft.definition, event.step)
    else:
        errand = None if awaits_approval(token) else errand_of(draft.definition, draft.run, token)
        wanted = errand is not None and errand.options.signed
    if wanted:
        raise Unsigned(event.step)


def _reported(draft: Draft, token: Token, activation: Activation, event: StepAcked) -> Outcome:
    """Progress: what was reported is kept, and the action was heard."""
    heard_at = draft.at if activation.heartbeat is not None else None
    draft.put(replace(token, activation=replace(activation, data=event.data, heard_at=heard_at)))
    draft.set_vars(event.variables)
    draft.record("StepReported", token, state=event.state, data=event.data, vars=draft.as_kept(event.variables))
    return Outcome.PROGRESS


def _approved(draft: Draft, token: Token, activation: Activation, errand: Errand, event: StepAcked) -> Outcome:
    """A person said whether the dispatch may pass. The action has its whole time from now on."""
    if event.state == REJECTED:
        leave(draft, token, Left(state=ERROR, data=event.data, error="a person refused it", event="StepRejected"))
        return Outcome.ADVANCED
    if event.state != APPROVED:
        raise StateNotRouted(token.step, event.state, (APPROVED, REJECTED))
    wait = activation.deadline - activation.since
    held = draft.run.status is Status.PAUSED
    passed = replace(
        activation,
        memo=None,
        since=draft.at,
        deadline=draft.at + wait,
        heartbeat=errand.options.heartbeat,
        held=held,
    )
    draft.record("StepApproved", token, data=event.data)
    draft.deliver(draft.put(replace(token, activation=passed)))
    return Outcome.ADVANCED


def _delivery_told(draft: Draft, event: DeliveryFailed | DeliveryHeld) -> Outcome:
    token = draft.run.token_of(event.uuid)
    if token is None or token.activation is None or draft.run.status in status.ENDED:
        return Outcome.IGNORED
    if isinstance(event, DeliveryFailed):
        errand = errand_of(draft.definition, draft.run, token)
        return _delivery_failed(draft, token, token.activation, errand, event) if errand else Outcome.IGNORED
    if draft.run.status is not Status.PAUSED:
        return Outcome.IGNORED
    draft.put(replace(token, activation=replace(token.activation, held=True, retry_at=None)))
    return Outcome.PROGRESS


def _delivery_failed(
    draft: Draft, token: Token, activation: Activation, errand: Errand, event: DeliveryFailed
) -> Outcome:
    activation = replace(activation, attempt=activation.attempt + 1)
    retry_at = None if event.final else action.retry_at(draft, errand, activation, event)
    token = draft.put(replace(token, activation=replace(activation, retry_at=retry_at)))
    if retry_at is None:
        leave(draft, token, Left(state=ERROR, error=event.error, event="DeliveryFailed"))
        return Outcome.ADVANCED
    draft.record("DeliveryFailed", token, error=event.error)
    return Outcome.PROGRESS


# ── what was waited for ──────────────────────────────────────────────────────────────────────────────────────────────


def _awaited_came(draft: Draft, event: EventArrived | ChildEnded) -> Outcome:
    token = draft.run.token_of(event.uuid)
    if token is None or draft.run.status in status.ENDED:
        return Outcome.IGNORED
    step = draft.step_of(token)
    if isinstance(event, EventArrived) and isinstance(step, EventStep):
        left = waits.heard(draft.run, token, step, event)
        if left is None:
            return Outcome.IGNORED
        draft.set_run(heard=take(draft.run, event.name, event.key, event.place))
        leave(draft, token, left)
        return Outcome.ADVANCED
    if isinstance(event, ChildEnded) and isinstance(step, CallStep) and token.activation:
        draft.put(replace(token, activation=replace(token.activation, memo=None)))
        left = Left(state=event.state, data=event.output, error=event.error, event="ChildEnded")
        leave(draft, draft.tokens[token.id], left)
        return Outcome.ADVANCED
    return Outcome.IGNORED


# ── time ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def _alarm_rang(draft: Draft) -> Outcome:
    """Every deadline that has passed is met, the run's own before its tokens', and the timer is set again."""
    if draft.run.status not in status.MOVING or draft.run.alarm_at is None or draft.run.alarm_at > draft.at:
        return Outcome.IGNORED
    if draft.run.deadline is not None and draft.run.deadline <= draft.at and draft.run.ending is None:
        draft.set_run(deadline=None)
        draft.record("RunTimedOut", origin=draft.stands_at, target=STOPPED, state=TIMEOUT)
        fail(draft, Status.FAILED, "the run took longer than its flow's timeout")
        return Outcome.ADVANCED
    for token_id in tuple(draft.tokens):
        token = draft.tokens.get(token_id)
        if token and token.activation and token.activation.due <= draft.at and draft.run.status in status.MOVING:
            _met(draft, token, token.activation)
    return Outcome.ADVANCED if draft.entries else Outcome.PROGRESS


def _met(draft: Draft, token: Token, activation: Activation) -> None:
    """The wait has ended; or, of an each that put the rest of its items off until now, goes on."""
    step = draft.definition.step(token.step) if token.id != UNDO else None
    if isinstance(step, EachStep):
        each.go_on(draft, token, step)
    else:
        leave(draft, token, _timed_out(draft, token, activation))


def _timed_out(draft: Draft, token: Token, activation: Activation) -> Left:
    if token.id != UNDO and isinstance(draft.step_of(token), TimerStep):
        return Left(state=DEFAULT_STATE, event="TimerRang")
    silent = activation.due < activation.deadline
    why = "no report came within its heartbeat" if silent else "no final answer came in time"
    return Left(state=TIMEOUT, error=why, event="StepTimedOut")
