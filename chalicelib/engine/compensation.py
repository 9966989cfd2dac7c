"""How a run comes to nothing: what its finished steps asked for is undone, newest first; then it has ended."""

from __future__ import annotations

from msgspec.structs import replace

from chalicelib.engine.invocation import UNDO, errand_of
from chalicelib.engine.steps import action
from chalicelib.engine.transition import REMEMBERED_ERROR, Draft, Left
from chalicelib.model.flow import BUILT_IN_STATES
from chalicelib.model.run import Token
from chalicelib.model.status import Status


def fail(draft: Draft, status: Status, why: str) -> None:
    """The run comes to nothing: what its finished steps asked for is undone, newest first; then it has ended."""
    draft.arrivals.clear()
    if not draft.run.undos:
        draft.end(status, error=why)
        return
    for token in tuple(draft.tokens.values()):
        draft.abandon(token)
        if token.parent:
            draft.tokens.pop(token.id)
        else:
            draft.put(replace(token, activation=None))
    if status is Status.CANCELED:
        passing = Status.CANCELING
    elif draft.run.status is Status.PAUSED:
        passing = Status.PAUSED  # `continue` lets it be undone
    else:
        passing = Status.COMPENSATING
    draft.set_run(status=passing, ending=status, last_err=why, deadline=None)  # undoing has time of its own
    _undo_next(draft)


def _undo_next(draft: Draft) -> None:
    if not draft.run.undos:
        draft.tokens.pop(UNDO, None)
        draft.end(draft.run.ending or Status.FAILED, error=draft.run.last_err)
        return
    token = draft.put(Token(id=UNDO, step=draft.run.undos[-1].step))
    errand = errand_of(draft.definition, draft.run, token)
    if errand is not None:
        action.enter(draft, token, errand)


def undone(draft: Draft, token: Token, left: Left) -> None:
    """The undoing of a step has come to an end, well or not: the next one's turn."""
    undo = draft.run.undos[-1]
    draft.record_left(token, left, "")
    if left.state in BUILT_IN_STATES:
        trouble = f"{draft.run.last_err}; step {undo.step!r} could not be undone by {undo.action!r}: {left.error}"
        draft.set_run(last_err=trouble[:REMEMBERED_ERROR])
    draft.set_run(undos=draft.run.undos[:-1])
    _undo_next(draft)
