"""A flow as a machine: its scopes, their variables, and the states at which they begin."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from chalicelib.asl.export import graph, refusals
from chalicelib.asl.export.scope import Around, Findings, Inner, Names, Scope, input_meaning
from chalicelib.asl.export.states import add_step
from chalicelib.asl.export.tasks import SHIM
from chalicelib.asl.export.values.durations import seconds_of
from chalicelib.asl.export.values.names import EXECUTION_INPUT, INPUT, Inexpressible, Meaning, refused
from chalicelib.asl.export.values.templates import Missing, names_in, quoted, wrapped
from chalicelib.asl.problems import Level, Problem
from chalicelib.model.actions import Action
from chalicelib.model.flow import EachStep, Flow, ForkStep, Step, children_of, walk
from chalicelib.model.json_values import Json
from chalicelib.model.templates import Template

_RESERVED: Final = "states"
"""The name of a variable that Step Functions has itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Exported:
    """A flow as a machine.

    Attributes:
        machine: A definition in Amazon States Language; incomplete where a problem is an error.
        problems: What cannot be expressed, or differs, or must be known. The pointers are those of the flow as JSON
            (`fsl export`), for example `/steps/2/undo`.
    """

    machine: dict[str, Json]
    problems: tuple[Problem, ...]


def export(
    flow: Flow, actions: Mapping[str, Action], *, config: Mapping[str, Json] | None = None, shim: str = SHIM
) -> Exported:
    """Return a flow as a Standard machine with the query language JSONata.

    `actions` are those that it sends, by name; `config` has the values that it reads as `$config.NAME`; `shim` is the
    name of the function that calls services which answer later.
    """
    names = Names(variables={_RESERVED})
    steps = list(walk(flow.steps))
    around = Around(
        actions=actions,
        config=_config_meaning(config),
        names=names,
        findings=Findings(),
        shim=shim,
        state_of={step.name: names.state(step.name) for step in steps},
        inner=_inner,
    )
    for problem in refusals.of_flow(flow):
        around.findings.add(problem.pointer, problem.level, problem.message)
    scope = _root(flow, around)
    states = _states(scope, flow.steps, _flow_start(flow, scope))
    machine: dict[str, Json] = {"Comment": flow.description} if flow.description else {}
    machine |= {"QueryLanguage": "JSONata", **states}
    _limit_time(machine, flow, scope)
    return Exported(machine=machine, problems=tuple(around.findings.found))


def _config_meaning(config: Mapping[str, Json] | None) -> Meaning:
    if config is None:
        return refused("a machine has no configuration; give its value in the text")
    return Meaning(members={name: f"({quoted(value)})" for name, value in config.items()}, why="it is not defined")


def _limit_time(machine: dict[str, Json], flow: Flow, scope: Scope) -> None:
    if flow.timeout is None or isinstance(flow.timeout, dict):
        return
    try:
        machine["TimeoutSeconds"] = seconds_of(flow.timeout, scope.entering(flow.steps[0]))
    except Inexpressible as reason:
        scope.around.findings.add("/timeout", Level.ERROR, f"flow {flow.name}: timeout: {reason}")


# ── the flow ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def _root(flow: Flow, around: Around) -> Scope:
    """Return the scope of the flow. Its variables are those that it declares, and all that no inner scope declares."""
    own = {*flow.vars, *_undeclared(flow.steps)}
    variables = {name: around.names.variable(name) for name in sorted(own)}
    defaults = [parameter for parameter in flow.input if not parameter.required]
    root = f"${around.names.variable('input')}" if defaults else EXECUTION_INPUT
    return Scope(
        around=around,
        pointer="/steps",
        input=input_meaning([parameter.name for parameter in flow.input], root),
        variables=variables,
        own=frozenset(own),
        unset=graph.read_before_set(flow.steps, frozenset(flow.vars)),
        error=around.names.variable("error"),
        output=flow.output,
        live=graph.read_on_entry(flow.steps, flow.output),
        at_end=_at_end(flow.output),
        item=refused("there is no item here"),
        index=refused("there is no item here"),
    )


def _at_end(output: Template) -> frozenset[str]:
    return frozenset({"result"}) if output is None else names_in(output) & {"result", "error", "state", "response"}


def _undeclared(steps: tuple[Step, ...]) -> frozenset[str]:
    """Return the variables that the steps set, or those within them, and that no scope within them declares."""
    found: frozenset[str] = frozenset()
    for step in steps:
        found |= graph.saved_by(step)
        for name, nested in children_of(step):
            found |= _undeclared(nested) - _declared(step, name)
    return found


def _declared(step: Step, name: str) -> frozenset[str]:
    if not isinstance(step, (ForkStep, EachStep)):
        return frozenset()
    branches = step.branches if isinstance(step, ForkStep) else ()
    inner = {variable for branch in branches if branch.name == name for variable in branch.vars}
    return frozenset({*step.vars, *inner})


def _flow_start(flow: Flow, scope: Scope) -> dict[str, Json]:
    """Return the fields of the state before the first step; none if it is not needed."""
    at_start = Meaning(whole=EXECUTION_INPUT, members=input_meaning([one.name for one in flow.input]).members)
    defaults = {one.name: one.default for one in flow.input if not one.required}
    assign: dict[str, Json] = {}
    if defaults:
        merged = f"$merge([{quoted(defaults)}, {EXECUTION_INPUT}])"
        assign[scope.input.whole[1:] if scope.input.whole else ""] = wrapped(merged)
        at_start = input_meaning([one.name for one in flow.input], f"({merged})")
    assign |= _initial(scope, flow.vars, "/vars", input_now=at_start)
    return _start(scope, flow.steps[0], assign, hands_on_result=False)


def _initial(
    scope: Scope, declared: Mapping[str, Template], place: str, *, input_now: Meaning | None = None
) -> dict[str, Json]:
    """Return the initial values of variables."""
    writer = scope.writer("", result=Meaning(whole="(null)"))
    if input_now is not None:
        scope_input, scope.input = scope.input, input_now
        writer = scope.writer("", result=Meaning(whole="(null)"))
        scope.input = scope_input
    found: dict[str, Json] = {}
    for name, template in declared.items():
        try:
            found[scope.variables[name]] = writer.value(template, Missing.NULL)
        except Inexpressible as reason:
            scope.around.findings.add(f"{place}/{name}", Level.ERROR, f"variable {name}: {reason}")
    return found


def _start(scope: Scope, first: Step, assign: dict[str, Json], *, hands_on_result: bool) -> dict[str, Json]:
    live = scope.live[first.name]
    if "error" in live and scope.error not in assign:
        assign[scope.error] = None
    fields: dict[str, Json] = {"Assign": assign} if assign else {}
    if "result" in live and not hands_on_result:
        fields["Output"] = wrapped("null")
    return fields


# ── all scopes ───────────────────────────────────────────────────────────────────────────────────────────────────────


def _states(scope: Scope, steps: tuple[Step, ...], start: dict[str, Json]) -> dict[str, Json]:
    """Return the states of a scope, and the name of the first one."""
    first = scope.around.state_of[steps[0].name]
    if start:
        label = "Start" if scope.pointer == "/steps" else f"Start{steps[0].name}"
        first = scope.add(label, {"Type": "Pass", **start, "Next": first})
    reached = graph.reached_from(steps)
    for index, step in enumerate(steps):
        if step.name in reached:
            add_step(scope, step, index)
        else:
            scope.problem(f"/{index}", f"step {step.name} is left out: nothing leads to it", Level.WARNING)
    return {"StartAt": first, "States": scope.states}


def _inner(outer: Scope, inner: Inner) -> dict[str, Json]:
    """Return the states of a branch or of an item."""
    names = outer.around.names
    declared = {name: names.variable(name) for name in inner.variables}
    steps = inner.steps
    is_direct = inner.is_item and graph.is_read_first_only(steps, inner.variables)
    read = graph.reads_item(steps, inner.variables) if inner.is_item and not is_direct else frozenset()
    held = {name: names.variable(name) for name in sorted(read)}
    scope = Scope(
        around=outer.around,
        pointer=inner.pointer,
        input=outer.input,
        variables={**outer.variables, **declared},
        own=frozenset(declared),
        unset=outer.unset - declared.keys(),
        error=names.variable("error"),
        output=None,
        live=graph.read_on_entry(steps, None),
        at_end=frozenset({"result"}),
        item=_item(outer.item, held, "item", is_item=inner.is_item),
        index=_item(outer.index, held, "index", is_item=inner.is_item),
    )
    assign = {name: wrapped(f"{INPUT}.{member}") for member, name in held.items()}
    assign |= _initial(_at_start(scope, inner), inner.variables, inner.pointer.rpartition("/")[0] + "/vars")
    if "error" in scope.live[steps[0].name] and not inner.is_item:
        assign[scope.error] = wrapped(f"${outer.error}")
    return _states(scope, steps, _start(scope, steps[0], assign, hands_on_result=not inner.is_item))


def _item(outer: Meaning, held: Mapping[str, str], name: str, *, is_item: bool) -> Meaning:
    if name in held:
        return Meaning(whole=f"${held[name]}")
    return Meaning(whole=f"{INPUT}.{name}") if is_item else outer


def _at_start(scope: Scope, inner: Inner) -> Scope:
    """Return the scope as its first state sees it: the input is the item and its index."""
    if not inner.is_item:
        return scope
    item, index = (Meaning(whole=f"{INPUT}.{name}") for name in ("item", "index"))
    return Scope(
        around=scope.around,
        pointer=scope.pointer,
        input=scope.input,
        variables=scope.variables,
        own=scope.own,
        unset=scope.unset,
        error=scope.error,
        output=scope.output,
        live=scope.live,
        at_end=scope.at_end,
        item=item,
        index=index,
    )
