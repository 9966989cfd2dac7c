"""What a token waited for has come: an event, or the end of another run."""

from __future__ import annotations

from msgspec.structs import replace

from chalicelib.engine.effects import Outcome
from chalicelib.engine.events import ChildEnded, EventArrived
from chalicelib.engine.received_events import take
from chalicelib.engine.step_result import StepResult
from chalicelib.engine.steps import waits
from chalicelib.engine.token_moves import leave
from chalicelib.engine.transition import Transition
from chalicelib.model import status
from chalicelib.model.flow import CallStep, EventStep


def event_arrived(transition: Transition, event: EventArrived) -> Outcome:
    """Move the token that waits for the event, unless the run has taken the event already."""
    token = transition.run.token_of(event.uuid)
    if token is None or transition.run.status in status.ENDED:
        return Outcome.IGNORED
    step = transition.step_of(token)
    returned = waits.result_of_event(transition.run, token, step, event) if isinstance(step, EventStep) else None
    if returned is None:
        return Outcome.IGNORED
    transition.set_run(received=take(transition.run, event.name, event.key, event.place))
    leave(transition, token, returned)
    return Outcome.ADVANCED


def child_ended(transition: Transition, event: ChildEnded) -> Outcome:
    """Move the token that waits for the end of the run."""
    token = transition.run.token_of(event.uuid)
    if token is None or token.activation is None or transition.run.status in status.ENDED:
        return Outcome.IGNORED
    if not isinstance(transition.step_of(token), CallStep):
        return Outcome.IGNORED
    token = transition.put(replace(token, activation=replace(token.activation, wait=None)))
    returned = StepResult(state=event.state, data=event.output, error=event.error, event="ChildEnded")
    leave(transition, token, returned)
    return Outcome.ADVANCED
