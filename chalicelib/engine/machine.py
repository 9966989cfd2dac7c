"""`decide`: what an event makes of a run.

Theory of operation. The machine reads a head and an event and yields the next head and effects; it keeps nothing. A
token stands at a step; entering a step gives the token an activation (a wait with a uuid and a deadline) or, where the
step needs no wait, takes it straight on. An activation ends exactly once, by an answer, a failed delivery, a deadline:
`leave` finds the route of the state that the step returned and moves the token to its target. What cannot be moved
any more is either late (IGNORED, DUPLICATE: the very same head comes back) or wrong (an error of `errors`: nothing
changed). Deciding again on the same three values yields the same decision, so a loser of the conditional write simply
reads and decides once more.
"""

from __future__ import annotations

from typing import Final, assert_never

import msgspec
from msgspec.structs import replace

from chalicelib.definition import DONE, ENDS, ERROR, STOPPED, TIMEOUT, ActionStep, Definition, Json
from chalicelib.engine import lifecycle
from chalicelib.engine.draft import Draft
from chalicelib.engine.effects import Decision, Outcome
from chalicelib.engine.errors import NeverIssued, NoSuchStep, OrderRefused, RunIsStopped, StateNotRouted
from chalicelib.engine.events import (
    AlarmRang,
    DeliveryFailed,
    DeliveryHeld,
    Event,
    RunContinued,
    RunPaused,
    RunRetried,
    RunStarted,
    RunStopped,
    StepAcked,
)
from chalicelib.engine.lifecycle import Order, Status
from chalicelib.engine.routes import accepts, answers, choose
from chalicelib.engine.run import Activation, Run, Token, was_minted
from chalicelib.engine.steps import action
from chalicelib.engine.templates import Names, evaluate, resolve


def decide(definition: Definition, run: Run | None, event: Event) -> Decision:
    """What becomes of `run` (None: it does not exist yet) by `event`. Raises `errors.Refused`; then nothing changed."""
    if isinstance(event, RunStarted):
        return _started(definition, event)
    if run is None:
        raise LookupError("only RunStarted makes a run")
    draft = Draft(definition, run, event)
    match event:
        case StepAcked():
            return draft.seal(_acked(draft, event))
        case DeliveryFailed():
            return draft.seal(_delivery_failed(draft, event))
        case DeliveryHeld():
            return draft.seal(_delivery_held(draft, event))
        case AlarmRang():
            return draft.seal(_alarm_rang(draft))
        case RunPaused() | RunContinued() | RunStopped() | RunRetried():
            return draft.seal(_ordered(draft, event))
        case _:
            assert_never(event)


def names_for(definition: Definition, run: Run, token: Token) -> Names:
    """What the names in an expression stand for at this token."""
    return Names(
        input=run.input,
        vars=run.vars,
        result=token.result,
        state=token.state,
        index=token.index,
        run={
            "name": run.name,
            "id": run.id,
            "flow": definition.flow.name,
            "version": run.definition.version,
            "namespace": run.namespace,
            "labels": run.labels,
            "started_at": run.created_at,
        },
    )


def result_of(data: Json) -> Json:
    """What `$result` is: the data that an action answered, where it is text that holds JSON, that JSON."""
    if not isinstance(data, str):
        return data
    try:
        return msgspec.json.decode(data)
    except (msgspec.DecodeError, RecursionError):
        return data


# ── beginning ────────────────────────────────────────────────────────────────────────────────────────────────────────


def _started(definition: Definition, event: RunStarted) -> Decision:
    flow = definition.flow
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
        last_state=lifecycle.READY,
        last_event="start",
        parent=event.parent,
    )
    draft = Draft(definition, run, event)
    token = draft.put(Token(step=flow.steps[0].name))
    draft.record("RunStarted", token, origin=lifecycle.READY, target=token.step)
    _enter(draft, token)
    return draft.seal(Outcome.ADVANCED)


# ── moving ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def _enter(draft: Draft, token: Token) -> None:
    """The token has come to its step: it waits there, or goes straight on."""
    step = draft.step_of(token)
    match step:
        case ActionStep():
            action.enter(draft, token, step)
        case _:
            raise NotImplementedError(f"steps of kind {type(step).__name__} are not run yet")


def _leave(draft: Draft, token: Token, event: str, state: str, *, data: Json = None, error: str = "") -> None:
    """The step returned `state`: the token goes where that leads, or the run stops where it leads nowhere."""
    step = draft.step_of(token)
    left = replace(token, activation=None, state=state, result=result_of(data))
    names = names_for(draft.definition, draft.run, left)
    route = choose(step, state, lambda when: bool(evaluate(when, names)))
    target = route.target if route else STOPPED
    entry: dict[str, Json] = {"state": state, "target": target, "data": data, "error": error}
    draft.record(event, token, **entry, vars=draft.fact.variables if isinstance(draft.fact, StepAcked) else {})
    draft.set_run(last_state=token.step, last_event=f"{draft.run.name}_{token.step}_{state}")
    if route is None:
        _strand(draft, token, state, error)
    elif target in ENDS:
        draft.put(left)
        _finish(draft, left, target, error)
    else:
        _enter(draft, draft.put(replace(left, step=target)))


def _strand(draft: Draft, token: Token, state: str, error: str) -> None:
    """The run stops, since nothing says what is to follow. The token stays, to be taken up by `retry`."""
    why = f"step {token.step!r} returned {state}" + (f" ({error})" if error else "") + ", which it does not route"
    draft.end(Status.FAILED, error=why)


def _finish(draft: Draft, token: Token, target: str, error: str) -> None:
    """The root token came to an end of the flow: so did the run."""
    if target == DONE:
        output = draft.definition.flow.output
        names = names_for(draft.definition, draft.run, token)
        draft.end(Status.SUCCEEDED, output=token.result if output is None else resolve(output, names))
    else:
        why = f"step {token.step!r} returned {token.state}, which leads to {STOPPED}"
        draft.end(Status.FAILED, error=f"{why}: {error}" if error else why)


# ── answers and deliveries ───────────────────────────────────────────────────────────────────────────────────────────


def _acked(draft: Draft, event: StepAcked) -> Outcome:
    run, token = draft.run, draft.run.token_of(event.uuid)
    if token is None or token.activation is None or token.step != event.step:
        if token is None and was_minted(run.id, event.step, event.uuid):
            return Outcome.DUPLICATE
        raise NeverIssued(run.name, event.step, event.uuid)
    if run.status in lifecycle.STOPPED:
        raise RunIsStopped(run.name, run.last_err)
    if not event.done:
        return _reported(draft, token, token.activation, event)
    step = draft.step_of(token)
    if isinstance(step, ActionStep):
        sent = draft.definition.actions[step.action]
        if not accepts(step, sent, event.state):
            raise StateNotRouted(step.name, event.state, answers(step, sent))
    draft.set_vars(event.variables)
    _leave(draft, token, "StepAcked", event.state, data=event.data)
    return Outcome.ADVANCED


def _reported(draft: Draft, token: Token, activation: Activation, event: StepAcked) -> Outcome:
    """Progress: what was reported is kept, and the action was heard."""
    heard_at = draft.at if activation.heartbeat is not None else None
    draft.put(replace(token, activation=replace(activation, data=event.data, heard_at=heard_at)))
    draft.set_vars(event.variables)
    draft.record("StepReported", token, state=event.state, data=event.data, vars=event.variables)
    return Outcome.PROGRESS


def _delivery_failed(draft: Draft, event: DeliveryFailed) -> Outcome:
    token = draft.run.token_of(event.uuid)
    if token is None or token.activation is None or draft.run.status in lifecycle.ENDED:
        return Outcome.IGNORED
    step = draft.step_of(token)
    if not isinstance(step, ActionStep):
        return Outcome.IGNORED
    activation = replace(token.activation, attempt=token.activation.attempt + 1)
    retry_at = None if event.final else action.retry_at(draft, step, activation, event)
    token = draft.put(replace(token, activation=replace(activation, retry_at=retry_at)))
    if retry_at is None:
        _leave(draft, token, "DeliveryFailed", ERROR, error=event.error)
        return Outcome.ADVANCED
    draft.record("DeliveryFailed", token, error=event.error)
    return Outcome.PROGRESS


def _delivery_held(draft: Draft, event: DeliveryHeld) -> Outcome:
    token = draft.run.token_of(event.uuid)
    if token is None or token.activation is None or draft.run.status is not Status.PAUSED:
        return Outcome.IGNORED
    draft.put(replace(token, activation=replace(token.activation, held=True, retry_at=None)))
    return Outcome.PROGRESS


# ── time ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def _alarm_rang(draft: Draft) -> Outcome:
    """Every deadline that has passed is met, the run's own before its tokens', and the timer is set again."""
    if draft.run.status not in lifecycle.MOVING or draft.run.alarm_at is None or draft.run.alarm_at > draft.at:
        return Outcome.IGNORED
    if draft.run.deadline is not None and draft.run.deadline <= draft.at:
        draft.record("RunTimedOut", origin=draft.stands_at, target=STOPPED, state=TIMEOUT)
        draft.end(Status.FAILED, error="the run took longer than its flow's timeout")
        return Outcome.ADVANCED
    for token in tuple(draft.tokens.values()):
        activation = token.activation
        if activation and activation.due <= draft.at and draft.run.status in lifecycle.MOVING:
            silent = activation.due < activation.deadline
            why = "no report came within its heartbeat" if silent else "no final answer came in time"
            _leave(draft, token, "StepTimedOut", TIMEOUT, error=why)
    return Outcome.ADVANCED if draft.entries else Outcome.PROGRESS


# ── a person's orders ────────────────────────────────────────────────────────────────────────────────────────────────

_ORDERS: Final[dict[type[Event], Order]] = {
    RunPaused: Order.PAUSE,
    RunContinued: Order.CONTINUE,
    RunStopped: Order.STOP,
    RunRetried: Order.RETRY,
}



def _ordered(draft: Draft, event: RunPaused | RunContinued | RunStopped | RunRetried) -> Outcome:
    """The order is carried out, or was already, or is refused, as the tables of `lifecycle` say."""
    status, order = draft.run.status, _ORDERS[type(event)]
    if status in lifecycle.ALREADY[order]:
        return Outcome.IGNORED
    if status not in lifecycle.OBEYED[order]:
        raise OrderRefused(draft.run.name, status, order)
    match event:
        case RunPaused():
            draft.record("RunPaused", target=lifecycle.SUSPEND, origin=draft.stands_at)
            draft.set_run(status=Status.PAUSED, paused_at=draft.at)
        case RunContinued():
            _continue(draft)
        case RunStopped(reason=reason):
            draft.record("RunStopped", target=STOPPED, origin=draft.stands_at, error=reason)
            draft.end(Status.CANCELED, error=reason or "stopped by a person")
        case RunRetried(step=step):
            _retry(draft, step)
        case _:
            assert_never(event)
    draft.set_run(last_event=str(order))
    return Outcome.ADVANCED


def _continue(draft: Draft) -> None:
    """What was held is sent; deadlines move on by as long as the run was paused."""
    pause = draft.at - (draft.run.paused_at or draft.at)
    draft.record("RunContinued", origin=lifecycle.SUSPEND, target=draft.stands_at)
    deadline = draft.run.deadline
    draft.set_run(status=Status.RUNNING, paused_at=None, deadline=deadline + pause if deadline is not None else None)
    for token in tuple(draft.tokens.values()):
        activation = token.activation
        if activation is None:
            continue
        heard_at = activation.heard_at if activation.heard_at is None else activation.heard_at + pause
        later = replace(activation, deadline=activation.deadline + pause, heard_at=heard_at, held=False)
        token = draft.put(replace(token, activation=later))
        if activation.held:
            draft.deliver(token)


def _retry(draft: Draft, step: str | None) -> None:
    """The run goes on at the steps where it stood, or at the step that was named."""
    if step is not None:
        if all(step != known.name for known in draft.definition.flow.steps):
            raise NoSuchStep(draft.run.name, step)
        draft.tokens = {}
        draft.put(Token(step=step))
    timeout = draft.definition.flow.timeout
    draft.set_run(
        status=Status.RUNNING,
        ended_at=None,
        last_err="",
        deadline=draft.at + timeout if timeout is not None else None,
    )
    for token in tuple(draft.tokens.values()):
        draft.record("RunRetried", replace(token, activation=None), origin=STOPPED, target=token.step)
        _enter(draft, replace(token, activation=None))
