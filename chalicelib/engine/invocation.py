"""What an activation sends: which action, with which args, and which states may be answered (docs/http-api.md, 1)."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Final

from chalicelib.model.actions import Limit
from chalicelib.model.compiled_step import Invocation
from chalicelib.model.definition import Definition
from chalicelib.model.pending_undo import PendingUndo
from chalicelib.model.run import Activation, Run, Token
from chalicelib.model.templates import Template
from chalicelib.model.waits import ApprovalWait, NoticeWait, RepeatWait

UNDO: Final = "undo"
"""The id of the token that undoes finished steps."""

APPROVED: Final = "APPROVE"

REJECTED: Final = "REJECT"
"""The two answers of a person who is asked whether an action may be sent."""


def invocation_of(definition: Definition, run: Run, token: Token) -> Invocation | None:
    """Return what the token's activation sends; None if it sends no action."""
    if token.id == UNDO:
        return _undo_invocation(definition, run, token)
    compiled = definition.steps.get(token.step)
    wait = token.activation.wait if token.activation else None
    if isinstance(wait, NoticeWait):
        return compiled.notices.get(wait.kind) if compiled else None
    if isinstance(wait, RepeatWait):
        return None
    return compiled.invocation if compiled else None


def pending_undo(run: Run, token: Token) -> PendingUndo | None:
    """Return what the token undoes; None if the run does not know it any more."""
    if not token.undoes:  # the head is of version 0.1.0
        return next((undo for undo in reversed(run.undos) if not undo.failed), None)
    return next((undo for undo in run.undos if undo.uuid == token.undoes), None)


def is_undone_by_flow(definition: Definition, undo: PendingUndo) -> bool:
    """Return whether a run of a flow undoes the step, and not an action."""
    if undo.pinned is not None:
        return undo.pinned.is_flow
    compiled = definition.steps.get(undo.step)
    return compiled is not None and compiled.undo is not None and compiled.undo.is_flow


def _undo_invocation(definition: Definition, run: Run, token: Token) -> Invocation | None:
    undo = pending_undo(run, token)
    if undo is None or is_undone_by_flow(definition, undo):
        return None
    compiled = definition.steps.get(undo.step)
    references: Mapping[str, Template] = compiled.undo.references if compiled and compiled.undo else {}
    if undo.pinned is not None:
        references = undo.pinned.references
    undoing = definition.undo_invocations[undo.action]
    action = undoing.action.taking((*undo.args, *references))
    return dataclasses.replace(undoing, action=action, args=references, given=undo.args)


def limiters_of(definition: Definition, run: Run, token: Token) -> tuple[str, ...]:
    """Return the names of the limiters of which the token's activation may hold a permit.

    They are two if its action's newest version has another limit than the one with which the run began.
    """
    invocation = invocation_of(definition, run, token)
    if token.activation is None or invocation is None or invocation.is_human or awaits_approval(token):
        return ()
    limits = (invocation.options.limit, invocation.own_limit)
    names = (_limiter_name(invocation, limit, token.activation) for limit in limits if limit and limit.concurrent)
    return tuple(dict.fromkeys(names))


def limiter_name(invocation: Invocation, activation: Activation) -> str:
    """Return the name of the limiter of the action, or of the value of the limit's key for it."""
    return _limiter_name(invocation, invocation.options.limit, activation)


def _limiter_name(invocation: Invocation, limit: Limit | None, activation: Activation) -> str:
    action = invocation.action.name
    if limit is None or limit.key is None:
        return f"limit/{action}"
    return f"limit-key/{len(action)}/{action}/{activation.permit_key}"


def awaits_approval(token: Token) -> bool:
    """Return whether a person must approve before the action is sent."""
    return token.activation is not None and isinstance(token.activation.wait, ApprovalWait)


def is_signed(definition: Definition, run: Run, step: str) -> bool:
    """Return whether answers to the step must be signed, for its action or for the action that undoes it.

    Both count because an activation that has ended no longer shows which of them it sent.
    """
    compiled = definition.steps.get(step)
    return compiled.signed if compiled is not None else run.former_steps.get(step, False)
