"""Who may answer what: people answer tasks and approvals, action services answer the steps that were sent to them."""

from __future__ import annotations

from enum import StrEnum

from chalicelib.engine.errors import NotPermitted
from chalicelib.engine.invocation import awaits_approval, invocation_of
from chalicelib.model.compiled_step import CompiledStep, Invocation
from chalicelib.model.definition import Definition
from chalicelib.model.run import Run, Token


class Sender(StrEnum):
    """Which answers the sender of an answer may give."""

    ANY = "any"
    SERVICE = "service"
    """Those of action services only."""
    PERSON = "person"
    """Those of people only: to tasks and approvals."""


def refuse_waiting(definition: Definition, run: Run, token: Token, sender: Sender) -> None:
    """Raise NotPermitted if the sender may not answer what the token waits for."""
    if sender is Sender.ANY:
        return
    wanted = Sender.PERSON if awaits_approval(token) else _sender_for(invocation_of(definition, run, token))
    _refuse(token.step, {wanted}, sender)


def refuse_ended(definition: Definition, step: str, sender: Sender) -> None:
    """Raise NotPermitted if the sender may not have answered any activation of the step that has ended.

    An activation that has ended no longer shows whether it awaited an approval, or which action it sent.
    """
    compiled = definition.steps.get(step)
    if sender is not Sender.ANY and compiled is not None:
        _refuse(step, _senders_for(definition, compiled), sender)


def refuse_notice(step: str, sender: Sender) -> None:
    """Raise NotPermitted if the sender may not answer a notice. Only action services receive notices."""
    _refuse(step, {Sender.SERVICE}, sender)


def _senders_for(definition: Definition, compiled: CompiledStep) -> set[Sender]:
    undo = compiled.undo.action if compiled.undo is not None and not compiled.undo.is_flow else ""
    invocations = [one for one in (compiled.invocation, definition.undo_invocations.get(undo)) if one is not None]
    approvals = {Sender.PERSON for one in invocations if one.options.approval}
    return {*map(_sender_for, invocations), *approvals} or {Sender.SERVICE}


def _sender_for(invocation: Invocation | None) -> Sender:
    return Sender.PERSON if invocation is not None and invocation.is_human else Sender.SERVICE


def _refuse(step: str, wanted: set[Sender], sender: Sender) -> None:
    if sender is not Sender.ANY and sender not in wanted:
        raise NotPermitted(step, by_person=Sender.PERSON in wanted)
