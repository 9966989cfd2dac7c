"""What a token waited for has come: an event, the end of another run, or the end of what its step does."""

from __future__ import annotations

from msgspec.structs import replace

from chalicelib.engine.effects import Outcome
from chalicelib.engine.events import ChildEnded, EventArrived, StepExecuted
from chalicelib.engine.received_events import take
from chalicelib.engine.step_result import StepResult
from chalicelib.engine.steps import waits
from chalicelib.engine.token_moves import leave
from chalicelib.engine.transition import Transition
from chalicelib.engine.undo.compensation import child_stopped
from chalicelib.model import status
from chalicelib.model.flow import DEFAULT_STATE, ERROR, EventStep
from chalicelib.model.waits import ChildWait, EmitWait, StartWait


def arrived(transition: Transition, event: EventArrived | ChildEnded | StepExecuted) -> Outcome:
    """Move the token that waits for it."""
    match event:
        case EventArrived():
            return _event_arrived(transition, event)
        case ChildEnded():
            return _child_ended(transition, event)
        case StepExecuted():
            return _step_executed(transition, event)


def _event_arrived(transition: Transition, event: EventArrived) -> Outcome:
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


def _child_ended(transition: Transition, event: ChildEnded) -> Outcome:
    """Move the token that waits for the end of the run, or note that a run which was told to stop has ended."""
    if transition.run.status in status.ENDED:
        return Outcome.IGNORED
    token = transition.run.token_of(event.uuid)
    if token is None or token.activation is None:
        error = event.error.text if event.error else ""
        stopped = child_stopped(transition, event.uuid, event.state, event.output, error)
        return Outcome.ADVANCED if stopped else Outcome.IGNORED
    if not isinstance(token.activation.wait, ChildWait):
        return Outcome.IGNORED
    token = transition.put(replace(token, activation=replace(token.activation, wait=None)))
    returned = StepResult(state=event.state, data=event.output, error=event.error, event="ChildEnded")
    leave(transition, token, returned)
    return Outcome.ADVANCED


def _step_executed(transition: Transition, event: StepExecuted) -> Outcome:
    """Move the token whose step has published its event or started its run, or could not do so."""
    token = transition.run.token_of(event.uuid)
    if token is None or token.activation is None or transition.run.status in status.ENDED:
        return Outcome.IGNORED
    match token.activation.wait:
        case EmitWait():
            done, failed = "EventPublished", "PublishFailed"
        case StartWait():
            done, failed = "FlowStarted", "StartFailed"
        case _:
            return Outcome.IGNORED
    if event.error is None:
        leave(transition, token, StepResult(state=DEFAULT_STATE, data=event.data, event=done))
    else:
        leave(transition, token, StepResult(state=ERROR, error=event.error, event=failed))
    return Outcome.ADVANCED
