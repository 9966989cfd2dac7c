"""Errors of a state: its catchers are the routes of ERROR, TIMEOUT, FAIL and STOPPED."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final, TypeAlias

from chalicelib.asl.export.graph import saved_at
from chalicelib.asl.export.scope import Scope
from chalicelib.asl.export.values.names import INPUT, NOTHING, NULL, Inexpressible, Meaning, error_meaning
from chalicelib.asl.export.values.rewrite import STATES_OF_ERRORS
from chalicelib.asl.export.values.shapes import compared_names
from chalicelib.asl.export.values.templates import names_in, wrapped
from chalicelib.asl.export.ways import KEEP, Here, Way, assigned, end_of, unrouted_error, way_of
from chalicelib.model.flow import TIMEOUT, CallStep, ChoiceStep, EachStep, ForkStep, Route, Step
from chalicelib.model.json_values import Json

ALL: Final = "States.ALL"
TASK_FAILED: Final = "States.TaskFailed"
"""Every error but a timeout."""

_TIMEOUT: Final = "States.Timeout"
_OUTPUT: Final = "$states.errorOutput"

Behind: TypeAlias = Callable[[Scope, str, Sequence[Route], Here], str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Failures:
    """How a state can fail.

    Attributes:
        states: The states of FSL for its failures beside TIMEOUT: the first takes all errors that no other does.
        timeouts: The errors of its time limits; empty if it has none.
        named: The names of errors that lead to a state of the action.
    """

    states: tuple[str, ...]
    timeouts: tuple[str, ...] = ()
    named: tuple[tuple[str, tuple[str, ...]], ...] = ()


def catchers(scope: Scope, step: Step, place: str, failures: Failures, choose: Behind) -> list[dict[str, Json]]:
    """Return the catchers of a step. `choose` adds a Choice for routes with conditions that no catcher can have."""
    found: list[dict[str, Json]] = []
    for state, names in failures.named:
        found += _for_state(scope, step, place, state, names, choose, is_failure=False)
    if failures.timeouts:
        found += _for_state(scope, step, place, TIMEOUT, failures.timeouts, choose)
    caught = any(one["ErrorEquals"] == list(failures.timeouts) for one in found)
    every = ALL if caught or not failures.timeouts else TASK_FAILED
    for state in failures.states:
        more = list(_for_state(scope, step, place, state, (every,), choose))
        found += more
        if any(one["ErrorEquals"] == [every] for one in more):
            break
    return _merged(_without_needless(scope, found))


def _for_state(
    scope: Scope,
    step: Step,
    place: str,
    state: str,
    names: tuple[str, ...],
    choose: Behind,
    *,
    is_failure: bool = True,
) -> Iterator[dict[str, Json]]:
    """Yield the catchers for the routes of a state, to which the errors `names` lead."""
    routes = [route for route in step.routes if route.state in (None, state)]
    here = _here(scope, step, place, state, is_failure=is_failure)
    here = replace(here, assign=_saved(scope, here))
    here = here if here.assign else replace(here, saved=frozenset())
    for index, route in enumerate(routes):
        equals = names if route.when is None else named_in(route.when)
        if equals is None:
            yield _complex(scope, here, routes[index:], names, choose)
            return
        yield _made(scope, equals, way_of(scope, route, here))
        if route.when is None:
            return


def named_in(when: str) -> tuple[str, ...] | None:
    """Return the names of errors to which a condition restricts a route; None if it does something else."""
    return error_names(compared_names(when))


def error_names(compared: tuple[str, tuple[str, ...]] | None) -> tuple[str, ...] | None:
    """Return the names of errors in Step Functions of what a condition compares; None if it compares something else."""
    if compared is None:
        return None
    path, texts = compared
    if path == "error.name":
        return tuple(STATES_OF_ERRORS.get(text, text) for text in texts)
    return tuple(f"States.Http.StatusCode.{text}" for text in texts) if path == "error.status" else None


def _here(scope: Scope, step: Step, place: str, state: str, *, is_failure: bool) -> Here:
    """Return a catcher as a place. `is_failure`: whether the error is one in FSL, too, and not only a state."""
    error: dict[str, str] = {"name": wrapped(f"{_OUTPUT}.Error"), "cause": wrapped(f"{_OUTPUT}.Cause")}
    if not isinstance(step, (ForkStep, EachStep, CallStep)):  # their errors come from a step that is not known
        error |= {"step": step.name, "state": state}
    words = {name: text[3:-3] if text.startswith("{%") else f'"{text}"' for name, text in error.items()}
    whole = "{" + ", ".join(f'"{name}": {text}' for name, text in words.items()) + "}"
    meaning = error_meaning(whole, words) if is_failure else NOTHING
    known = Meaning(whole=f'"{state}"')
    return Here(
        step=step,
        place=place,
        writer=scope.writer(step.name, result=NULL, error=meaning, state=known),
        behind=scope.writer(step.name, result=NULL, state=known),
        saved=saved_at(step),
        carried=wrapped("null"),
        error=error if is_failure else None,
        is_failure=is_failure,
        state=state,
    )


def _made(scope: Scope, names: Sequence[str], way: Way) -> dict[str, Json]:
    target = scope.state_named(way.next) if way.next else end_of(scope)
    return {"ErrorEquals": list(names), **way.fields, "Next": target}


def _saved(scope: Scope, here: Here) -> dict[str, Json]:
    """Return what `save` sets where the step failed: there is no result then, and null is kept in its place.

    A `save` that fails without a result is not done at all, as in FSL.
    """
    step = here.step
    if isinstance(step, ChoiceStep) or any("$need" in str(template) for template in step.save.values()):
        return {}
    try:
        return assigned(scope, here.writer, step.save, "`save` sets")
    except Inexpressible:
        return {}  # it is a problem of the state itself


def _complex(
    scope: Scope, here: Here, routes: Sequence[Route], names: Sequence[str], choose: Behind
) -> dict[str, Json]:
    """Return a catcher that leads to a Choice with the routes."""
    behind = replace(
        here,
        writer=here.behind,
        saved=frozenset(),
        assign={},
        error=KEEP,
        is_failure=False,
        has_error=here.is_failure,
        unrouted=(wrapped(f"${scope.error}.name"), wrapped(f"${scope.error}.cause"))
        if here.is_failure
        else unrouted_error(here.step.name, here.state),
    )
    choice = choose(scope, f"{here.step.name}{here.state.title()}", routes, behind)
    way = Way(next=choice, assign={**here.assign, scope.error: here.error})
    if any("result" in names_in(route.entries) for route in routes):
        way.output = here.carried
    return _made(scope, names, way)


def _without_needless(scope: Scope, found: list[dict[str, Json]]) -> list[dict[str, Json]]:
    """Leave out the last catchers that only pass the error on: an error that nothing catches does that."""
    passing = {"Type": "Fail", "Error": wrapped(f"{INPUT}.Error"), "Cause": wrapped(f"{INPUT}.Cause")}
    while found and found[-1].keys() == {"ErrorEquals", "Next"} and scope.states.get(found[-1]["Next"]) == passing:
        name = found.pop()["Next"]
        if not any(_leads_to(state, name) for state in scope.states.values()) and all(
            one["Next"] != name for one in found
        ):
            del scope.states[name]
            scope.around.names.states.discard(name)
    return found


def _leads_to(state: dict[str, Json], name: str) -> bool:
    ways = [state, *state.get("Catch", ()), *state.get("Choices", ())]
    return any(way.get("Next") == name for way in ways) or state.get("Default") == name


def _merged(found: list[dict[str, Json]]) -> list[dict[str, Json]]:
    """Join a catcher of timeouts with that of everything else, if both do the same."""
    if len(found) > 1 and found[-1]["ErrorEquals"] == [ALL]:
        last, before = found[-1], found[-2]
        same = {**before, "ErrorEquals": [ALL]} == last
        if same and before["ErrorEquals"][0] == _TIMEOUT:
            return [*found[:-2], last]
    return found
