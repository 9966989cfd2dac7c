"""How a run ends by itself: with its output, or with an error."""

from __future__ import annotations

from typing import Final

import msgspec
from msgspec.structs import replace

from chalicelib.engine.bindings import names_for
from chalicelib.engine.errors import ExpressionFailed
from chalicelib.engine.transition import Transition
from chalicelib.engine.undo.compensation import fail
from chalicelib.engine.values import size_limits
from chalicelib.engine.values.evaluation import OnNothing, resolve
from chalicelib.model.flow import DONE, STOPPED
from chalicelib.model.run import Token
from chalicelib.model.run_error import StepError
from chalicelib.model.status import Status

MAX_ERROR_DATA_BYTES: Final = 4 * 1024
"""Bytes of JSON of the data in the error of a run. Larger data is left out of the head; the history has it."""


def succeed(transition: Transition, token: Token, *, has_output: bool) -> None:
    """End the run with its output, which is the token's result if the route made it or if the flow makes none."""
    output = transition.definition.flow.output
    value = token.result
    try:
        if output is not None and not has_output:
            names = names_for(transition.definition, transition.run, token, transition.at, draws=transition.draws)
            value = resolve(output, names, OnNothing.NULL)
        size_limits.fit("the output", value)
    except ExpressionFailed as failure:
        transition.put(replace(token, step=DONE))  # where `retry` takes the run up
        stop(transition, StepError(failure.name, f"the flow's output could not be made: {failure}", step=token.step))
        return
    transition.end(Status.SUCCEEDED, output=value)


def fail_with(transition: Transition, error: StepError) -> None:
    """End the run as failed, after its work has been undone."""
    transition.set_run(error=_bounded(error))
    fail(transition, Status.FAILED, error.text)


def stop(transition: Transition, error: StepError) -> None:
    """End the run as failed without undoing anything: all its steps succeeded."""
    undos = transition.run.undos
    transition.record(
        "RunFailed", origin=transition.current_step, target=STOPPED, error=error.cause, error_name=error.name
    )
    transition.end(Status.FAILED, error=error.text)
    transition.set_run(error=_bounded(error), undos=undos)


def _bounded(error: StepError) -> StepError:
    is_large = error.data is not None and len(msgspec.json.encode(error.data)) > MAX_ERROR_DATA_BYTES
    return replace(error, data=None) if is_large else error
