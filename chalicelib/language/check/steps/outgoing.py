"""Read emit steps, which publish an event, and start steps, which start a run."""

from __future__ import annotations

from typing import Final

from chalicelib.language.check.context import Context, fits
from chalicelib.language.check.readers.arguments import given_args
from chalicelib.language.check.readers.flow_input import read_flow_input
from chalicelib.language.check.readers.labels import read_labels
from chalicelib.language.check.readers.members import Properties, read_assignments
from chalicelib.language.check.readers.values import INVALID_VALUE, read_delay, read_name, read_template
from chalicelib.language.check.steps.event_data import check_data
from chalicelib.language.check.steps.repeat import read_repeat
from chalicelib.language.check.steps.routes import Routing, States
from chalicelib.language.problems import Problem
from chalicelib.language.syntax.tree import Expression, Step, Value, Word
from chalicelib.model import flow
from chalicelib.model.actions import ArgType
from chalicelib.model.flow import DEFAULT_STATE, ERROR, TIMEOUT
from chalicelib.model.templates import Template

EMIT_PROPERTIES: Final = ("event", "key", "data", "to", "ttl", "save", "repeat")
START_PROPERTIES: Final = ("flow", "input", "name", "labels", "save", "repeat")

_STATES: Final = (DEFAULT_STATE, TIMEOUT, ERROR)


def read_emit(properties: Properties, step: Step, routing: Routing) -> flow.EmitStep:
    """Read a step that publishes an event or, with `to`, sends it to one run."""
    states = States(_STATES, "an emit")
    routes = routing.by_state(states)
    properties.require("event", step.name.span)
    for name in ("key", "ttl") if "to" in properties else ():
        if name in properties:
            properties.context.findings.report(
                Problem.UNKNOWN_PROPERTY, properties.span(name), name=name, owner="an emit with 'to'"
            )
    data = properties.template("data")
    check_data(properties, data, step.name.span)
    return flow.EmitStep(
        name=step.name.text,
        routes=routes,
        event=properties.read("event", _read_event),
        key=properties.template("key"),
        data=data,
        to=properties.read("to", _read_run),
        ttl=properties.read("ttl", _read_ttl),
        save=properties.variables("save"),
        repeat=read_repeat(properties, states),
    )


def read_start(properties: Properties, step: Step, routing: Routing) -> flow.StartStep:
    """Read a step that starts a run. A flow may start itself, so its input is checked when all flows are read."""
    context, owner = properties.context, properties.owner
    states = States(_STATES, "a start")
    routes = routing.by_state(states)
    properties.require("flow", step.name.span)
    name = properties.read("flow", read_name)
    context.later.append(lambda: read_flow_input(properties, name, owner, step.name.span))
    return flow.StartStep(
        name=step.name.text,
        routes=routes,
        flow=name or "",
        input=properties.read("input", _read_input) or {},
        run=properties.read("name", _read_run),
        labels=read_labels(properties, plain=False),
        save=properties.variables("save"),
        repeat=read_repeat(properties, states),
    )


def _read_event(context: Context, name: str, value: Value) -> Template:
    if isinstance(value, Word):
        return value.text if context.valid_name(value) else None
    if isinstance(value, Expression):
        return context.expression(value)
    context.wrong(name, value, 'the name of an event, like "order.paid", or an expression')
    return None


def _read_run(context: Context, name: str, value: Value) -> Template:
    found = read_template(context, name, value)
    if found is INVALID_VALUE:
        return None
    if not fits(ArgType.STR, found):
        context.wrong(name, value, "the name of a run, or an expression")
        return None
    return found if not isinstance(value, Word) or context.valid_name(value) else None


def _read_ttl(context: Context, name: str, value: Value) -> Template:
    return context.expression(value) if isinstance(value, Expression) else read_delay(context, name, value)


def _read_input(context: Context, name: str, value: Value) -> dict[str, Template] | None:
    if isinstance(value, Expression):
        found: dict[str, Template] = context.expression(value)
        return found
    entries = read_assignments(context, name, value)
    return None if entries is None else given_args(context, entries, None, "", what="input")
