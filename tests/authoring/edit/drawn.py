"""Drawn flows, with comments and odd spacing, and operations that fit them."""

from __future__ import annotations

from hypothesis import strategies as st

from tests.authoring.edit.model import Op, Route, Step, walk

NAMES = ("A", "B", "C", "D", "Take money", "e_5", "Ünit", "F😀")
NEW_NAMES = ("X", "Y", "new one", "Zürich", "step", "W")
CONDITIONS = ("$input.x > 1", '$error.step = "A"', '"Take money" = $error.step or $vars.n')
VALUES = {"timeout": ("10m", "1h30m"), "save": ("(x = 1)", "(x = ${ $result.y })"), "args": ("(a = 1)", '(a = "b;c")')}
BLANKS = ("", " ", "\n", "  ", "\t", "\r\n    ", " /* a; } | ) */ ", " # b -> ( {\n", "\n\n    # 😀 c\n    ")

ACTION = "action a return = (OK | BAD); action_end\n/\n"


def quoted(name: str) -> str:
    """Write a name as it must or may be written."""
    return name if name.isascii() and name.isidentifier() else f'"{name}"'


@st.composite
def flows(draw: st.DrawFn, *, depth: int = 1) -> Step:
    """Draw a flow."""
    names = list(draw(st.permutations(NAMES)))
    return Step("flow", "f", steps=_scope(draw, names, draw(st.integers(1, 4)), depth))


def _scope(draw: st.DrawFn, names: list[str], count: int, depth: int) -> list[Step]:
    mine = [names.pop() for _ in range(min(count, len(names)))]
    targets = [*mine, "done", "stopped"]
    return [_step(draw, name, targets, names, depth) for name in mine]


def _step(draw: st.DrawFn, name: str, targets: list[str], names: list[str], depth: int) -> Step:
    kinds = ["step", "step", "set"] + (["each", "fork"] if depth and names else [])
    kind = draw(st.sampled_from(kinds))
    step = Step(kind, name)
    if kind in ("each", "fork"):
        step.routes = [Route(["DONE"], None, draw(st.sampled_from(targets)))]
        inner = _scope(draw, names, draw(st.integers(1, 2)), depth - 1)
        step.steps = inner if kind == "each" else [Step("branch", "one", steps=inner)]
        step.properties = {"items": "[1]"} if kind == "each" else {}
        return step
    if kind == "set":
        step.routes = [Route(["DONE"], None, draw(st.sampled_from(targets)), draw(st.booleans()))]
        return step
    step.properties = {"action": "a"} | {one: VALUES[one][0] for one in draw(st.sets(st.sampled_from(sorted(VALUES))))}
    for states in draw(st.sampled_from([[["OK"]], [["OK"], ["BAD"]], [["OK", "BAD"], ["ERROR"]], [["BAD"], ["else"]]])):
        if draw(st.booleans()) and states != ["else"]:
            when = draw(st.sampled_from(CONDITIONS))
            step.routes.append(Route(list(states), when, draw(st.sampled_from(targets))))
        step.routes.append(Route(list(states), None, draw(st.sampled_from(targets)), draw(st.booleans())))
    return step


class Writer:
    """Writes a flow with drawn blanks and comments between all words."""

    def __init__(self, draw: st.DrawFn) -> None:
        self._draw = draw

    def text(self, flow: Step) -> str:
        """Return the text of a flow and its action."""
        between = self._draw(st.sampled_from(["\n    ", " ", " # x\n    ", "\n\n  /* y\n  */  "]))
        steps = between.join(self._step(one) for one in flow.steps)
        return f"{ACTION}# before\nflow {flow.name}{self._gap()} {steps}{self._gap()} flow_end\n/\n# after\n"

    def _gap(self) -> str:
        return self._draw(st.sampled_from(BLANKS))

    def _step(self, step: Step) -> str:
        parts = [step.kind, " ", quoted(step.name), self._gap()]
        if step.kind != "branch":
            parts += ["=>", self._gap(), "(", self._gap(), self._routes(step), self._gap(), ")", self._gap()]
        members = [f"{name}{self._gap()}={self._gap()}{value};" for name, value in step.properties.items()]
        members += [self._step(one) for one in step.steps]
        if members:
            parts += ["{", self._gap(), self._joined(members), self._gap(), "}", self._gap()]
        return "".join([*parts, ";"])

    def _joined(self, members: list[str]) -> str:
        return "".join(f"{one}{self._gap() or ' '}" for one in members)

    def _routes(self, step: Step) -> str:
        return f"{self._gap()}|{self._gap()}".join(self._route(one) for one in step.routes)

    def _route(self, route: Route) -> str:
        when = f" when{self._gap() or ' '}${{ {route.when} }}" if route.when is not None else ""
        states = f"{self._gap()},{self._gap()}".join(route.states)
        entries = " (x = 1)" if route.target not in ("done", "stopped") else " (output = 1)"
        if route.target == "stopped":
            entries = ' (error = "E")'
        return f"{states}{when}{self._gap()}->{self._gap()}{quoted(route.target)}{entries * route.entries}"


@st.composite
def operations(draw: st.DrawFn, flow: Step) -> Op:
    """Draw an operation that fits a flow."""
    scope, step = draw(st.sampled_from(list(walk(flow))))
    taken = {one.name for _, one in walk(flow)}
    free = [one for one in NEW_NAMES if one not in taken]
    targets = st.sampled_from([*(one.name for one in scope.steps), "done", "stopped"])
    kinds = ["route", "unroute", "set", "delete"] + (["add", "add", "rename"] if free else [])
    kind = draw(st.sampled_from(kinds))
    if kind == "add":
        return _added(draw, step, draw(st.sampled_from(free)))
    if kind == "rename":
        return {"op": "rename", "step": step.name, "to": draw(st.sampled_from(free))}
    if kind == "set":
        name = draw(st.sampled_from(sorted(VALUES) if step.kind == "step" else ["save"]))
        return {"op": "set", "step": step.name, "property": name, "value": draw(st.sampled_from([None, *VALUES[name]]))}
    if kind == "delete" and len(scope.steps) > 1:
        return {"op": "delete", "step": step.name, "heal": True}
    if kind == "unroute":
        routes = [one for one in step.routes if sum(one.states == other.states for other in step.routes) == 1]
        if routes and len(step.routes) > 1:
            route = draw(st.sampled_from(routes))
            given = {"state": draw(st.sampled_from(route.states))} if route.states else {}
            given |= {"when": route.when} if route.when is not None else {}
            return {"op": "unroute", "step": step.name, **given}
    states = ["OK", "BAD", "ERROR", "TIMEOUT"] if step.kind == "step" else ["DONE", "ERROR"]
    found = {"op": "route", "step": step.name, "state": draw(st.sampled_from(states)), "to": draw(targets)}
    return found | ({"when": draw(st.sampled_from(CONDITIONS))} if draw(st.booleans()) else {})


def _added(draw: st.DrawFn, step: Step, name: str) -> Op:
    kind = draw(st.sampled_from(["step", "set", "wait"]))
    found: Op = {"op": "add", "kind": kind, "name": name} | ({"action": "a"} if kind == "step" else {})
    if draw(st.booleans()):
        return found | {"before": step.name}
    states = [one for route in step.routes for one in route.states]
    unique = [one for one in states if states.count(one) == 1]
    is_named = bool(unique) and draw(st.booleans())
    return found | {"after": step.name} | ({"on": draw(st.sampled_from(unique))} if is_named else {})
