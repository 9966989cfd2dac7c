"""Another flow as a step: the token waits for the end of a run, the child."""

from __future__ import annotations

import hashlib
from typing import Final

from chalicelib.engine.effects import StartChild
from chalicelib.engine.errors import StepError
from chalicelib.engine.transition import JOIN_TIMEOUT_MS, Transition
from chalicelib.engine.values.evaluation import Names, resolve, resolve_known
from chalicelib.engine.values.size_limits import fit
from chalicelib.model.flow import CallStep
from chalicelib.model.json_values import Json
from chalicelib.model.run import Run, Token
from chalicelib.model.run_error import ErrorName
from chalicelib.model.status import Status
from chalicelib.model.templates import source_of
from chalicelib.model.times import Milliseconds
from chalicelib.model.waits import ChildWait

MAX_CHILD_NAME: Final = 512
"""Characters of a child's name: callers of the API may name runs by as many, and by more."""


def enter(transition: Transition, token: Token, step: CallStep, names: Names) -> None:
    """Start the child and wait for its end. Raises ExpressionFailed.

    An entry of the input that yields nothing is left out: the called flow has a default for it, or refuses to start.
    """
    is_one_value = source_of(step.input) is not None
    given = resolve(step.input, names) if is_one_value else resolve_known(step.input, names)
    fit("the input of the run that it starts", given)
    start_child(transition, token, step.timeout, given)


def start_child(transition: Transition, token: Token, timeout: Milliseconds | None, given: Json) -> None:
    """Start a child with that input, or leave it to `continue` if this run is paused, and let the token wait for it."""
    token = transition.activate(token, timeout if timeout is not None else JOIN_TIMEOUT_MS)
    if token.activation:
        child = child_name(transition.run, token.step, token.activation.uuid)
        token = transition.set_wait(token, ChildWait(child=child, input=given))
        if transition.run.status is not Status.PAUSED:
            start(transition, token)


def start(transition: Transition, token: Token) -> None:
    """Start the run that the token waits for."""
    if token.activation:
        transition.emit(StartChild(token.activation.uuid))


def error_of(child: Run) -> StepError | None:
    """Return the error with which a `call` returns when the child has ended; None if it has succeeded."""
    if child.status is Status.SUCCEEDED:
        return None
    name = ErrorName.CHILD_CANCELED if child.status is Status.CANCELED else ErrorName.CHILD_FAILED
    return child.error or StepError(name, child.last_err)


def child_name(run: Run, step: str, uuid: str) -> str:
    """Return the name of the run that an activation starts. The same activation always gives the same name.

    The name is the path to the child, and ends in the whole uuid, so no two names are the same. Where the path is too
    long, a digest replaces all but its end.
    """
    ending = f".{step}.{uuid}"
    if len(run.name) + len(ending) <= MAX_CHILD_NAME:
        return run.name + ending
    digest = hashlib.sha256(run.name.encode()).hexdigest()[:32]
    return f"~{digest}{ending}"
