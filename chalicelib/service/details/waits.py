"""What the tokens of a run wait for, and when each wait ends by itself. Pure."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from chalicelib.engine.invocation import UNDO, awaits_approval, invocation_of
from chalicelib.engine.returning.repeats import is_repeating
from chalicelib.engine.steps import each
from chalicelib.model.definition import Definition
from chalicelib.model.flow import ConditionStep, EachStep, EventStep, Step, TimerStep
from chalicelib.model.run import Activation, Run, Token
from chalicelib.model.status import ENDED, MOVING, Status
from chalicelib.model.times import Instant
from chalicelib.model.waits import ChildWait, EachWait, EmitWait, EventWait, ForkWait, StartWait
from chalicelib.service.details.kinds import WaitKind


class TokenWait(msgspec.Struct, frozen=True, kw_only=True):
    """What a token waits for. `until` is when the wait ends by itself."""

    kind: WaitKind
    until: Instant | None
    action: str = ""
    events: tuple[str, ...] = ()
    key: str = ""
    """The key of the events, or the value of the key of the action's limit."""
    child: str = ""
    """The run of which the end is awaited, or that is being started."""
    states: tuple[str, ...] = ()
    """What may be answered."""
    retry_at: Instant | None = None
    left: int = 0
    """How many branches or items have not ended."""


class Deadline(msgspec.Struct, frozen=True, kw_only=True):
    """A moment at which the timer of a run fires, and what ends then."""

    at: Instant
    what: str
    """`run` (its timeout), `deletion`, `heartbeat`, `undo`, `items` (more of them start), or the kind of the wait."""
    token: str = ""
    step: str = ""
    uuid: str = ""


def wait_of(definition: Definition, run: Run, token: Token, *, is_queued: bool = False) -> TokenWait | None:
    """Return what the token waits for; None if it waits for nothing.

    `is_queued`: its delivery is in the queue of a limit, which only the limit knows.
    """
    activation = token.activation
    if activation is None or run.status in ENDED:
        return None
    if run.status is Status.PENDING:
        return TokenWait(kind=WaitKind.TURN, until=run.deadline)
    until = activation.due
    if is_repeating(token):
        return TokenWait(kind=WaitKind.REPEAT, until=until)
    found = _of_wait(activation, until)
    if found is not None:
        return found
    step = definition.steps[token.step].step if token.step in definition.steps and token.id != UNDO else None
    return _of_step(step, activation, until) or _of_action(definition, run, token, activation, is_queued=is_queued)


def _of_wait(activation: Activation, until: Instant) -> TokenWait | None:
    """Return the wait that the activation itself describes."""
    match activation.wait:
        case ChildWait(child=child):
            return TokenWait(kind=WaitKind.PAUSED if activation.held else WaitKind.CHILD, until=until, child=child)
        case EmitWait(event=event, key=key):
            return TokenWait(kind=WaitKind.PUBLISH, until=until, events=(event,), key=key)
        case StartWait(run=name):
            return TokenWait(kind=WaitKind.START, until=until, child=name)
        case EachWait() as wait:
            left = wait.count - wait.finished - wait.failures
            return TokenWait(kind=WaitKind.UNDO if wait.decided else WaitKind.ITEMS, until=until, left=left)
        case _:
            return None


def _of_step(step: Step | None, activation: Activation, until: Instant) -> TokenWait | None:
    """Return the wait that the kind of the step describes."""
    wait = activation.wait
    if isinstance(step, EventStep):
        events = tuple(dict.fromkeys(step.events.values()))
        key = wait.key if isinstance(wait, EventWait) else ""
        return TokenWait(kind=WaitKind.EVENT, until=until, events=events, key=key, states=tuple(step.events))
    if isinstance(step, TimerStep):
        return TokenWait(kind=WaitKind.TIMER, until=until)
    if isinstance(step, ConditionStep):
        return TokenWait(kind=WaitKind.CONDITION, until=until)
    if isinstance(wait, ForkWait):
        branches = len(getattr(step, "branches", ()))
        left = branches - len(wait.results) - len(wait.failed)
        return TokenWait(kind=WaitKind.UNDO if wait.decided else WaitKind.BRANCHES, until=until, left=left)
    return None


def _of_action(
    definition: Definition, run: Run, token: Token, activation: Activation, *, is_queued: bool
) -> TokenWait | None:
    invocation = invocation_of(definition, run, token)
    if invocation is None:
        return None
    kind = WaitKind.ACTION
    if awaits_approval(token):
        kind = WaitKind.APPROVAL
    elif invocation.is_human:
        kind = WaitKind.PERSON
    elif activation.held:
        kind = WaitKind.PAUSED
    elif activation.circuit_open:
        kind = WaitKind.BREAKER
    elif is_queued:
        kind = WaitKind.LIMIT
    elif activation.retry_at is not None:
        kind = WaitKind.RETRY
    return TokenWait(
        kind=kind,
        until=activation.due,
        action=invocation.action.name,
        key=activation.permit_key,
        states=("APPROVE", "REJECT") if kind is WaitKind.APPROVAL else tuple(invocation.states),
        retry_at=activation.retry_at,
    )


def deadlines(definition: Definition, run: Run) -> list[Deadline]:
    """Return all moments at which something of the run ends by itself, earliest first."""
    return sorted(_deadlines(definition, run), key=lambda one: one.at)


def _deadlines(definition: Definition, run: Run) -> Iterator[Deadline]:
    if run.status in ENDED:
        if run.timer_at is not None:
            yield Deadline(at=run.timer_at, what="deletion")
        return
    if run.status not in MOVING:
        return
    if run.deadline is not None:
        yield Deadline(at=run.deadline, what="run")
    for stopping in run.stopping:
        yield Deadline(
            at=stopping.deadline, what=WaitKind.CHILD, token=stopping.token, step=stopping.step, uuid=stopping.uuid
        )
    is_awaited = run.ending is None and run.status is not Status.PENDING
    for token in run.tokens:
        if token.activation is not None and (is_awaited or token.id == UNDO):
            yield _deadline(definition, run, token, token.activation)


def _deadline(definition: Definition, run: Run, token: Token, activation: Activation) -> Deadline:
    found = wait_of(definition, run, token)
    compiled = definition.steps.get(token.step)
    what: str = found.kind if found else ""
    if activation.due < activation.deadline:
        what = "heartbeat"
    elif token.id == UNDO:
        what = "undo"
    elif compiled and isinstance(compiled.step, EachStep) and each.is_deferred(compiled.step, activation):
        what = "items"
    return Deadline(at=activation.due, what=what, token=token.id, step=token.step, uuid=activation.uuid)
