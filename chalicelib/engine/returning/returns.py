"""What follows when a step returns: it is done again, or its variables are saved and its route is taken.

The order is fixed: `repeat`, `save` with the old variables, then the route and its entries with the new ones. If any of
it fails, the step returns ERROR once. This second return is neither repeated nor saved; it only takes a route.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import msgspec
import msgspec.structs
from msgspec.structs import replace

from chalicelib.engine.bindings import NO_NAMES, result_of, step_names
from chalicelib.engine.errors import ComputedTooLarge, ExpressionFailed, NoMatch
from chalicelib.engine.returning.assignments import assigned
from chalicelib.engine.returning.repeats import Repetition, next_repetition
from chalicelib.engine.returning.routes import choose, place_of_route
from chalicelib.engine.step_result import StepResult
from chalicelib.engine.transition import MAX_ERROR_CHARACTERS, Transition
from chalicelib.engine.values import size_limits
from chalicelib.engine.values.evaluation import Names, holds, resolve_kept
from chalicelib.engine.values.secret_values import shown
from chalicelib.model.flow import BUILT_IN_STATES, DONE, ERROR, FAIL, STOPPED, STOPPED_STATE, ChoiceStep, Route, SetStep
from chalicelib.model.json_values import Json, scalar_text
from chalicelib.model.run import Token
from chalicelib.model.run_error import ErrorName, StepError
from chalicelib.model.templates import Template

MAX_ERROR_NAME_CHARACTERS: Final = 128
"""Longer names of errors are cut off."""

_FAILURES: Final = BUILT_IN_STATES | {FAIL, STOPPED_STATE}
"""The states that say themselves that something failed."""


class Move(msgspec.Struct, frozen=True, kw_only=True):
    """Where a token goes after its step, and with what."""

    target: str
    output: Json = None
    error: StepError | None = None
    """Why the token stops, if it does."""
    is_given: bool = False
    """Whether the route gives the output or the error."""
    route: int = 0
    """Which of the step's routes with the same state and target it takes, counted from 0."""


def after_step(transition: Transition, token: Token, returned: StepResult) -> Token:
    """Return the token as it is after its step.

    A choice that returns no state keeps what the step before it returned; one that does keeps its result.
    """
    after = replace(token, activation=None)
    error = returned.error if transition.definition.reads_error else None
    if not isinstance(transition.step_of(token), ChoiceStep):
        response = returned.response if transition.definition.reads_response else None
        return replace(after, state=returned.state, result=result_of(returned), response=response, error=error)
    return replace(after, state=returned.state, error=error) if returned.state else after


def located(token: Token, returned: StepResult) -> StepResult:
    """Return the result with the step and the state in its error, and texts cut off that are too long."""
    error = returned.error
    if error is None:
        return returned
    error = replace(
        error,
        name=error.name[:MAX_ERROR_NAME_CHARACTERS],
        cause=error.cause[:MAX_ERROR_CHARACTERS],
        step=error.step or token.step,
        state=error.state or returned.state,
    )
    return msgspec.structs.replace(returned, error=error)


def next_move(transition: Transition, entered: Token, token: Token, returned: StepResult) -> Repetition | Move | None:
    """Save what the step saves, and return where the token goes; None if no route accepts the state.

    `entered` is the token as it entered the step, `token` as it is after it. Raises ExpressionFailed; then what was
    saved must be taken back.
    """
    compiled = transition.definition.steps[token.step]
    if returned.too_large:
        raise ComputedTooLarge(returned.too_large)
    step = compiled.step
    if not returned.after_failure:
        if not isinstance(step, (ChoiceStep, SetStep)) and step.repeat:
            repetition = next_repetition(transition, token, _names(transition, entered, token, returned))
            if repetition is not None:
                return repetition
        if not isinstance(step, ChoiceStep) and step.save:
            _save(transition, token, step.save, _names(transition, entered, token, returned))
    names = _names(transition, entered, token, returned)
    route = choose(compiled, returned.state, lambda when: holds(when, transition.with_secrets(names)))
    if route is not None:
        place = place_of_route(route, step.routes, returned.state)
        return _move(transition, route, place, names, token, returned)
    if isinstance(compiled.step, ChoiceStep) and not returned.state:
        raise NoMatch("none of its conditions holds, and there is no else")
    return None


def failure_of(token: Token, returned: StepResult, failure: ExpressionFailed) -> StepResult:
    """Return what the step returns after its return could not be processed. A failure keeps its own name."""
    if returned.state in _FAILURES and returned.error is not None:
        error = replace(returned.error, cause=f"{returned.error.cause}; then {failure}")
    else:
        data = result_of(returned)
        error = StepError(failure.name, str(failure), step=token.step, state=returned.state, data=data)
    event = returned.event if returned.event == "StepPassed" else "StepFailed"
    return StepResult(state=ERROR, error=error, event=event, response=returned.response, after_failure=True)


def unrouted_error(token: Token, returned: StepResult) -> StepError:
    """Return the error of a token that no route takes on: the step's own, or that its state has no route."""
    error = returned.error
    if error is not None and returned.state in _FAILURES:
        return error
    cause = f"step {token.step!r} returned {returned.state}, which it does not route"
    cause += f" ({error.text})" if error else ""
    data = result_of(returned)
    return StepError(ErrorName.NOT_ROUTED, cause, step=token.step, state=returned.state, data=data)


def _names(transition: Transition, entered: Token, token: Token, returned: StepResult) -> Names:
    """Return the names at a step that has returned. A set has no data of its own: it reads those of the step before."""
    compiled = transition.definition.steps[token.step]
    if not compiled.names:
        return NO_NAMES
    if isinstance(compiled.step, SetStep):
        token = replace(token, result=entered.result, response=entered.response, error=entered.error)
    return step_names(transition, token, error=returned.error, event=returned.signal)


def _save(transition: Transition, token: Token, templates: Mapping[str, Template], names: Names) -> None:
    saved = assigned(transition, token, templates, names)
    size_limits.fit("the run's variables", {**transition.visible_vars(token), **saved})
    transition.set_vars(saved, token)


def _move(transition: Transition, route: Route, place: int, names: Names, token: Token, returned: StepResult) -> Move:
    if route.target == STOPPED:
        error = _stop_error(route, names, token, returned)
        return Move(target=STOPPED, error=error, is_given=bool(route.entries), route=place)
    if route.target != DONE:
        if route.entries:
            _save(transition, token, route.entries, names)
        return Move(target=route.target, route=place)
    output = resolve_kept(route.entries, names).get("output")
    size_limits.fit("the output", output)
    return Move(target=DONE, output=output, is_given=bool(route.entries), route=place)


def _stop_error(route: Route, names: Names, token: Token, returned: StepResult) -> StepError:
    """Return the error that the route gives, or that of the step, or one that only says where the run stopped."""
    given = resolve_kept(route.entries, names)
    where = f"step {token.step!r} returned {returned.state}, which leads to {STOPPED}"
    if not route.entries:
        return returned.error or StepError(ErrorName.STOPPED, where, step=token.step, state=returned.state)
    error = StepError(
        _text("error", given)[:MAX_ERROR_NAME_CHARACTERS] or ErrorName.STOPPED,
        _text("cause", given)[:MAX_ERROR_CHARACTERS],
        step=token.step,
        state=returned.state,
    )
    if "cause" in route.entries:
        return error
    return replace(error, cause=returned.error.text if returned.error else where)


def _text(name: str, given: Mapping[str, Json]) -> str:
    """Return the entry as text; nothing and null are the empty text. Raises ExpressionFailed."""
    value = given.get(name)
    if value is None or isinstance(value, str):
        return value or ""
    if isinstance(value, (bool, int, float)):
        return scalar_text(value)
    raise ExpressionFailed(f"`{name}` must be text, and is {shown(value)}")
