"""Another flow as a step. The waiting token remembers the name of the run that it waits for (`child`)."""

from __future__ import annotations

import hashlib
from typing import Final

from chalicelib.engine.effects import StartChild
from chalicelib.engine.evaluation import Names, resolve
from chalicelib.engine.size_limits import fit
from chalicelib.engine.transition import FOREVER, Transition
from chalicelib.model.flow import CallStep
from chalicelib.model.run import Run, Token
from chalicelib.model.status import Status


def enter(transition: Transition, token: Token, step: CallStep, names: Names) -> None:
    """The other run is started, once this one is not paused, and its end waited for. Raises ExpressionFailed."""
    given = resolve(step.input, names)
    fit("the input of the run that it starts", given)
    token = transition.activate(token, step.timeout if step.timeout is not None else FOREVER)
    if token.activation:
        child = child_name(transition.run, token.step, token.activation.uuid)
        token = transition.remember(token, {"child": child, "input": given})
        if transition.run.status is not Status.PAUSED:
            start(transition, token)


def start(transition: Transition, token: Token) -> None:
    """The run for which the token waits is started."""
    if token.activation:
        transition.emit(StartChild(token.activation.uuid))


LONGEST_NAME: Final = 512
"""Characters of a child's name: callers of the API may name runs by as many, and by more."""


def child_name(run: Run, step: str, uuid: str) -> str:
    """The name of the run that an activation starts: the same whenever it is asked for.

    It tells the way to the child; where runs wait for one another in a long row, only its end.
    """
    ending = f".{step}.{uuid[:8]}"
    if len(run.name) + len(ending) <= LONGEST_NAME:
        return run.name + ending
    way = hashlib.sha256(run.name.encode()).hexdigest()[:32]
    return f"~{way}{ending}"
