"""A second, simple model of a flow: what operations do to plain lists, to compare with what they do to a text."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from chalicelib.language import parse
from chalicelib.language.syntax import tree

Op = dict[str, Any]

STATES = {"step": ["OK", "BAD"], "set": ["DONE"], "wait": ["DONE"], "each": ["DONE", "FAIL"], "fork": ["DONE", "FAIL"]}
"""The states of a new step: those of the action `a`, and those of other kinds."""


@dataclass
class Route:
    """The states of a route, `when` as text or None, and its target."""

    states: list[str]
    when: str | None
    target: str
    entries: bool = False


@dataclass
class Step:
    """A step, a branch, or the flow itself. `properties` are values as written."""

    kind: str
    name: str
    routes: list[Route] = field(default_factory=list)
    properties: dict[str, str] = field(default_factory=dict)
    steps: list[Step] = field(default_factory=list)

    def plain(self) -> object:
        """Return all of it as plain values, to compare."""
        routes = [(sorted(one.states), one.when, one.target, one.entries) for one in self.routes]
        return (self.kind, self.name, routes, sorted(self.properties.items()), [one.plain() for one in self.steps])


def read(text: str) -> Step:
    """Return the flow of a text as it is written."""
    document, problems = parse(text)
    assert problems == ()
    (statement,) = [one for one in document.statements if one.kind.key == "flow"]
    return _member_of(text, "flow", statement.name.text, None, statement.members)


def _member_of(text: str, kind: str, name: str, routes: tree.Group | None, members: tuple[tree.Member, ...]) -> Step:
    found = Step(kind, name)
    for one in routes.items if routes else ():
        assert isinstance(one, tree.Route)
        target = one.target.text if one.target else "done"
        when = " ".join(one.when.source.split()) if one.when else None
        found.routes.append(Route([word.text for word in one.states], when, target, one.entries is not None))
    if routes is not None and not routes.items:
        found.routes = [Route(["DONE"], None, "done")]
    for member in members:
        if isinstance(member, tree.Property):
            assert member.value is not None
            value = text[member.value.span.start : member.value.span.end]
            found.properties[member.name.key] = " ".join(value.split())
        elif isinstance(member, tree.Step):
            inner = member.body.members if member.body else ()
            found.steps.append(_member_of(text, member.kind.key, member.name.text, member.routes, inner))
    return found


def walk(scope: Step) -> Iterator[tuple[Step, Step]]:
    """Yield each step that is no branch, with its scope."""
    for step in scope.steps:
        if step.kind != "branch":
            yield scope, step
        yield from walk(step)


def find(flow: Step, name: str) -> tuple[Step, Step]:
    """Return the scope of a step, and the step."""
    return next((scope, step) for scope, step in walk(flow) if step.name == name)


def apply(flow: Step, op: Op) -> None:
    """Apply an operation to the model."""
    {"add": _add, "rename": _rename, "route": _route, "unroute": _unroute, "set": _set, "delete": _delete}[op["op"]](
        flow, op
    )


def _add(flow: Step, op: Op) -> None:
    new = Step(op["kind"], op["name"], properties={"action": "a"} if "action" in op else {})
    if "after" in op:
        scope, anchor = find(flow, op["after"])
        route = anchor.routes[0] if "on" not in op else next(one for one in anchor.routes if op["on"] in one.states)
        to, at = route.target, scope.steps.index(anchor) + 1
        if "on" in op:
            route = _parted(anchor, route, op["on"])
        _lead(route, new.name)
    else:
        scope, anchor = find(flow, op["before"])
        to, at = anchor.name, scope.steps.index(anchor)
        for step in scope.steps:
            for route in step.routes:
                if route.target == to:
                    _lead(route, new.name)
    states = STATES[new.kind] if new.kind != "step" or "action" in op else ["else"]
    new.routes = [Route([one], None, to if number == 0 else "stopped") for number, one in enumerate(states)]
    scope.steps.insert(at, new)


def _parted(step: Step, route: Route, state: str) -> Route:
    if len(route.states) < 2:
        return route
    route.states.remove(state)
    alone = Route([state], route.when, route.target, route.entries)
    step.routes.insert(step.routes.index(route) + 1, alone)
    return alone


def _lead(route: Route, to: str) -> None:
    ends = ("done", "stopped")
    if route.target != to and (route.target in ends or to in ends):
        route.entries = False
    route.target = to


def _rename(flow: Step, op: Op) -> None:
    _, step = find(flow, op["step"])
    for _, one in walk(flow):
        for route in one.routes:
            if route.target == op["step"]:
                route.target = op["to"]
            for comparison in ('$error.step = "{}"', '"{}" = $error.step') if route.when else ():
                route.when = (route.when or "").replace(comparison.format(op["step"]), comparison.format(op["to"]))
    step.name = op["to"]


def _exact(step: Step, op: Op) -> Route | None:
    state, when = op.get("state"), op.get("when")
    found = [one for one in step.routes if one.when == when and (state in one.states if state else not one.states)]
    return found[0] if found else None


def _route(flow: Step, op: Op) -> None:
    _, step = find(flow, op["step"])
    found = _exact(step, op)
    if found is not None:
        _lead(_parted(step, found, op["state"]) if "state" in op else found, op["to"])
        return
    state = op.get("state")
    covers = [
        number
        for number, one in enumerate(step.routes)
        if one.when is None and ("else" in one.states or state in one.states)
    ]
    at = covers[0] if covers else len(step.routes)
    step.routes.insert(at, Route([state] if state else [], op.get("when"), op["to"]))


def _unroute(flow: Step, op: Op) -> None:
    _, step = find(flow, op["step"])
    route = _exact(step, op)
    assert route is not None
    if len(route.states) > 1:
        route.states.remove(op["state"])
    else:
        step.routes.remove(route)


def _set(flow: Step, op: Op) -> None:
    step = find(flow, op["step"])[1] if "step" in op else flow
    if op["value"] is None:
        step.properties.pop(op["property"], None)
    else:
        step.properties[op["property"]] = op["value"]


def _delete(flow: Step, op: Op) -> None:
    scope, step = find(flow, op["step"])
    if op.get("heal"):
        to = next((one.target for one in step.routes if one.target != step.name), "done")
        for other in scope.steps:
            for route in other.routes:
                if other is not step and route.target == step.name:
                    _lead(route, to)
        successor = next((one for one in scope.steps if one.name == to), None)
        if scope.steps[0] is step and successor is not None:
            scope.steps.remove(successor)
            scope.steps.insert(0, successor)
    scope.steps.remove(step)
