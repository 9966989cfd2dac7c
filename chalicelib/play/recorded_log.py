"""What a history says of the world outside: which deliveries arrived, and what was answered, published and commanded.

`case` makes a test of it, as of the moves of a play.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, Literal

from chalicelib.engine import events
from chalicelib.engine.invocation import UNDO, awaits_approval, invocation_of
from chalicelib.hosting.responder import Kind
from chalicelib.model.definition import Definition
from chalicelib.model.run import Run, Token
from chalicelib.model.waits import NoticeWait, RepeatWait
from chalicelib.play.moves import CommandMove
from chalicelib.play.outside import Answered, Commanded, Failed, Log, Published, whole_delay
from chalicelib.play.play_host import Delivery

_COMMANDS: Final[dict[type, Literal["pause", "continue", "stop", "retry", "vars"]]] = {
    events.RunPaused: "pause",
    events.RunContinued: "continue",
    events.RunStopped: "stop",
    events.RunRetried: "retry",
    events.VarsSet: "vars",
}


def reactions_of(definition: Definition, before: Run | None, fact: events.Event) -> Log:
    """Return what the fact was outside; nothing if it came from inside, such as a timer."""
    at = fact.at
    match fact:
        case events.StepAcked():
            error = fact.error
            return (Answered(at, fact.uuid, fact.state, fact.data, dict(fact.variables), error, is_done=fact.done),)
        case events.DeliveryFailed():
            delay = whole_delay(definition, before, fact.uuid)
            return (Failed(at, fact.uuid, fact.error, fact.status, is_final=fact.final, retry_after=delay),)
        case events.EventArrived():
            return (Published(at, fact.name, fact.key, fact.data, ""),)
        case _:
            return tuple(_commands(fact))


def _commands(fact: events.Event) -> Iterator[Commanded]:
    do = _COMMANDS.get(type(fact))
    if do is None:
        return
    move = CommandMove(
        do=do,
        step=getattr(fact, "step", None),
        reason=getattr(fact, "reason", ""),
        set=dict(getattr(fact, "vars", {})),
        remove=tuple(getattr(fact, "remove", ())),
    )
    if do == "retry" and move.set:  # a test sets variables of a run only while that goes on
        return
    yield Commanded(fact.at, move)


def deliveries_of(definition: Definition, before: Run | None, after: Run) -> Iterator[Delivery]:
    """Yield what arrives outside by a decision, as far as the heads around it say it."""
    known = {one.activation.uuid: one for one in (*before.tokens, *before.notices) if one.activation} if before else {}
    for token in (*after.tokens, *after.notices):
        activation = token.activation
        if activation is None or isinstance(activation.wait, RepeatWait):
            continue
        earlier = known.get(activation.uuid)
        if earlier is None:
            yield from _delivery(definition, after, token, 1)
        elif earlier.activation is not None:
            is_approved = awaits_approval(earlier) and not awaits_approval(token)
            is_repeated = activation.retry_at is not None and activation.attempt > earlier.activation.attempt
            if is_approved or is_repeated:
                yield from _delivery(definition, after, token, activation.attempt + 1)


def _delivery(definition: Definition, run: Run, token: Token, attempt: int) -> Iterator[Delivery]:
    invocation = invocation_of(definition, run, token)
    activation = token.activation
    if invocation is None or activation is None:
        return
    kind = Kind.APPROVAL if awaits_approval(token) else Kind.TASK if invocation.is_human else Kind.ACTION
    is_notice = isinstance(activation.wait, NoticeWait)
    yield Delivery(
        at=activation.retry_at or run.updated_at,
        uuid=activation.uuid,
        attempt=attempt,
        flow=run.definition.flow or run.name,
        step=token.step,
        name=invocation.action.name,
        kind=kind,
        undoes=token.id == UNDO,
        direct=invocation.action.direct and kind is Kind.ACTION,
        state=invocation.action.returns[0] if is_notice and invocation.action.returns else "",
        is_notice=is_notice,
    )
