"""Answers to activations that have ended without one: the first late answer to each is kept in the history.

The head remembers the last of such activations, so that a flood of late answers neither reads nor adds more than that.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from chalicelib.engine.invocation import invocation_of
from chalicelib.model import status
from chalicelib.model.run import Token, Unanswered
from chalicelib.model.status import Status

if TYPE_CHECKING:
    from chalicelib.engine.transition import Transition

MAX_UNANSWERED: Final = 10
"""How many activations of a run are remembered: late answers to older ones are duplicates."""

_ANSWERED: Final = frozenset({"StepAcked", "StepRejected"})


def expect(transition: Transition) -> None:
    """Remember the activations that this transition ended without an answer. A run that succeeded takes none.

    A run that stops keeps its tokens with their activations, answered or not: they have ended, and are remembered then.
    Its retry no longer knows which were answered.
    """
    before, run = transition.before, transition.run
    if run.status is Status.SUCCEEDED:
        if run.unanswered:
            transition.set_run(unanswered=())
        return
    if before.status in status.STOPPED:
        return
    kept = () if run.status in status.STOPPED else transition.tokens.values()
    live = {token.activation.uuid for token in kept if token.activation}
    answered = {entry.uuid for entry in transition.entries if entry.event in _ANSWERED}
    known = live | answered
    ended = [token for token in before.tokens if token.activation and token.activation.uuid not in known]
    found = [one for token in ended if (one := _unanswered(transition, token))]
    if found:
        transition.set_run(unanswered=(*run.unanswered, *found)[-MAX_UNANSWERED:])


def _unanswered(transition: Transition, token: Token) -> Unanswered | None:
    invocation = invocation_of(transition.began_with, transition.before, token)
    if invocation is None or invocation.action.direct or token.activation is None or token.activation.held:
        return None
    return Unanswered(uuid=token.activation.uuid, step=token.step, token=token.id)
