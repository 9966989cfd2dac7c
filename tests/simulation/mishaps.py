"""What may go wrong after a step returned, and what flows do about errors: drawn for each step."""

from __future__ import annotations

from random import Random
from typing import Final

from msgspec.structs import replace

from chalicelib.model.flow import (
    DONE,
    ERROR,
    FAIL,
    STOPPED,
    STOPPED_STATE,
    TIMEOUT,
    ActionStep,
    CallStep,
    ChoiceStep,
    EachStep,
    EventStep,
    ForkStep,
    Jitter,
    RepeatRule,
    Route,
    SetStep,
    Step,
)
from chalicelib.model.templates import expression

FAILS: Final = "$number('x')"
"""An expression that always fails."""

NEVER: Final = "never"
"""A variable that only steps save of which something fails after the states that lead on: it is never 1."""

_NEVER: Final = {NEVER: expression("$state in ['OK', 'GO', 'DONE'] ? 1 : 0")}

_COUNT: Final = {"n": expression("$vars.n + 1")}


def with_mishaps(rng: Random, step: Step, forward: str) -> Step:
    """The step with rules to repeat it, entries on its routes, routes of ERROR, and expressions that fail."""
    if rng.random() < 0.5:
        return step
    step = replace(step, routes=tuple(_with_entries(rng, route) for route in step.routes))
    if isinstance(step, (SetStep, ChoiceStep)):
        return _with_error_route(step, forward) if rng.random() < 0.5 else step
    if rng.random() < 0.4:
        step = replace(step, repeat=tuple(_rule(rng, step) for _ in range(rng.choice((1, 1, 2)))))
    if rng.random() < 0.12:
        step = _failing(rng, step, forward)
    return step


def _rule(rng: Random, step: Step) -> RepeatRule:
    state = rng.choice((*_states(step), None))
    when = "$vars.n < 3" if state is None or rng.random() < 0.3 else None
    return RepeatRule(
        state=state,
        when=when,
        max=rng.choice((1, 1, 2)),
        delay=rng.choice((0, 500, 500, 30_000)),
        cap=rng.choice((600, 60_000)),
        jitter=rng.choice((Jitter.NONE, Jitter.NONE, Jitter.FULL)),
    )


def _states(step: Step) -> tuple[str, ...]:
    """The states that a rule may be for."""
    match step:
        case ActionStep():
            return ("OK", "FAIL", "ODD", ERROR, ERROR, TIMEOUT)
        case EventStep():
            return ("GO", "NO", TIMEOUT)
        case ForkStep() | EachStep():
            return ("DONE", FAIL, FAIL)
        case CallStep():
            return ("DONE", STOPPED_STATE, TIMEOUT)
        case _:
            return ("DONE", TIMEOUT)


def _with_entries(rng: Random, route: Route) -> Route:
    if rng.random() < 0.6:
        return route
    if route.target == DONE:
        return replace(route, entries={"output": expression("$result")})
    if route.target == STOPPED:
        return replace(route, entries={"error": "Drawn", "cause": expression("$string($vars.n)")})
    return replace(route, entries=_COUNT)


def _with_error_route(step: Step, forward: str) -> Step:
    if any(route.state == ERROR for route in step.routes):
        return replace(step, routes=tuple(_led(route, forward) for route in step.routes))
    return replace(step, routes=(Route(state=ERROR, target=forward), *step.routes))


def _led(route: Route, forward: str) -> Route:
    """An ERROR leads forward, since every return of the step becomes one."""
    return Route(state=ERROR, target=forward) if route.state == ERROR else route


def _failing(rng: Random, step: Step, forward: str) -> Step:
    """The step of which saving, repeating, or its first route fails whenever it returns."""
    step = _with_error_route(step, forward)
    kind = rng.choice(("save", "when", "entry", "repeat"))
    if kind == "save":
        return replace(step, save={**_NEVER, "x": expression(FAILS)})
    if kind == "repeat":
        return replace(step, save=_NEVER, repeat=(RepeatRule(when=f"{FAILS} = 1", max=1),))
    routes = [route for route in step.routes if route.state != ERROR]
    errors = [route for route in step.routes if route.state == ERROR]
    if kind == "when":
        routes = [replace(route, when=f"{FAILS} = 1") for route in routes]
    else:
        routes = [replace(route, entries=_failing_entries(route)) for route in routes]
    return replace(step, save=_NEVER, repeat=(), routes=(*errors, *routes))


def _failing_entries(route: Route) -> dict[str, object]:
    name = {DONE: "output", STOPPED: "cause"}.get(route.target, "x")
    return {name: expression(FAILS)}
