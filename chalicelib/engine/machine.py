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
from chalicelib.engine.commands import apply_command
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
    TimerFired,
    VarsSet,
)
from chalicelib.engine.expressions.limits import together
from chalicelib.engine.invocation import (
    APPROVED,
    REJECTED,
    UNDO,
    awaits_approval,
    invocation_of,
    is_signed,
)
from chalicelib.engine.received_events import take
from chalicelib.engine.secret_values import NO_CIPHER, Cipher, encrypted
from chalicelib.engine.steps import action, each, waits
from chalicelib.engine.token_moves import leave, result_of, run_until_waiting
from chalicelib.engine.transition import BlobReader, StepResult, Transition
from chalicelib.model import status
from chalicelib.model.compiled_step import Invocation
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


def _no_blobs(key: str) -> Json:
    raise LookupError(f"nothing is kept under {key!r}")


@together()
def decide(
    definition: Definition,
    run: Run | None,
    event: Event,
    read_blob: BlobReader = _no_blobs,
    *,
    cipher: Cipher = NO_CIPHER,
    written: Run | None = None,
) -> Decision:
    """What becomes of `run` (None: it does not exist yet) by `event`. Raises `errors.Refused`; then nothing changed.

    `shelf` reads what the run keeps beside its head, `vault` seals and opens what is secret in it. `written` is the
    head as it was read, if `run` is what earlier events of the same write made of it.
    """
    if isinstance(event, RunStarted):
        return _started(definition, event, read_blob, cipher)
    if run is None:
        raise LookupError("only RunStarted makes a run")
    transition = Transition(definition, run, event, read_blob, cipher, written)
    outcome = _happened(transition, event)
    if outcome not in (Outcome.IGNORED, Outcome.DUPLICATE):
        run_until_waiting(transition)
    return transition.build(outcome)


def _happened(transition: Transition, event: Event) -> Outcome:
    match event:
        case StepAcked():
            return _acked(transition, event)
        case DeliveryFailed() | DeliveryHeld():
            return _delivery_told(transition, event)
        case EventArrived() | ChildEnded():
            return _awaited_came(transition, event)
        case TimerFired():
            return _timer_fired(transition)
        case RunPaused() | RunContinued() | RunStopped() | RunRetried() | VarsSet():
            return apply_command(transition, event)
        case RunStarted():
            raise LookupError("a run begins once")
        case _:
            assert_never(event)


# ── beginning ────────────────────────────────────────────────────────────────────────────────────────────────────────


def _started(definition: Definition, event: RunStarted, read_blob: BlobReader, cipher: Cipher) -> Decision:
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
    transition = Transition(definition, run, event, read_blob, cipher)
    token = Token(step=flow.steps[0].name)
    transition.record("RunStarted", token, origin=status.READY, target=token.step)
    try:
        variables = transition.resolve_vars(flow.vars, names_for(definition, run, token, event.at))
        size_limits.admit("the variables", variables)
        transition.set_vars(variables)
        labels = {**resolve_known(flow.labels, names_for(definition, transition.run, token, event.at)), **event.labels}
        size_limits.admit_labels(labels)
        transition.set_run(labels=labels)
    except ExpressionFailed as failure:
        transition.put(token)
        fail(transition, Status.FAILED, f"the run's variables or labels could not be made: {failure}")
    else:
        transition.arrive(token)
        run_until_waiting(transition)
    return transition.build(Outcome.ADVANCED)


# ── answers and deliveries ───────────────────────────────────────────────────────────────────────────────────────────


def _acked(transition: Transition, event: StepAcked) -> Outcome:
    run, token = transition.run, transition.run.token_of(event.uuid)
    if token is None or token.activation is None or token.step != event.step:
        if token is None and was_minted(run.id, event.step, event.uuid):
            _refuse_unsigned(transition, None, event)
            return Outcome.DUPLICATE
        raise NeverIssued(run.name, event.step, event.uuid)
    _refuse_unsigned(transition, token, event)
    if run.status in status.STOPPED:
        raise RunIsStopped(run.name, run.last_err)
    invocation = invocation_of(transition.definition, run, token)
    if invocation is None:
        raise StateNotRouted(token.step, event.state, ())
    if invocation.action.secret_data and not awaits_approval(token):
        event = dataclasses.replace(event, data=encrypted(result_of(event.data), transition.cipher))
    size_limits.admit("the data", event.data)
    if event.variables:
        size_limits.admit("the run's variables", {**run.vars, **transition.encrypt_secrets(event.variables)})
    if awaits_approval(token):
        return _approved(transition, token, token.activation, invocation, event)
    if not event.done:
        return _reported(transition, token, token.activation, event)
    if not invocation.accepts(event.state):
        raise StateNotRouted(token.step, event.state, invocation.states)
    returned = StepResult(state=event.state, data=event.data, event="StepAcked", variables=event.variables)
    leave(transition, token, returned)
    return Outcome.ADVANCED


def _refuse_unsigned(transition: Transition, token: Token | None, event: StepAcked) -> None:
    """Raises Unsigned where answers must be signed and this one is not.

    It is asked before all that tells of the run: whoever cannot sign hears the same of an activation that waits (at
    `token`), was stopped or has ended (None), and so learns nothing by asking. That a uuid is none of this run and
    step is no news: its tag can be computed by whoever knows the run. A service that says its answer again signs it
    again, and hears that it is a duplicate. Whether a dispatch may pass is a person's answer, and needs no signature.
    """
    if event.signed:
        return
    if token is None:
        wanted = is_signed(transition.definition, event.step)
    else:
        invocation = None if awaits_approval(token) else invocation_of(transition.definition, transition.run, token)
        wanted = invocation is not None and invocation.options.signed
    if wanted:
        raise Unsigned(event.step)


def _reported(transition: Transition, token: Token, activation: Activation, event: StepAcked) -> Outcome:
    """Progress: what was reported is kept, and the action was heard."""
    heard_at = transition.at if activation.heartbeat is not None else None
    transition.put(replace(token, activation=replace(activation, data=event.data, heard_at=heard_at)))
    transition.set_vars(event.variables)
    transition.record(
        "StepReported", token, state=event.state, data=event.data, vars=transition.encrypt_secrets(event.variables)
    )
    return Outcome.PROGRESS


def _approved(
    transition: Transition, token: Token, activation: Activation, invocation: Invocation, event: StepAcked
) -> Outcome:
    """A person said whether the dispatch may pass. The action has its whole time from now on."""
    if event.state == REJECTED:
        leave(
            transition,
            token,
            StepResult(state=ERROR, data=event.data, error="a person refused it", event="StepRejected"),
        )
        return Outcome.ADVANCED
    if event.state != APPROVED:
        raise StateNotRouted(token.step, event.state, (APPROVED, REJECTED))
    wait = activation.deadline - activation.since
    held = transition.run.status is Status.PAUSED
    passed = replace(
        activation,
        memo=None,
        since=transition.at,
        deadline=transition.at + wait,
        heartbeat=invocation.options.heartbeat,
        held=held,
    )
    transition.record("StepApproved", token, data=event.data)
    transition.deliver(transition.put(replace(token, activation=passed)))
    return Outcome.ADVANCED


def _delivery_told(transition: Transition, event: DeliveryFailed | DeliveryHeld) -> Outcome:
    token = transition.run.token_of(event.uuid)
    if token is None or token.activation is None or transition.run.status in status.ENDED:
        return Outcome.IGNORED
    if isinstance(event, DeliveryFailed):
        invocation = invocation_of(transition.definition, transition.run, token)
        return (
            _delivery_failed(transition, token, token.activation, invocation, event) if invocation else Outcome.IGNORED
        )
    if transition.run.status is not Status.PAUSED:
        return Outcome.IGNORED
    transition.put(replace(token, activation=replace(token.activation, held=True, retry_at=None)))
    return Outcome.PROGRESS


def _delivery_failed(
    transition: Transition, token: Token, activation: Activation, invocation: Invocation, event: DeliveryFailed
) -> Outcome:
    activation = replace(activation, attempt=activation.attempt + 1)
    retry_at = None if event.final else action.retry_at(transition, invocation, activation, event)
    token = transition.put(replace(token, activation=replace(activation, retry_at=retry_at)))
    if retry_at is None:
        leave(transition, token, StepResult(state=ERROR, error=event.error, event="DeliveryFailed"))
        return Outcome.ADVANCED
    transition.record("DeliveryFailed", token, error=event.error)
    return Outcome.PROGRESS


# ── what was waited for ──────────────────────────────────────────────────────────────────────────────────────────────


def _awaited_came(transition: Transition, event: EventArrived | ChildEnded) -> Outcome:
    token = transition.run.token_of(event.uuid)
    if token is None or transition.run.status in status.ENDED:
        return Outcome.IGNORED
    step = transition.step_of(token)
    if isinstance(event, EventArrived) and isinstance(step, EventStep):
        returned = waits.heard(transition.run, token, step, event)
        if returned is None:
            return Outcome.IGNORED
        transition.set_run(heard=take(transition.run, event.name, event.key, event.place))
        leave(transition, token, returned)
        return Outcome.ADVANCED
    if isinstance(event, ChildEnded) and isinstance(step, CallStep) and token.activation:
        transition.put(replace(token, activation=replace(token.activation, memo=None)))
        returned = StepResult(state=event.state, data=event.output, error=event.error, event="ChildEnded")
        leave(transition, transition.tokens[token.id], returned)
        return Outcome.ADVANCED
    return Outcome.IGNORED


# ── time ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def _timer_fired(transition: Transition) -> Outcome:
    """Every deadline that has passed is met, the run's own before its tokens', and the timer is set again."""
    if (
        transition.run.status not in status.MOVING
        or transition.run.timer_at is None
        or transition.run.timer_at > transition.at
    ):
        return Outcome.IGNORED
    if (
        transition.run.deadline is not None
        and transition.run.deadline <= transition.at
        and transition.run.ending is None
    ):
        transition.set_run(deadline=None)
        transition.record("RunTimedOut", origin=transition.stands_at, target=STOPPED, state=TIMEOUT)
        fail(transition, Status.FAILED, "the run took longer than its flow's timeout")
        return Outcome.ADVANCED
    for token_id in tuple(transition.tokens):
        token = transition.tokens.get(token_id)
        if (
            token
            and token.activation
            and token.activation.due <= transition.at
            and transition.run.status in status.MOVING
        ):
            _met(transition, token, token.activation)
    return Outcome.ADVANCED if transition.entries else Outcome.PROGRESS


def _met(transition: Transition, token: Token, activation: Activation) -> None:
    """The wait has ended; or, of an each that put the rest of its items off until now, goes on."""
    step = transition.definition.step(token.step) if token.id != UNDO else None
    if isinstance(step, EachStep):
        each.go_on(transition, token, step)
    else:
        leave(transition, token, _timed_out(transition, token, activation))


def _timed_out(transition: Transition, token: Token, activation: Activation) -> StepResult:
    if token.id != UNDO and isinstance(transition.step_of(token), TimerStep):
        return StepResult(state=DEFAULT_STATE, event="TimerRang")
    silent = activation.due < activation.deadline
    why = "no report came within its heartbeat" if silent else "no final answer came in time"
    return StepResult(state=TIMEOUT, error=why, event="StepTimedOut")
