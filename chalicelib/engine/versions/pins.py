"""What a run that moves to another version keeps as it was: requests that may be delivered again, and undos."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec.structs import replace

from chalicelib.engine.errors import ExpressionFailed
from chalicelib.engine.invocation import UNDO, invocation_of, pending_undo
from chalicelib.engine.request_args import fixed_args
from chalicelib.engine.transition import Transition
from chalicelib.engine.versions.waiting import request_problem
from chalicelib.model.definition import Definition
from chalicelib.model.pending_undo import PendingUndo, PinnedUndo
from chalicelib.model.run import Pinned, Run, Token
from chalicelib.model.waits import NoticeWait


def with_pin(transition: Transition, token: Token) -> Token:
    """Return the token, or the notice, with all that its request holds. Raises ExpressionFailed."""
    activation = token.activation
    invocation = invocation_of(transition.definition, transition.run, token)
    if activation is None or invocation is None or activation.pinned is not None:
        return token
    if invocation.is_bare:
        return replace(token, activation=replace(activation, pinned=Pinned(step=token.step)))
    args = fixed_args(transition.definition, transition.run, token, invocation, transition.read, transition.cipher)
    names = tuple(parameter.name for parameter in invocation.action.parameters)
    pinned = Pinned(step=token.step, states=invocation.action.returns, args=names)
    return replace(token, activation=replace(activation, args=args or None, pinned=pinned))


def with_pinned_undo(definition: Definition, undo: PendingUndo) -> PendingUndo:
    """Return the undo with what the definition of its step says of it."""
    compiled = definition.steps.get(undo.step)
    declared = compiled.undo if compiled else None
    if undo.pinned is not None or declared is None:
        return undo
    return replace(undo, pinned=PinnedUndo(is_flow=declared.is_flow, references=dict(declared.references)))


def undo_problem(run: Run, after: Definition, undo: PendingUndo, there: str) -> str:
    """Return why the undo, which is pinned, cannot be sent by the definition `after`; empty if it can."""
    if undo.failed or undo.incomplete or (undo.pinned is not None and undo.pinned.is_flow):
        return ""
    invocation = after.undo_invocations.get(undo.action)
    what = f"step {undo.step!r} is undone by action {undo.action!r}"
    if invocation is None:
        return f"{what}, which run {run.name!r} does not know in {there}"
    given = {*undo.args, *(undo.pinned.references if undo.pinned else ())}
    parameters = {parameter.name: parameter for parameter in invocation.action.taking(given).parameters}
    lacking = [name for name, parameter in parameters.items() if parameter.required and name not in given]
    unknown = sorted(given - parameters.keys())
    if lacking:
        return f"{what}, which needs arg {lacking[0]!r} in {there}"
    return f"{what}, which has no arg {unknown[0]!r} in {there}" if unknown else ""


def notice_problem(run: Run, notice: Token, after: Definition, renamed: Mapping[str, str], before: Definition) -> str:
    """Return why a notice that is still to be delivered cannot be sent by the definition `after`."""
    wait = notice.activation.wait if notice.activation else None
    old = invocation_of(before, run, notice)
    compiled = after.steps.get(renamed.get(notice.step, notice.step))
    new = compiled.notices.get(wait.kind) if compiled and isinstance(wait, NoticeWait) else None
    if old is None or (new is not None and not request_problem(old, new, "")):
        return ""
    return f"action {old.action.name!r} is still to be notified by step {notice.step!r}: try again later"


def sent_problem(transition: Transition, token: Token, after: Definition, there: str) -> str:
    """Return why the undo that is under way cannot go on by the definition `after`."""
    if token.id != UNDO:
        return ""
    old, undo = invocation_of(transition.definition, transition.run, token), pending_undo(transition.run, token)
    new = after.undo_invocations.get(undo.action) if undo else None
    return request_problem(old, new, there) if old is not None and new is not None else ""


def pin_problem(transition: Transition, token: Token) -> str:
    """Return why the request of the token cannot be kept as it is; empty if it can."""
    try:
        with_pin(transition, token)
    except ExpressionFailed as failure:
        return f"its request cannot be made: {failure}"
    return ""
