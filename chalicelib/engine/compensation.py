"""How a run comes to nothing: what its finished steps asked for is undone, newest first; then it has ended."""

from __future__ import annotations

from msgspec.structs import replace

from chalicelib.engine.invocation import UNDO, invocation_of
from chalicelib.engine.steps import action
from chalicelib.engine.transition import REMEMBERED_ERROR, StepResult, Transition
from chalicelib.model.flow import BUILT_IN_STATES
from chalicelib.model.run import Token
from chalicelib.model.status import Status


def fail(transition: Transition, status: Status, why: str) -> None:
    """The run comes to nothing: what its finished steps asked for is undone, newest first; then it has ended."""
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
        passing = Status.PAUSED  # `continue` lets it be undone
    else:
        passing = Status.COMPENSATING
    transition.set_run(status=passing, ending=status, last_err=why, deadline=None)  # undoing has time of its own
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


def undone(transition: Transition, token: Token, returned: StepResult) -> None:
    """The undoing of a step has come to an end, well or not: the next one's turn."""
    undo = transition.run.undos[-1]
    transition.record_return(token, returned, "")
    if returned.state in BUILT_IN_STATES:
        trouble = (
            f"{transition.run.last_err}; step {undo.step!r} could not be undone by {undo.action!r}: {returned.error}"
        )
        transition.set_run(last_err=trouble[:REMEMBERED_ERROR])
    transition.set_run(undos=transition.run.undos[:-1])
    _undo_next(transition)
