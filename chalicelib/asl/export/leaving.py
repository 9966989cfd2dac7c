"""How a state is left: what it saves, and where its routes lead, with a Choice behind it where they need one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from chalicelib.asl.export.choices import choose
from chalicelib.asl.export.graph import saved_at
from chalicelib.asl.export.scope import Scope
from chalicelib.asl.export.values.names import INPUT, NOTHING, NULL, RESULT, Inexpressible, Meaning
from chalicelib.asl.export.values.templates import Writer, wrapped
from chalicelib.asl.export.ways import KEEP, Here, assigned, unrouted_error, way_of
from chalicelib.asl.problems import pointer
from chalicelib.model.flow import ChoiceStep, Route, SetStep, Step
from chalicelib.model.json_values import Json

State = dict[str, Json]


def left(
    scope: Scope,
    step: Step,
    place: str,
    state: State,
    *,
    result: Meaning,
    carried: Json | object,
    returns: Sequence[str],
    state_text: str | None = None,
    response: Meaning = NOTHING,
    error: Meaning = NOTHING,
    passes: bool = False,
) -> State:
    """Complete a state with what it saves and where it leads.

    `passes`: it hands on its input, which `$result` is in the conditions of its routes.
    """
    known = Meaning(whole=f'"{returns[0]}"') if state_text is None else Meaning(whole=state_text)
    writer = scope.writer(step.name, result=result, error=error, state=known, response=response)
    try:
        saved = {} if isinstance(step, ChoiceStep) else assigned(scope, writer, step.save, "`save` sets")
    except Inexpressible as reason:
        scope.problem(pointer(place, "save"), f"step {step.name}: {reason}")
        saved = {}
    is_set = isinstance(step, SetStep)
    behind = _behind(scope, step, result, known, error, state_text=state_text, passes=passes)
    here = Here(
        step=step,
        place=place,
        writer=writer,
        behind=behind,
        ending=scope.writer(step.name, result=NULL, error=NOTHING, state=known) if is_set else None,
        saved=saved_at(step),
        assign=saved,
        carried=carried,
        passes=passes,
        state=returns[0],
    )
    routes = [route for route in step.routes if route.state in (None, *returns)]
    if state_text is None and routes and routes[0].when is None:
        way = way_of(scope, routes[0], here)
        ends = {"Next": scope.state_named(way.next)} if way.next else {"End": True}
        return {**state, **way.fields, **ends}
    return _to_choice(scope, state, saved, here, routes, returns, state_text, passes=passes)


def _behind(
    scope: Scope, step: Step, result: Meaning, known: Meaning, error: Meaning, *, state_text: str | None, passes: bool
) -> Writer:
    """Return the writer of the states behind a state, which have its output as their input."""
    if state_text is None:
        at_input = Meaning(whole=INPUT) if passes is False or result.whole == INPUT else result
        return scope.writer(step.name, result=at_input, error=error, state=known)
    moved = Meaning(whole=state_text.replace(RESULT, INPUT))
    at_input = Meaning(whole=(result.whole or RESULT).replace(RESULT, INPUT))
    return scope.writer(step.name, result=at_input, error=error, state=moved)


def _to_choice(
    scope: Scope,
    state: State,
    saved: State,
    here: Here,
    routes: Sequence[Route],
    returns: Sequence[str],
    state_text: str | None,
    *,
    passes: bool,
) -> State:
    """Complete a state that has conditional routes, or returns several states: a Choice behind it decides."""
    step = here.step
    carried: Json | object = KEEP
    if state_text is not None:
        carried = wrapped(here.behind.reads.result.whole or INPUT)
    elif passes:
        carried = here.carried
    after = replace(
        here,
        writer=here.behind,
        saved=frozenset(),
        assign={},
        carried=carried,
        unrouted=_unrouted(step, routes, returns, here.state if state_text is None else "a state"),
    )
    text = None if state_text is None else state_text.replace(RESULT, INPUT)
    choice = choose(scope, f"{step.name}Route", routes, after, text, returns)
    output = {} if here.carried is KEEP or state_text is not None or passes else {"Output": here.carried}
    return {**state, **({"Assign": saved} if saved else {}), **output, "Next": choice}


def _unrouted(step: Step, routes: Sequence[Route], returns: Sequence[str], state: str) -> tuple[Json, Json] | None:
    """Return the error of a step that returned a state without a route; None if every state that it returns has one."""
    taken = {route.state for route in routes if route.when is None}
    return None if taken.issuperset(returns) else unrouted_error(step.name, state)
