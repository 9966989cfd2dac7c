"""What a person tells a run to do (`lifecycle` has the tables: obeyed, already so, or refused)."""

from __future__ import annotations

from typing import Final, TypeAlias, assert_never

from msgspec.structs import replace

from chalicelib.engine import lifecycle, size_limits
from chalicelib.engine.compensation import fail
from chalicelib.engine.effects import Outcome
from chalicelib.engine.errors import CommandRefused, NoSuchStep
from chalicelib.engine.events import Event, RunContinued, RunPaused, RunRetried, RunStopped, VarsSet
from chalicelib.engine.invocation import UNDO, awaits_approval, invocation_of
from chalicelib.engine.lifecycle import Command
from chalicelib.engine.steps import call, waits
from chalicelib.engine.transition import Transition
from chalicelib.model.flow import STOPPED, CallStep, EventStep, Step, TimerStep
from chalicelib.model.run import Activation, Token
from chalicelib.model.status import SUSPEND, Status
from chalicelib.model.times import Instant

CommandEvent: TypeAlias = RunPaused | RunContinued | RunStopped | RunRetried | VarsSet

_COMMANDS: Final[dict[type[Event], Command]] = {
    RunPaused: Command.PAUSE,
    RunContinued: Command.CONTINUE,
    RunStopped: Command.STOP,
    RunRetried: Command.RETRY,
    VarsSet: Command.VARS,
}


def apply_command(transition: Transition, event: CommandEvent) -> Outcome:
    """The order is carried out, or was already, or is refused, as the tables of `lifecycle` say."""
    status, command = transition.run.status, _COMMANDS[type(event)]
    if status in lifecycle.ALREADY[command]:
        return Outcome.IGNORED
    if status not in lifecycle.OBEYED[command]:
        raise CommandRefused(transition.run.name, status, command)
    match event:
        case RunPaused():
            transition.record("RunPaused", target=SUSPEND, origin=transition.stands_at)
            transition.set_run(status=Status.PAUSED, paused_at=transition.at)
        case RunContinued():
            _continue(transition)
        case RunStopped(reason=reason):
            transition.record("RunStopped", target=STOPPED, origin=transition.stands_at, error=reason)
            fail(transition, Status.CANCELED, reason or "stopped by a person")
        case RunRetried(step=step):
            _retry(transition, step)
        case VarsSet(vars=changed):
            changed = transition.encrypt_secrets(changed)
            kept = {name: value for name, value in {**transition.run.vars, **changed}.items() if value is not None}
            size_limits.admit("the run's variables", kept)
            transition.record("VarsSet", vars=changed)
            transition.set_run(vars=kept)
            return Outcome.ADVANCED
        case _:
            assert_never(event)
    transition.set_run(last_event=str(command))
    return Outcome.ADVANCED


def _continue(transition: Transition) -> None:
    """What was held is sent; deadlines move on by as long as the run was paused."""
    paused_at = transition.run.paused_at or transition.at
    pause = transition.at - paused_at
    transition.record("RunContinued", origin=SUSPEND, target=transition.stands_at)
    deadline = transition.run.deadline
    resumed = {None: Status.RUNNING, Status.CANCELED: Status.CANCELING}.get(transition.run.ending, Status.COMPENSATING)
    transition.set_run(status=resumed, paused_at=None, deadline=deadline + pause if deadline is not None else None)
    for token in tuple(transition.tokens.values()):
        activation = token.activation
        if activation is None:
            continue
        step = transition.definition.step(token.step) if token.id != UNDO else None
        token = transition.put(replace(token, activation=_later(activation, step, paused_at, transition.at)))
        if isinstance(step, EventStep):
            waits.listen(transition, token, step)
        elif activation.held:
            _send(transition, token, step)


def _send(transition: Transition, token: Token, step: Step | None) -> None:
    """What was held is sent now."""
    if isinstance(step, CallStep):
        call.start(transition, token)
        return
    sends = invocation_of(transition.definition, transition.run, token)
    if sends and not sends.is_human and not awaits_approval(token):
        transition.deliver(token)


def _later(activation: Activation, step: Step | None, paused_at: Instant, at: Instant) -> Activation:
    """The wait as it goes on: what it lost to the pause is given back. A moment that was named does not move."""
    is_moment = isinstance(step, TimerStep) and step.until is not None
    lost = 0 if is_moment else at - max(paused_at, activation.since)
    heard_at = activation.heard_at
    if activation.heartbeat is not None:
        heard = activation.since if heard_at is None else heard_at
        heard_at = heard + at - max(paused_at, heard)
    return replace(activation, deadline=activation.deadline + lost, heard_at=heard_at, held=False)


def _retry(transition: Transition, step: str | None) -> None:
    """The run goes on at the step where it stood, or at the step that was named."""
    flow = transition.definition.flow
    if step is not None:
        compiled = transition.definition.steps.get(step)
        if compiled is None or compiled.parent:
            raise NoSuchStep(transition.run.name, step)
        transition.tokens = {}
        transition.put(Token(step=step))
    deadline = transition.at + flow.timeout if flow.timeout is not None else None
    transition.set_run(status=Status.RUNNING, ended_at=None, output=None, last_err="", deadline=deadline)
    for token in tuple(transition.tokens.values()):
        if token.parent:
            transition.tokens.pop(token.id)  # what waits for it begins it again
            continue
        transition.record("RunRetried", replace(token, activation=None), origin=STOPPED, target=token.step)
        transition.arrive(token)
