"""Choice states: conditions of routes, and what each of them sets and hands on."""

from __future__ import annotations

from collections.abc import Sequence

from chalicelib.asl.export.scope import Scope
from chalicelib.asl.export.values.names import Inexpressible
from chalicelib.asl.export.values.rewrite import needed_in, translated
from chalicelib.asl.export.values.shapes import is_boolean
from chalicelib.asl.export.values.templates import Writer, quoted, wrapped
from chalicelib.asl.export.ways import Here, Way, end_of, failing, way_of
from chalicelib.asl.problems import pointer
from chalicelib.model.flow import Route
from chalicelib.model.json_values import Json


def choose(
    scope: Scope,
    name: str,
    routes: Sequence[Route],
    here: Here,
    state_text: str | None = None,
    returns: Sequence[str] = (),
) -> str:
    """Add a Choice state that takes one of the routes; return its name.

    `state_text`: the expression of the state that the step returned, one of `returns`, if they differ.
    """
    return scope.add(name, choice_state(scope, routes, here, state_text, returns))


def choice_state(
    scope: Scope,
    routes: Sequence[Route],
    here: Here,
    state_text: str | None = None,
    returns: Sequence[str] = (),
) -> dict[str, Json]:
    """Return a Choice state that takes one of the routes, or a Pass state if there is nothing to choose."""
    rules: list[dict[str, Json]] = []
    default: str | None = None
    for route in routes:
        if state_text is not None and route.state is not None and route.state not in returns:
            continue
        way = way_of(scope, route, here)
        text = _condition(scope, route, here, state_text)
        if text is None and not way.fields:
            default = _next(scope, way)
        else:
            rules.append({"Condition": wrapped(text or "true"), **way.fields, "Next": _next(scope, way)})
        if text is None:
            break
    else:
        if here.unrouted is not None:
            default = failing(scope, here, *here.unrouted)
    if not rules and default:
        return {"Type": "Pass", "Next": default}
    return {"Type": "Choice", "Choices": rules, **({"Default": default} if default else {})}


def _next(scope: Scope, way: Way) -> str:
    return scope.state_named(way.next) if way.next else end_of(scope)


def _condition(scope: Scope, route: Route, here: Here, state_text: str | None) -> str | None:
    """Return the condition of a route; None if it is taken in any case."""
    parts: list[str] = []
    if state_text is not None and route.state is not None:
        parts.append(f"{state_text} = {quoted(route.state)}")
    if route.when is not None:
        at = pointer(here.place, "routes", here.step.routes.index(route), "when")
        try:
            parts.append(_boolean(route.when, here.writer))
        except Inexpressible as reason:
            scope.problem(at, f"step {here.step.name}: {reason}")
            parts.append("false")
    if len(parts) == 2:
        return f"{parts[0]} and ({parts[1]})"
    return parts[0] if parts else None


def _boolean(when: str, writer: Writer) -> str:
    """Return a condition that is true or false: nothing and null are false in FSL, and an error in Step Functions."""
    needed = needed_in(when)
    if needed is not None:
        return translated(needed, writer.reads)  # a condition that finds nothing fails there, too
    text = translated(when, writer.reads)
    return text if is_boolean(when, writer.sure) else f"({text}) = true"
