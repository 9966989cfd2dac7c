"""Notices: deliveries that are not on a run's path. They are sent at least once, also when the run has ended.

An activation that is abandoned has its action notified, if the action has a `cancel` (`engine.ended_activations`).

A wait for events has two kinds of them: `on_enter` when it begins, `on_leave` when it ends in whatever way. The args of
both are evaluated when the wait begins. `on_leave` is a notice in the strict sense: its answer is ignored, and nothing
waits for it. `on_enter` is one as well, except that its failure makes a wait that has not ended return ERROR.

The head holds the notices that have not been taken. Those of one step of one token are sent in their order, one after
another: what `on_leave` ends must have begun, also when the token waits at the step again. A notice is removed when its
action has taken it or when its attempts are used up, which the history shows.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from chalicelib.engine.effects import DeliverAction
from chalicelib.engine.variables import scope_of
from chalicelib.model.ids import ROOT
from chalicelib.model.run import Activation, Run, Token
from chalicelib.model.status import Status
from chalicelib.model.waits import EventWait, NoticeKind, NoticeWait

if TYPE_CHECKING:
    from chalicelib.engine.transition import Transition
    from chalicelib.model.json_values import Json


def add(
    transition: Transition, token: Token, kind: NoticeKind, args: dict[str, Json], *, key: str = "", of: str = ""
) -> None:
    """Send a notice of the token's step, after the earlier ones of that step and token.

    `key` is the value of the key of its action's limit, `of` the activation that returns ERROR if the notice fails.
    """
    uuid = transition.mint(token.step)
    activation = Activation(
        uuid=uuid,
        since=transition.at,
        deadline=transition.at,
        args=args or None,
        old_vars=_of_scopes(transition, token),
        permit_key=key,
        wait=NoticeWait(kind=kind, of=of),
    )
    notice = Token(id=token.id, step=token.step, activation=activation)
    transition.set_run(notices=(*transition.run.notices, notice))
    if _first_of(transition.run, notice) is notice:
        _send(transition, notice)


def cancel(transition: Transition, token: Token, kind: NoticeKind, uuid: str, reason: str) -> None:
    """Notify the action that the token's activation with this uuid was abandoned."""
    activation = Activation(
        uuid=transition.mint(token.step),
        since=transition.at,
        deadline=transition.at,
        args={"uuid": uuid, "reason": reason},
        wait=NoticeWait(kind=kind),
    )
    notice = Token(id=ROOT if kind is NoticeKind.CANCEL_UNDO else token.id, step=token.step, activation=activation)
    transition.set_run(notices=(*transition.run.notices, notice))
    if _first_of(transition.run, notice) is notice:
        _send(transition, notice)


def leave(transition: Transition, token: Token, activation: Activation, wait: EventWait) -> None:
    """Send `on_leave`, because the token's wait ends. Nothing depends on its `on_enter` any more."""
    enter = next((one for one in transition.run.notices if _wait_of(one).of == activation.uuid), None)
    if enter is not None and (wait.leave is None or _wait_of(enter).is_taken):
        remove(transition, enter)
    elif enter is not None:
        _put(transition, enter, _with_wait(enter, replace(_wait_of(enter), of="")))
    if wait.leave is not None:
        if token.id in transition.tokens:
            transition.put(replace(token, activation=replace(activation, wait=replace(wait, leave=None))))
        add(transition, token, NoticeKind.LEAVE, wait.leave, key=wait.leave_key)


def taken(transition: Transition, notice: Token) -> None:
    """Note that the action has taken the notice. The answer of an `on_enter` may still come."""
    wait = _wait_of(notice)
    if wait.is_taken:
        return
    transition.record("NoticeDelivered", notice, data={"action": action_of(transition, notice)})
    if wait.of:
        after = _with_wait(notice, replace(wait, is_taken=True))
        _put(transition, notice, after)
        _send_next(transition, notice)
    else:
        remove(transition, notice)


def remove(transition: Transition, notice: Token) -> None:
    """Remove the notice, and send the next one of its step and token."""
    kept = tuple(one for one in transition.run.notices if uuid_of(one) != uuid_of(notice))
    transition.set_run(notices=kept)
    _send_next(transition, notice)


def hold(transition: Transition, notice: Token) -> None:
    """Mark the notice, which was due while the run was paused: `release` sends it."""
    if notice.activation:
        _put(transition, notice, replace(notice, activation=replace(notice.activation, held=True, retry_at=None)))


def update(transition: Transition, notice: Token, activation: Activation) -> Token:
    """Change the notice's activation."""
    return _put(transition, notice, replace(notice, activation=activation))


def release(transition: Transition) -> None:
    """Send the notices that were held while the run was paused."""
    for notice in transition.run.notices:
        if notice.activation and notice.activation.held:
            after = update(transition, notice, replace(notice.activation, held=False))
            if _first_of(transition.run, after) is after:
                _send(transition, after)


def is_due(run: Run, notice: Token) -> bool:
    """Return whether the notice is to be sent: it has not been taken, and no earlier one comes before it."""
    first = _first_of(run, notice)
    return first is not None and uuid_of(first) == uuid_of(notice)


def kind_of(notice: Token) -> NoticeKind:
    """Return what the notice is about."""
    return _wait_of(notice).kind


def fails_with(notice: Token) -> str:
    """Return the activation that returns ERROR if the notice fails; empty if none does."""
    return _wait_of(notice).of


def action_of(transition: Transition, notice: Token) -> str:
    """Return the name of the action to which the notice is sent."""
    invocation = transition.definition.steps[notice.step].notices.get(kind_of(notice))
    return invocation.action.name if invocation else ""


def uuid_of(notice: Token) -> str:
    """Return the uuid of the notice."""
    return notice.activation.uuid if notice.activation else ""


def _of_scopes(transition: Transition, token: Token) -> dict[str, Json]:
    """Return the variables of scopes that the token sees: the notice may outlive them."""
    if not transition.definition.has_scopes:
        return {}
    seen, tokens = transition.visible_vars(token), transition.tokens
    return {name: value for name, value in seen.items() if scope_of(name, token, tokens, own_fork=True)}


def _send(transition: Transition, notice: Token) -> None:
    if transition.run.status is Status.PAUSED:
        hold(transition, notice)
    else:
        transition.emit(DeliverAction(uuid_of(notice)))


def _send_next(transition: Transition, settled: Token) -> None:
    following = _first_of(transition.run, settled)
    if following is not None:
        _send(transition, following)


def _first_of(run: Run, notice: Token) -> Token | None:
    """Return the first notice of the same step and token that has not been taken."""
    place = (notice.id, notice.step)
    return next((one for one in run.notices if (one.id, one.step) == place and not _wait_of(one).is_taken), None)


def _put(transition: Transition, before: Token, after: Token) -> Token:
    uuid = uuid_of(before)
    transition.set_run(notices=tuple(after if uuid_of(one) == uuid else one for one in transition.run.notices))
    return after


def _with_wait(notice: Token, wait: NoticeWait) -> Token:
    if notice.activation is None:
        raise LookupError(f"the notice of step {notice.step!r} has no activation")
    return replace(notice, activation=replace(notice.activation, wait=wait))


def _wait_of(notice: Token) -> NoticeWait:
    wait = notice.activation.wait if notice.activation else None
    if not isinstance(wait, NoticeWait):
        raise TypeError(f"the notice of step {notice.step!r} does not say what it is about")
    return wait
