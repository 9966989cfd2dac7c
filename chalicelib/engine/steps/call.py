"""Another flow as a step: the token waits for the end of a run, the child."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Final

from chalicelib.engine.effects import StartChild
from chalicelib.engine.errors import ExpressionFailed
from chalicelib.engine.transition import JOIN_TIMEOUT_MS, Transition
from chalicelib.engine.values.evaluation import Names, resolve, resolve_known
from chalicelib.engine.values.options import optional_duration
from chalicelib.engine.values.size_limits import fit
from chalicelib.model.flow import CallStep, Flow
from chalicelib.model.json_values import Json
from chalicelib.model.run import Run, Token
from chalicelib.model.run_error import ErrorName, StepError
from chalicelib.model.status import Status
from chalicelib.model.templates import source_of
from chalicelib.model.times import Milliseconds
from chalicelib.model.waits import ChildWait

MAX_CHILD_NAME: Final = 512
"""Characters of a child's name: callers of the API may name runs by as many, and by more."""


def enter(transition: Transition, token: Token, step: CallStep, names: Names) -> None:
    """Start the child and wait for its end. Raises ExpressionFailed.

    An entry of the input that yields nothing is left out. If the called flow has no default for it, nothing is started,
    and the call returns ERROR.
    """
    is_one_value = source_of(step.input) is not None
    given = resolve(step.input, names) if is_one_value else resolve_known(step.input, names)
    fit("the input of the run that it starts", given)
    missing = () if is_one_value else tuple(name for name in step.input if name not in given)
    start_child(transition, token, optional_duration("timeout", step.timeout, names), given, missing)


def refuse_missing(flow: Flow, missing: Iterable[str]) -> None:
    """Raise ExpressionFailed if entries of the input that yielded nothing have no default in the called flow."""
    defaults = {parameter.name for parameter in flow.input if not parameter.required}
    lacking = [repr(name) for name in missing if name not in defaults]
    if lacking:
        what = f"entry {lacking[0]} yields" if len(lacking) == 1 else f"entries {', '.join(lacking)} yield"
        raise ExpressionFailed(f"{what} nothing in the input for flow {flow.name!r}, which has no default for it")


def start_child(
    transition: Transition, token: Token, timeout: Milliseconds | None, given: Json, missing: tuple[str, ...] = ()
) -> None:
    """Start a child with that input, or leave it to `continue` if this run is paused, and let the token wait for it."""
    token = transition.activate(token, timeout if timeout is not None else JOIN_TIMEOUT_MS)
    if token.activation:
        child = child_name(transition.run, token.step, token.activation.uuid)
        token = transition.set_wait(token, ChildWait(child=child, input=given, missing=missing))
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
    ending = f"{step}.{uuid}"
    whole, short = child_prefixes(run.name)
    return (whole if len(whole) + len(ending) <= MAX_CHILD_NAME else short) + ending


def child_prefixes(run: str) -> tuple[str, str]:
    """Return how the names of the children of the run with this name begin: short ones and long ones."""
    return f"{run}.", f"~{hashlib.sha256(run.encode()).hexdigest()[:32]}."
