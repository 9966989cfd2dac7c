"""Time-outs while an action is paused: those of the activations that wait for it, and those around them, are suspended.

An activation is suspended when its delivery is held, or when its time-out or one around it is due. Until its action is
continued nothing of it ends by a deadline; then its deadlines are moved by the time since the action was paused. While
any token of a run is suspended, so are the deadline of the run and those of its joins, which wait for that token.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Final

from msgspec.structs import replace

from chalicelib.engine.invocation import UNDO, invocation_of
from chalicelib.model.run import Activation, Run, Token
from chalicelib.model.status import Status
from chalicelib.model.times import Instant, Milliseconds

if TYPE_CHECKING:
    from chalicelib.engine.transition import Transition
    from chalicelib.model.definition import Definition

LOOK_MS: Final[tuple[Milliseconds, Milliseconds]] = (15 * 60_000, 12 * 60 * 60_000)
"""The shortest and the longest time between two looks of a suspended run at its actions, should a message be lost."""


def action_of(definition: Definition, run: Run, token: Token) -> str:
    """Return the name of the action that the token's activation waits for; empty if it waits for none."""
    invocation = invocation_of(definition, run, token) if token.activation else None
    return invocation.action.name if invocation else ""


def suspended(run: Run) -> list[Token]:
    """Return the tokens that are suspended."""
    return [token for token in run.tokens if token.activation and token.activation.suspended_at is not None]


def holds_back(run: Run, activation: Activation) -> bool:
    """Return whether the deadline of the activation is suspended."""
    return activation.suspended_at is not None or (activation.is_join and run.suspended_at is not None)


def suspend_due(transition: Transition, paused: Mapping[str, Instant]) -> None:
    """Suspend the activations of paused actions of which a time-out, their own or one around them, is due."""
    if not paused or transition.run.status is Status.PENDING:
        return
    around = [transition.run.deadline] if transition.run.deadline is not None else []
    around += [known.due for known in _awaited(transition) if known.is_join]
    is_due_around = any(due <= transition.at for due in around)
    for token in tuple(transition.tokens.values()):
        activation = token.activation
        if activation is None or activation.suspended_at is not None or not _is_awaited(transition, token):
            continue
        action = action_of(transition.definition, transition.run, token)
        if action in paused and (is_due_around or activation.due <= transition.at):
            suspend(transition, token, activation, paused[action])


def suspend(transition: Transition, token: Token, activation: Activation, since: Instant) -> Token:
    """Suspend the time-outs of the activation, since its action was paused."""
    began = min(transition.at, max(since, activation.since))
    known = transition.run.suspended_at
    transition.set_run(suspended_at=began if known is None else min(known, began))
    return transition.put(replace(token, activation=replace(activation, suspended_at=began)))


def resume(transition: Transition, token: Token, activation: Activation) -> None:
    """Let time count again for the activation, and send it if it was held."""
    since = activation.suspended_at if activation.suspended_at is not None else transition.at
    is_unsent = activation.is_unsent
    moved = replace(postponed(activation, since, transition.at), suspended_at=None, is_unsent=False)
    token = transition.put(replace(token, activation=moved))
    if is_unsent:
        transition.deliver(token)


def postponed(activation: Activation, since: Instant, until: Instant) -> Activation:
    """Return the activation with its deadlines moved by the time from `since` to `until`."""
    lost = max(0, until - max(since, activation.since))
    reported_at = activation.reported_at
    if activation.heartbeat is not None:
        last = activation.since if reported_at is None else reported_at
        reported_at = last + max(0, until - max(since, last))
    return replace(activation, deadline=activation.deadline + lost, reported_at=reported_at)


def settle(transition: Transition) -> None:
    """Let time count again for the run and its joins once none of its tokens is suspended.

    Of a paused run this ends with the pause: `continue` moves the deadlines by the rest.
    """
    since, run = transition.run.suspended_at, transition.run
    if since is None or any(known.suspended_at is not None for known in _activations(transition)):
        return
    until = transition.at if run.paused_at is None else min(transition.at, run.paused_at)
    lost = max(0, until - since)
    transition.set_run(suspended_at=None, deadline=run.deadline + lost if run.deadline is not None else None)
    for token in tuple(transition.tokens.values()):
        if token.activation and token.activation.is_join:
            transition.put(replace(token, activation=postponed(token.activation, since, until)))


def deadlines(transition: Transition) -> list[Instant]:
    """Return when the waits of a suspended run end, and when it looks at its actions."""
    since = transition.run.suspended_at if transition.run.suspended_at is not None else transition.at
    least, most = LOOK_MS
    look_at = transition.at + min(max(least, transition.at - since), most)
    return [look_at, *(known.due for known in _awaited(transition) if not holds_back(transition.run, known))]


def _is_awaited(transition: Transition, token: Token) -> bool:
    """Return whether the token's deadline counts: other tokens of a pending or an ending run do nothing."""
    run = transition.run
    return token.id == UNDO or (run.ending is None and run.status is not Status.PENDING)


def _awaited(transition: Transition) -> Iterator[Activation]:
    for token in transition.tokens.values():
        if token.activation and _is_awaited(transition, token):
            yield token.activation


def _activations(transition: Transition) -> Iterator[Activation]:
    return (token.activation for token in transition.tokens.values() if token.activation)
