"""Actions that are paused and continued while activations wait for them."""

from __future__ import annotations

from msgspec.structs import replace

from chalicelib.engine import suspensions
from chalicelib.engine.effects import Outcome
from chalicelib.engine.events import ActionHeld, ActionResumed
from chalicelib.engine.transition import Transition
from chalicelib.model import status
from chalicelib.model.status import Status


def changed(transition: Transition, event: ActionHeld | ActionResumed) -> Outcome:
    """Suspend the activation, or let it go on. Late events are ignored."""
    token, run = transition.run.token_of(event.uuid), transition.run
    if token is None or token.activation is None or run.status in status.ENDED:
        return Outcome.IGNORED
    activation = token.activation
    if run.status is Status.PAUSED and isinstance(event, ActionHeld):
        transition.put(replace(token, activation=replace(activation, held=True, retry_at=None)))
        return Outcome.PROGRESS
    if isinstance(event, ActionResumed):
        if activation.suspended_at is None or run.status is Status.PAUSED:
            return Outcome.IGNORED  # `continue` looks at the activations of a paused run again
        suspensions.resume(transition, token, activation)
        return Outcome.PROGRESS
    if activation.suspended_at is not None and activation.is_unsent:
        return Outcome.IGNORED
    if activation.suspended_at is None:
        token = suspensions.suspend(transition, token, activation, event.since)
    held = replace(token.activation or activation, is_unsent=True, retry_at=None)
    transition.put(replace(token, activation=held))
    return Outcome.PROGRESS
