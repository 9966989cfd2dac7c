"""What a person tells a run to do (`lifecycle` has the tables: obeyed, already so, or refused)."""

from __future__ import annotations

from typing import Final, TypeAlias, assert_never

from msgspec.structs import replace

from chalicelib.engine import lifecycle, size_limits
from chalicelib.engine.compensation import fail
from chalicelib.engine.effects import Outcome
from chalicelib.engine.errors import NoSuchStep, OrderRefused
from chalicelib.engine.events import Event, RunContinued, RunPaused, RunRetried, RunStopped, VarsSet
from chalicelib.engine.invocation import UNDO, awaits_approval, errand_of
from chalicelib.engine.lifecycle import Order
from chalicelib.engine.steps import call, waits
from chalicelib.engine.transition import Draft
from chalicelib.model.flow import STOPPED, CallStep, EventStep, Step, TimerStep
from chalicelib.model.run import Activation, Token
from chalicelib.model.status import SUSPEND, Status
from chalicelib.model.times import Instant

Ordered: TypeAlias = RunPaused | RunContinued | RunStopped | RunRetried | VarsSet

_ORDERS: Final[dict[type[Event], Order]] = {
    RunPaused: Order.PAUSE,
    RunContinued: Order.CONTINUE,
    RunStopped: Order.STOP,
    RunRetried: Order.RETRY,
    VarsSet: Order.VARS,
}


def ordered(draft: Draft, event: Ordered) -> Outcome:
    """The order is carried out, or was already, or is refused, as the tables of `lifecycle` say."""
    status, order = draft.run.status, _ORDERS[type(event)]
    if status in lifecycle.ALREADY[order]:
        return Outcome.IGNORED
    if status not in lifecycle.OBEYED[order]:
        raise OrderRefused(draft.run.name, status, order)
    match event:
        case RunPaused():
            draft.record("RunPaused", target=SUSPEND, origin=draft.stands_at)
            draft.set_run(status=Status.PAUSED, paused_at=draft.at)
        case RunContinued():
            _continue(draft)
        case RunStopped(reason=reason):
            draft.record("RunStopped", target=STOPPED, origin=draft.stands_at, error=reason)
            fail(draft, Status.CANCELED, reason or "stopped by a person")
        case RunRetried(step=step):
            _retry(draft, step)
        case VarsSet(vars=changed):
            changed = draft.as_kept(changed)
            kept = {name: value for name, value in {**draft.run.vars, **changed}.items() if value is not None}
            size_limits.admit("the run's variables", kept)
            draft.record("VarsSet", vars=changed)
            draft.set_run(vars=kept)
            return Outcome.ADVANCED
        case _:
            assert_never(event)
    draft.set_run(last_event=str(order))
    return Outcome.ADVANCED


def _continue(draft: Draft) -> None:
    """What was held is sent; deadlines move on by as long as the run was paused."""
    paused_at = draft.run.paused_at or draft.at
    pause = draft.at - paused_at
    draft.record("RunContinued", origin=SUSPEND, target=draft.stands_at)
    deadline = draft.run.deadline
    resumed = {None: Status.RUNNING, Status.CANCELED: Status.CANCELING}.get(draft.run.ending, Status.COMPENSATING)
    draft.set_run(status=resumed, paused_at=None, deadline=deadline + pause if deadline is not None else None)
    for token in tuple(draft.tokens.values()):
        activation = token.activation
        if activation is None:
            continue
        step = draft.definition.step(token.step) if token.id != UNDO else None
        token = draft.put(replace(token, activation=_later(activation, step, paused_at, draft.at)))
        if isinstance(step, EventStep):
            waits.listen(draft, token, step)
        elif activation.held:
            _send(draft, token, step)


def _send(draft: Draft, token: Token, step: Step | None) -> None:
    """What was held is sent now."""
    if isinstance(step, CallStep):
        call.start(draft, token)
        return
    sends = errand_of(draft.definition, draft.run, token)
    if sends and not sends.is_human and not awaits_approval(token):
        draft.deliver(token)


def _later(activation: Activation, step: Step | None, paused_at: Instant, at: Instant) -> Activation:
    """The wait as it goes on: what it lost to the pause is given back. A moment that was named does not move."""
    is_moment = isinstance(step, TimerStep) and step.until is not None
    lost = 0 if is_moment else at - max(paused_at, activation.since)
    heard_at = activation.heard_at
    if activation.heartbeat is not None:
        heard = activation.since if heard_at is None else heard_at
        heard_at = heard + at - max(paused_at, heard)
    return replace(activation, deadline=activation.deadline + lost, heard_at=heard_at, held=False)


def _retry(draft: Draft, step: str | None) -> None:
    """The run goes on at the step where it stood, or at the step that was named."""
    flow = draft.definition.flow
    if step is not None:
        if all(step != known.name for known in flow.steps):
            raise NoSuchStep(draft.run.name, step)
        draft.tokens = {}
        draft.put(Token(step=step))
    deadline = draft.at + flow.timeout if flow.timeout is not None else None
    draft.set_run(status=Status.RUNNING, ended_at=None, output=None, last_err="", deadline=deadline)
    for token in tuple(draft.tokens.values()):
        if token.parent:
            draft.tokens.pop(token.id)  # what waits for it begins it again
            continue
        draft.record("RunRetried", replace(token, activation=None), origin=STOPPED, target=token.step)
        draft.arrive(token)
