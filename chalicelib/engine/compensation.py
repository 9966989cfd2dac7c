"""How a run fails or is canceled: the work of finished steps is undone, newest first, before the run ends."""

from __future__ import annotations

from msgspec.structs import replace

from chalicelib.engine.evaluation import Names, resolve_known
from chalicelib.engine.invocation import UNDO, invocation_of
from chalicelib.engine.secret_values import encrypted
from chalicelib.engine.size_limits import fit
from chalicelib.engine.step_result import StepResult
from chalicelib.engine.steps import action
from chalicelib.engine.transition import MAX_ERROR_CHARACTERS, Transition
from chalicelib.model.compiled_step import CompiledStep
from chalicelib.model.flow import BUILT_IN_STATES
from chalicelib.model.run import PendingUndo, Token
from chalicelib.model.status import Status


def note_undo(transition: Transition, step: CompiledStep, returned: StepResult, names: Names) -> None:
    """Remember how to undo a finished step, with the args as they are now. Raises ExpressionFailed.

    A step has finished when it leads to another step: not if it is repeated, and not if it stops the run.
    """
    undo = step.undo
    if undo is None or returned.state in BUILT_IN_STATES:
        return
    args = resolve_known(undo.args, names)
    if undo.secret_args:
        found = resolve_known(undo.secret_args, transition.with_secrets(names))
        args |= {name: encrypted(value, transition.cipher) for name, value in found.items()}
    fit("the args of its undo", args)
    pending = PendingUndo(step=step.step.name, action=undo.action, args=args)
    transition.set_run(undos=(*transition.run.undos, pending))


def fail(transition: Transition, status: Status, why: str) -> None:
    """End the run as `status` (failed or canceled), after everything that is to be undone has been undone."""
    transition.arrivals.clear()
    if not transition.run.undos:
        transition.end(status, error=why)
        return
    for token in tuple(transition.tokens.values()):
        transition.abandon(token)
        if token.parent:
            transition.tokens.pop(token.id)
        else:
            transition.put(replace(token, activation=None))
    if status is Status.CANCELED:
        passing = Status.CANCELING
    elif transition.run.status is Status.PAUSED:
        passing = Status.PAUSED  # `continue` starts the compensation
    else:
        passing = Status.COMPENSATING
    transition.set_status(passing)
    transition.set_run(ending=status, last_err=why, deadline=None)  # the flow's timeout does not bound the compensation
    _undo_next(transition)


def undone(transition: Transition, token: Token, returned: StepResult) -> None:
    """Continue with the next undo, whether this one succeeded or not."""
    undo = transition.run.undos[-1]
    transition.record_return(token, returned, "")
    if returned.state in BUILT_IN_STATES:
        problem = f"step {undo.step!r} could not be undone by {undo.action!r}: {returned.error}"
        transition.set_run(last_err=f"{transition.run.last_err}; {problem}"[:MAX_ERROR_CHARACTERS])
    transition.set_run(undos=transition.run.undos[:-1])
    _undo_next(transition)


def _undo_next(transition: Transition) -> None:
    if not transition.run.undos:
        transition.tokens.pop(UNDO, None)
        transition.end(transition.run.ending or Status.FAILED, error=transition.run.last_err)
        return
    token = transition.put(Token(id=UNDO, step=transition.run.undos[-1].step))
    invocation = invocation_of(transition.definition, transition.run, token)
    if invocation is not None:
        action.enter(transition, token, invocation)
