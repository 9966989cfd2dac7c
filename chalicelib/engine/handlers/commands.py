"""Commands: what a person asks of a run. The tables of `lifecycle` decide where each of them is allowed."""

from __future__ import annotations

from typing import Final, TypeAlias, assert_never

from msgspec.structs import replace

from chalicelib.engine import admission, lifecycle, notices, suspensions
from chalicelib.engine.effects import Outcome, RequestPermit, SetTimer
from chalicelib.engine.errors import CommandRefused, NoFailedUndo
from chalicelib.engine.events import (
    Event,
    LabelsSet,
    RunContinued,
    RunMigrated,
    RunPaused,
    RunRetried,
    RunStopped,
    TokenMoved,
    UndosRetried,
    VarsSet,
)
from chalicelib.engine.handlers.goto import go_to
from chalicelib.engine.handlers.migrate import migrate
from chalicelib.engine.handlers.retry import retry
from chalicelib.engine.invocation import UNDO, awaits_approval, invocation_of
from chalicelib.engine.lifecycle import Command
from chalicelib.engine.returning.repeats import is_repeating
from chalicelib.engine.steps import call, outgoing, waits
from chalicelib.engine.transition import Transition
from chalicelib.engine.undo.compensation import fail, retry_undos, stop_held_children
from chalicelib.engine.values import size_limits
from chalicelib.model.flow import STOPPED, EventStep, Step, TimerStep
from chalicelib.model.run import Activation, Run, Token
from chalicelib.model.status import SUSPEND, Status
from chalicelib.model.times import Instant
from chalicelib.model.waits import ChildWait, EmitWait, StartWait

CommandEvent: TypeAlias = (
    RunPaused | RunContinued | RunStopped | RunRetried | RunMigrated | TokenMoved | UndosRetried | VarsSet | LabelsSet
)

_COMMANDS: Final[dict[type[Event], Command]] = {
    RunPaused: Command.PAUSE,
    RunContinued: Command.CONTINUE,
    RunStopped: Command.STOP,
    RunRetried: Command.RETRY,
    RunMigrated: Command.MIGRATE,
    TokenMoved: Command.GOTO,
    UndosRetried: Command.RETRY_UNDOS,
    VarsSet: Command.VARS,
    LabelsSet: Command.LABELS,
}


def apply_command(transition: Transition, event: CommandEvent) -> Outcome:
    """Carry out the command; ignore it if it has its effect already. Raises Refused."""
    if not _applies(transition.run, event):
        return Outcome.IGNORED
    match event:
        case RunPaused():
            transition.record("RunPaused", target=SUSPEND, origin=transition.current_step)
            transition.set_status(Status.PAUSED)
            transition.set_run(paused_at=transition.at, paused_with_parent=event.with_parent)
            transition.sync_children()
        case RunContinued():
            _continue(transition)
        case RunStopped(reason=reason):
            transition.record("RunStopped", target=STOPPED, origin=transition.current_step, error=reason)
            transition.set_run(error=None)
            fail(transition, Status.CANCELED, reason or "stopped by a person")
        case RunRetried() | RunMigrated() | TokenMoved():
            _mend(transition, event)
        case UndosRetried():
            if not transition.run.failed_undos:
                raise NoFailedUndo(transition.run.name)
            retry_undos(transition)
        case VarsSet():
            _set_vars(transition, event)
            return Outcome.ADVANCED
        case LabelsSet():
            return _set_labels(transition, event)
        case _:
            assert_never(event)
    transition.set_run(stored_event=str(_COMMANDS[type(event)]))
    return Outcome.ADVANCED


def _mend(transition: Transition, event: RunRetried | RunMigrated | TokenMoved) -> None:
    match event:
        case RunRetried():
            retry(transition, event)
        case RunMigrated():
            migrate(transition, event)
        case TokenMoved():
            go_to(transition, event)


def _applies(run: Run, event: CommandEvent) -> bool:
    """Return whether the command changes anything. Raises CommandRefused."""
    command = _COMMANDS[type(event)]
    if run.status in lifecycle.WITHOUT_EFFECT[command]:
        return False
    has_succeeded = command is Command.STOP and run.ending is Status.SUCCEEDED
    is_busy = command in (Command.MIGRATE, Command.GOTO) and (run.ending is not None or admission.waits(run))
    if run.status not in lifecycle.ALLOWED[command] or has_succeeded or is_busy:
        raise CommandRefused(run.name, run.status, command)
    if isinstance(event, RunMigrated) and event.target.ref == run.definition and not event.steps:
        return False
    # A run that a person paused is continued by a person, not with its parent.
    return not (isinstance(event, RunContinued) and event.with_parent and not run.paused_with_parent)


def _set_vars(transition: Transition, event: VarsSet) -> None:
    """Change and remove variables of the run. Raises TooLarge."""
    changed = transition.encrypt_secrets(event.vars)
    variables = {**transition.run.vars, **changed}
    removed = tuple(name for name in dict.fromkeys(event.remove) if name in variables)
    variables = {name: value for name, value in variables.items() if name not in removed}
    size_limits.admit("the run's variables", variables)
    transition.record("VarsSet", vars=changed, removed=removed)
    transition.replace_vars(variables)


def _set_labels(transition: Transition, event: LabelsSet) -> Outcome:
    """Change and remove labels of the run. Raises TooLarge."""
    before = transition.run.labels
    removed = tuple(name for name in dict.fromkeys(event.remove) if name in before)
    labels = {name: value for name, value in {**before, **event.labels}.items() if name not in removed}
    if labels == before:
        return Outcome.IGNORED
    size_limits.admit_labels(labels)
    transition.record("LabelsSet", data={"set": event.labels, "remove": list(removed)})
    transition.set_run(labels=labels)
    return Outcome.ADVANCED


def _continue(transition: Transition) -> None:
    """Send what was held, and move deadlines by the length of the pause."""
    paused_at = transition.run.paused_at or transition.at
    pause = transition.at - paused_at
    transition.record("RunContinued", origin=SUSPEND, target=transition.current_step)
    deadline = transition.run.deadline
    begun = Status.PENDING if admission.waits(transition.run) else Status.RUNNING
    resumed = {None: begun, Status.CANCELED: Status.CANCELING}.get(transition.run.ending, Status.COMPENSATING)
    transition.set_status(resumed)
    if resumed is Status.PENDING:
        transition.emit(RequestPermit())
    is_suspended = transition.run.suspended_at is not None
    moved = deadline + pause if deadline is not None and not is_suspended else deadline
    if is_suspended:
        transition.emit(SetTimer(transition.at))  # its actions may have been continued while it was paused
    transition.set_run(paused_at=None, deadline=moved, paused_with_parent=False)
    stop_held_children(transition)
    notices.release(transition)
    for token in tuple(transition.tokens.values()):
        activation = token.activation
        if activation is None:
            continue
        step = transition.definition.step(token.step) if token.id != UNDO else None
        token = transition.put(
            replace(token, activation=_postpone(transition.run, activation, step, paused_at, transition.at))
        )
        if isinstance(step, EventStep):
            waits.listen(transition, token, step)
        elif activation.held and not is_repeating(token):
            _send(transition, token)
    transition.sync_children()


def _send(transition: Transition, token: Token) -> None:
    """Send what the token's activation held back while the run was paused."""
    wait = token.activation.wait if token.activation else None
    if isinstance(wait, ChildWait):
        call.start(transition, token)
        return
    if isinstance(wait, (EmitWait, StartWait)):
        outgoing.execute(transition, token)
        return
    invocation = invocation_of(transition.definition, transition.run, token)
    if invocation and not invocation.is_human and not awaits_approval(token):
        transition.deliver(token)


def _postpone(run: Run, activation: Activation, step: Step | None, paused_at: Instant, at: Instant) -> Activation:
    """Return the activation with its deadlines moved by the time that it was paused; a timer's moment is not moved.

    Those that are suspended are moved when their actions are continued.
    """
    is_moment = isinstance(step, TimerStep) and step.is_moment
    if is_moment or suspensions.holds_back(run, activation):
        return replace(activation, held=False)
    return replace(suspensions.postponed(activation, paused_at, at), held=False)
