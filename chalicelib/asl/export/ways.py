"""Where a route leads: the name of the next state, the variables that are set on the way, and what is handed on."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from chalicelib.asl.export.graph import passed_to
from chalicelib.asl.export.scope import Scope
from chalicelib.asl.export.values.names import INPUT, Inexpressible
from chalicelib.asl.export.values.templates import Missing, Writer, literal, names_in, quoted, text_of, wrapped
from chalicelib.asl.problems import pointer
from chalicelib.model.flow import DONE, STOPPED, Route, Step
from chalicelib.model.json_values import Json
from chalicelib.model.run_error import ErrorName
from chalicelib.model.templates import Template, source_of
from chalicelib.model.variable_paths import join_path, split_path

NOT_EXPORTED: Final = "NotExported"
"""The error of a state in the place of what cannot be expressed."""

KEEP: Final = object()
"""In the place of an output: what Step Functions hands on by itself is right."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Here:
    """The place at which a route is taken: a state, a catcher or the rule of a Choice.

    Attributes:
        step: The step, and its place in the list of the scope.
        writer: What is read there.
        behind: What a state behind it reads.
        ending: What the output of the flow reads, if that is something else: a set leaves no result.
        saved: The variables that the place itself sets, by their names in FSL: it reads the values before.
        assign: The values that it sets, by the names in the machine.
        carried: The output that makes `$result` the input of the next state; KEEP if that is so by itself.
        passes: Whether its routes read `$result` and `$error` of the step before, which then is set or decides.
        error: The value of the variable that holds `$error`: None if nothing failed, KEEP if it stays as it is.
        is_failure: Whether it is a catcher: the input of the next state is the error, unless an output is set.
        has_error: Whether it is behind a catcher, and the error is in the variable.
        state: The state that the step returned, as text.
        unrouted: The error and its cause if no route is taken; None: the Choice state itself fails then.
    """

    step: Step
    place: str
    writer: Writer
    behind: Writer
    ending: Writer | None = None
    saved: frozenset[str] = frozenset()
    assign: Mapping[str, Json] = field(default_factory=dict)
    carried: Json | object = KEEP
    passes: bool = False
    error: Json | object = None
    is_failure: bool = False
    has_error: bool = False
    state: str = ""
    unrouted: tuple[Json, Json] | None = None


@dataclass(slots=True, kw_only=True)
class Way:
    """The fields of a way out. `next`: the name of a step or of an added state; None: the end of the scope."""

    next: str | None
    assign: dict[str, Json] = field(default_factory=dict)
    output: Json | object = KEEP

    @property
    def fields(self) -> dict[str, Json]:
        """The fields beside `Next`."""
        found: dict[str, Json] = {"Assign": self.assign} if self.assign else {}
        return found if self.output is KEEP else {**found, "Output": self.output}


def way_of(scope: Scope, route: Route, here: Here) -> Way:
    """Return where a route leads. What cannot be expressed is a problem of the scope."""
    at = pointer(here.place, "routes", here.step.routes.index(route))
    try:
        if route.target == DONE:
            return _to_end(scope, route, here)
        if route.target == STOPPED:
            return _to_fail(scope, route, here)
        return _to_step(scope, route, here)
    except Inexpressible as reason:
        scope.problem(at, f"step {here.step.name}: {reason}")
        return Way(next=failing(scope, here, NOT_EXPORTED, str(reason)))


def assigned(
    scope: Scope, writer: Writer, templates: Mapping[str, Template], what: str, before: Mapping[str, Json] | None = None
) -> dict[str, Json]:
    """Return the variables that `save` or a route sets, by their names in the machine. Raises Inexpressible.

    `before`: those that are set at the same place before.
    """
    found: dict[str, Json] = {}
    for key, template in templates.items():
        name, *members = split_path(key)
        if name not in scope.own:
            raise Inexpressible(
                f"{what} {join_path((name,))}: Step Functions sets no variable of an outer scope; declare it in the "
                "`vars` of this branch or each, and take it from its output"
            )
        own = scope.variables[name]
        if not members:
            found[own] = writer.value(template, Missing.NULL)
            continue
        known = {**(before or {}), **found}
        whole = text_of(known[own]) if own in known else f"${own}"
        found[own] = wrapped(_with_member(whole, members, writer.text(template, Missing.NULL)))
    return found


def _with_member(whole: str, members: list[str], text: str) -> str:
    """Return the text of a map with a member set. Maps are made where there is nothing or null."""
    name, *inner = members
    key = name if name.isidentifier() and name.isascii() else f"`{name}`"
    value = text if not inner else _with_member(f"{whole}.{key}", inner, text)
    return f"$merge([{whole}[$ != null], {{{quoted(name)}: {value}}}])"


# ── targets ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def _to_step(scope: Scope, route: Route, here: Here) -> Way:
    live = passed_to(route, scope.live, scope.at_end)
    if "state" in live:
        raise Inexpressible(f"step {route.target} reads $state, which Step Functions does not hand on")
    if "response" in live:
        raise Inexpressible(f"step {route.target} reads $response, which Step Functions does not hand on; save it")
    way = Way(next=route.target, assign=dict(here.assign), output=here.carried if "result" in live else KEEP)
    if "error" in live and here.error is not KEEP:
        way.assign[scope.error] = here.error
    if _reads(route.entries, here.saved):
        return _by_pass(scope, route, here, live)
    way.assign |= assigned(scope, here.writer, route.entries, "the route sets", here.assign)
    return way


def _by_pass(scope: Scope, route: Route, here: Here, live: frozenset[str]) -> Way:
    """Return the way through a Pass state, which sets what depends on variables that are set before."""
    way = _behind(scope, here, names_in(route.entries) | (frozenset() if here.passes else live))
    entries = assigned(scope, here.behind, route.entries, "the route sets")
    state: dict[str, Json] = {"Type": "Pass", "Assign": entries}
    if here.passes and "error" in live and here.error is not KEEP:
        entries[scope.error] = here.error
    if here.passes and "result" in live and here.carried is not KEEP:
        state["Output"] = here.carried
    state["Next"] = scope.state_named(route.target)
    way.next = scope.add(f"{here.step.name}To{route.target}", state)
    return way


def _to_end(scope: Scope, route: Route, here: Here) -> Way:
    template = route.entries.get("output", scope.output)
    if template is None and "output" not in route.entries:
        return Way(next=None, assign=dict(here.assign), output=here.carried)
    ending = here.ending if "output" not in route.entries else None
    if not _reads({"": template}, here.saved):
        output = (ending or here.writer).value(template, Missing.NULL)
        return Way(next=None, assign=dict(here.assign), output=output)
    way = _behind(scope, here, names_in(template) if ending is None else frozenset())
    state = {"Type": "Succeed", "Output": (ending or here.behind).value(template, Missing.NULL)}
    way.next = scope.add(f"{here.step.name}Done", state)
    return way


def _to_fail(scope: Scope, route: Route, here: Here) -> Way:
    if here.is_failure and not route.entries:
        name = failing(scope, here, wrapped(f"{INPUT}.Error"), wrapped(f"{INPUT}.Cause"))
        return Way(next=name, assign=dict(here.assign))
    known = here.behind.reads.error.members
    if here.has_error and not route.entries:
        return Way(next=failing(scope, here, wrapped(known["name"]), wrapped(known["cause"])))
    names = names_in(route.entries)
    is_caused = (here.is_failure or here.has_error) and "cause" not in route.entries
    way = _behind(scope, here, names | {"error"} if is_caused else names)
    error = _text(route.entries.get("error"), here.behind) or str(ErrorName.STOPPED)
    cause: Json = f"step '{here.step.name}' returned {route.state or here.state}, which leads to stopped"
    if "cause" in route.entries:
        cause = _text(route.entries["cause"], here.behind)
    elif is_caused:
        cause = wrapped(f'{known["name"]} & ": " & {known["cause"]}')
    way.next = failing(scope, here, error, cause)
    return way


def _behind(scope: Scope, here: Here, names: frozenset[str]) -> Way:
    """Return the way to a state that reads these names."""
    output = here.carried if "result" in names and not here.passes else KEEP
    way = Way(next=None, assign=dict(here.assign), output=output)
    if "error" in names and not here.passes and here.error is not KEEP:
        way.assign[scope.error] = here.error
    return way


def failing(scope: Scope, here: Here, error: Json, cause: Json) -> str:
    """Return the name of a Fail state with this error; equal ones are shared."""
    state: dict[str, Json] = {"Type": "Fail", "Error": error, **({"Cause": cause} if cause else {})}
    key = json.dumps(error), json.dumps(cause)
    if scope.fails.get(key) not in scope.states:
        scope.fails[key] = scope.add(f"{here.step.name}Stopped", state)
    return scope.fails[key]


def _text(template: Template, writer: Writer) -> Json:
    """Return the text of an error; numbers are written as texts."""
    value = writer.value(template, Missing.NULL)
    if source_of(template) is None:
        return "" if value is None else value if isinstance(value, str) else literal(str(value))
    return value


def unrouted_error(step: str, state: str) -> tuple[Json, Json]:
    """Return the error of a step that returned a state without a route, and its cause."""
    return str(ErrorName.NOT_ROUTED), f"step '{step}' returned {state}, which it does not route"


def _reads(templates: Mapping[str, Template], saved: frozenset[str]) -> bool:
    """Return whether the templates read a variable that is set at the same place."""
    read = {name.removeprefix("vars.") for name in names_in(dict(templates)) if name.startswith("vars.")}
    return bool(read & saved)


def end_of(scope: Scope) -> str:
    """Return the state at which a scope ends with its input: for ways that cannot end by themselves."""
    if not scope.done:
        scope.done = scope.add("Done", {"Type": "Succeed"})
    return scope.done
