"""Routes of drafts: which one is meant, where a new one stands, and what a new step returns."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, TypeAlias

from chalicelib.authoring.edit.drafts import ELSE, FlowDraft, RouteDraft, Source, StepDraft, normal, properties_of
from chalicelib.authoring.edit.errors import EditRefused, unknown
from chalicelib.language import parse
from chalicelib.language.problems import displayed
from chalicelib.language.syntax.tree import Assignment, Call, Group, Property, Route, Statement, Step, Value, Word
from chalicelib.model.flow import (
    BUILT_IN_STATES,
    DEFAULT_STATE,
    DONE,
    ENDS,
    ERROR,
    FAIL,
    STOPPED,
    STOPPED_STATE,
    TIMEOUT,
)

Returns: TypeAlias = Callable[[str], "Sequence[str] | None"]
"""Maps the name of an action to the states that it returns; None if the action is unknown."""

_DEFAULT: Final = (DEFAULT_STATE,)
_OWN_STATES: Final = {
    "set": _DEFAULT,
    "emit": _DEFAULT,
    "start": _DEFAULT,
    "fork": (DEFAULT_STATE, FAIL),
    "each": (DEFAULT_STATE, FAIL),
    "call": (DEFAULT_STATE, STOPPED_STATE),
}
"""The states that a step of a kind returns, and should route."""


def returns_of(statements: Sequence[Statement], others: Returns) -> Returns:
    """Return the states of the actions that a document declares, and those of others."""
    declared: dict[str, tuple[str, ...]] = {}
    for statement in statements:
        for one in statement.members if statement.kind.key == "action" else ():
            if isinstance(one, Property) and one.name.key == "return" and isinstance(one.value, Group):
                routes = [route for route in one.value.items if isinstance(route, Route)]
                declared[statement.name.text] = tuple(word.text for route in routes for word in route.states)
    return lambda name: declared[name] if name in declared else others(name)


def own_states(step: StepDraft, returns: Returns) -> tuple[str, ...] | None:
    """Return the states that a step returns apart from TIMEOUT and ERROR; None if they are unknown."""
    properties = {name: value_of(step, name) for name in ("action", "events")}
    if step.kind in ("step", "deci"):
        action = properties["action"]
        name = action.name if isinstance(action, Call) else action
        if not isinstance(name, Word):
            return () if step.kind == "deci" and action is None else None
        found = returns(name.text)
        return None if found is None else tuple(found)
    if step.kind == "wait" and "events" in properties_of(step):
        events = properties["events"]
        items = events.items if isinstance(events, Group) else ()
        return tuple(one.name.text for one in items if isinstance(one, Assignment)) or None
    return _OWN_STATES.get(step.kind, _DEFAULT)


def value_of(step: StepDraft, name: str) -> Value | None:
    """Return the value of a property of a step; None if it has none."""
    one = properties_of(step).get(name)
    if one is None or one.value is None:
        return None if one is None or one.node is None else one.node.value
    document, _ = parse(f"flow f step s => () {{ {name} = {one.value.now()}; }}; flow_end")
    found = document.statements[0].members[0]
    member = found.body.members[0] if isinstance(found, Step) and found.body else None
    return member.value if isinstance(member, Property) else None


def decides_by_data(step: StepDraft) -> bool:
    """Return whether the routes of a step have conditions and no states."""
    return step.kind == "deci" and "action" not in properties_of(step)


def route_states(step: StepDraft, own: Sequence[str] | None) -> tuple[str, ...] | None:
    """Return the states that a step can route, given its own; None if they are unknown."""
    if own is None:
        return None
    built_in = (ERROR,) if step.kind == "set" or not own else sorted(BUILT_IN_STATES)
    return (*own, *built_in)


def check_state(step: StepDraft, state: str | None, returns: Returns) -> None:
    """Raise EditRefused if a step cannot return a state."""
    known = route_states(step, own_states(step, returns))
    if state is not None and state != ELSE and known is not None and state not in known:
        raise unknown("state", state, known, step.label)


def target_of(flow: FlowDraft, step: StepDraft, to: str, names: Sequence[str], prefixes: Sequence[str]) -> str:
    """Return the name of a target of a step. `names` are the steps of its scope, `prefixes` those of a `use`."""
    if to.lower() in ENDS:
        return to.lower()
    if to not in names and not any(to.startswith(one) for one in prefixes):
        where = f"the {'flow' if step.scope is flow else 'scope'} of {step.label}"
        raise unknown("step", to, (*names, DONE, STOPPED), where)
    return to


def route_of(step: StepDraft, state: str | None, when: str | None) -> RouteDraft | None:
    """Return the route of a state under a condition; None if there is none.

    Without a condition, the route without one is meant, or the only one of that state. Raises EditRefused if several
    routes are meant.
    """
    routes = [one for one in step.routes if not one.is_deleted]
    exact = next((one for one in routes if one.matches(state, when)), None)
    if exact is not None or when is not None:
        return exact
    if state is None:
        return next((one for one in routes if one.matches(ELSE, None)), None)
    found = [one for one in routes if state in [name for name, _ in one.states]]
    if len(found) > 1:
        conditions = ", ".join(f"'{displayed(one.condition or '')}'" for one in found)
        raise EditRefused(f"{step.label} has several routes for {state}: `when` says which one is meant: {conditions}")
    return found[0] if found else None


def required_route(step: StepDraft, state: str | None, when: str | None) -> RouteDraft:
    """Return the route of a state under a condition. Raises EditRefused if there is none."""
    found = route_of(step, state, when)
    if found is None:
        raise unknown(
            "route", described(state, when), [labels(one) for one in step.routes if not one.is_deleted], step.label
        )
    return found


def described(state: str | None, when: str | None) -> str:
    """Return the label of a route, as in a diagram."""
    return " ".join([*([state] if state else []), *([f"when {normal(when)}"] if when is not None else [])]) or ELSE


def labels(route: RouteDraft) -> str:
    """Return the label of a route."""
    return described(", ".join(name for name, _ in route.states) or None, route.condition)


def place_of(step: StepDraft, states: Sequence[str]) -> int:
    """Return the index at which a new route stands: before the first one that would take all that it takes."""
    for number, one in enumerate(step.routes):
        names = [name for name, _ in one.states]
        if not one.is_deleted and one.when is None and (ELSE in names or not {*states}.isdisjoint(names)):
            return number
    return len(step.routes)


def parted(flow: FlowDraft, step: StepDraft, route: RouteDraft, state: str | None) -> RouteDraft:
    """Return the route of this state alone; one that has more states is parted."""
    if state is None or len(route.states) < 2:
        return route
    alone = RouteDraft([(state, None)], route.when, flow.mention(route.target.name), entries=route.entries)
    alone.target.route = alone
    route.states = [one for one in route.states if one[0] != state]
    step.routes.insert(step.routes.index(route) + 1, alone)
    return alone


def new_routes(flow: FlowDraft, step: StepDraft, to: str, returns: Returns) -> list[RouteDraft]:
    """Return the routes of a new step: its first state leads to `to`, others that should be routed to the end."""
    own = own_states(step, returns)
    if not own:
        return [route_to(flow, [ELSE], None, to)]
    is_wait = step.kind == "wait"
    found = [route_to(flow, [name], None, to if is_wait or number == 0 else STOPPED) for number, name in enumerate(own)]
    if is_wait and {"events", "condition"} & properties_of(step).keys():
        found.append(route_to(flow, [TIMEOUT], None, STOPPED))
    return found


def route_to(flow: FlowDraft, states: Sequence[str], when: Source | None, to: str) -> RouteDraft:
    """Return a new route."""
    route = RouteDraft([(one, None) for one in states], when, flow.mention(to))
    route.target.route = route
    return route


def lead(flow: FlowDraft, route: RouteDraft, to: str) -> None:
    """Let a route lead to another step or end. Entries that do not fit there are dropped."""
    before = route.target
    if before.name == to:
        return
    route.target = flow.mention(to, route)
    before.is_dropped = True
    if before.name in ENDS or to in ENDS:
        route.entries = None
