"""`decide`: what an event makes of a run.

Theory of operation. The machine reads a head and an event, and returns the next head and effects; it keeps no state.
Each token is at one step. Entering a step either gives the token an activation (a wait with a uuid and a deadline) or,
where the step needs no wait, moves the token on immediately. An activation ends exactly once: by an answer, a failed
delivery, a deadline, an event, or the end of another run. `token_moves.leave` then finds the route of the state that
the step returned, and moves the token to its target. An event that cannot move the run is either late (IGNORED or
DUPLICATE: the same head is returned) or wrong (one of `errors`: nothing has changed). The same values always give the
same decision, so a writer that loses the conditional write reads the head and decides again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, assert_never

from chalicelib.engine import straight
from chalicelib.engine.effects import UNCHANGED, Decision, Outcome
from chalicelib.engine.events import (
    ActionHeld,
    ActionResumed,
    AnswerPending,
    ChildEnded,
    CircuitChanged,
    DeliveryFailed,
    DeliveryHeld,
    DeliveryTaken,
    Event,
    EventArrived,
    LabelsSet,
    NoticeTaken,
    ReplyIgnored,
    RunAdmitted,
    RunContinued,
    RunMigrated,
    RunPaused,
    RunRefused,
    RunRetried,
    RunStarted,
    RunStopped,
    StepAcked,
    StepExecuted,
    TimerFired,
    TokenMoved,
    UndosRetried,
    VarsSet,
)
from chalicelib.engine.handlers import answers, arrivals, deliveries, holds, start, timers
from chalicelib.engine.token_moves import run_until_waiting
from chalicelib.engine.transition import BlobReader, Transition
from chalicelib.engine.values.secret_values import NO_CIPHER, Cipher
from chalicelib.expressions import together
from chalicelib.model.definition import Definition
from chalicelib.model.json_values import Json
from chalicelib.model.run import Run

if TYPE_CHECKING:
    from chalicelib.engine.handlers.commands import CommandEvent


def _no_blobs(key: str) -> Json:
    raise LookupError(f"the run has no blob {key!r}")


def decide(
    definition: Definition,
    run: Run | None,
    event: Event,
    read_blob: BlobReader = _no_blobs,
    *,
    cipher: Cipher = NO_CIPHER,
    written: Run | None = None,
) -> Decision:
    """Return what the event makes of `run`, which is None if it does not exist yet.

    `read_blob` reads the run's blobs, `cipher` encrypts and decrypts its secrets. `written` is the head as it was read,
    if `run` is the result of earlier events in the same write. Raises `errors.Refused`; then nothing has changed.
    """
    decision = None
    if type(event) is StepAcked and run is not None:
        decision = straight.answered(definition, run, event)
    elif type(event) is RunStarted:
        decision = straight.started(definition, event)
    if decision is not None:
        return decision
    return decide_by_handlers(definition, run, event, read_blob, cipher=cipher, written=written)


@together()
def decide_by_handlers(
    definition: Definition,
    run: Run | None,
    event: Event,
    read_blob: BlobReader = _no_blobs,
    *,
    cipher: Cipher = NO_CIPHER,
    written: Run | None = None,
) -> Decision:
    """Decide as `decide` does, without its short way for plain answers."""
    if isinstance(event, RunStarted):
        return start.started(definition, event, read_blob, cipher)
    if run is None:
        raise LookupError("only RunStarted creates a run")
    transition = Transition(definition, run, event, read_blob, cipher, written)
    outcome = _apply(transition, event)
    if outcome not in UNCHANGED and not isinstance(event, RunMigrated):
        run_until_waiting(transition)
    return transition.build(outcome)


def _apply(transition: Transition, event: Event) -> Outcome:
    match event:
        case StepAcked():
            return answers.acked(transition, event)
        case RunAdmitted() | RunRefused():
            return start.proceed(transition, event)
        case (
            DeliveryFailed()
            | DeliveryHeld()
            | DeliveryTaken()
            | CircuitChanged()
            | AnswerPending()
            | ReplyIgnored()
            | NoticeTaken()
        ):
            return deliveries.delivered(transition, event)
        case ActionHeld() | ActionResumed():
            return holds.changed(transition, event)
        case EventArrived() | ChildEnded() | StepExecuted():
            return arrivals.arrived(transition, event)
        case TimerFired():
            return timers.fired(transition, event.paused)
        case RunPaused() | RunContinued() | RunStopped() | RunRetried() | UndosRetried() | VarsSet() | LabelsSet():
            return _command(transition, event)
        case RunMigrated() | TokenMoved():
            return _command(transition, event)
        case RunStarted():
            raise LookupError("a run starts once")
        case _:
            assert_never(event)


def _command(transition: Transition, event: CommandEvent) -> Outcome:
    from chalicelib.engine.handlers.commands import apply_command  # a cold start does not pay for it

    return apply_command(transition, event)
