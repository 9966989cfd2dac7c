"""Read the properties of wait, fork and each steps."""

from __future__ import annotations

import functools
import re
from typing import Final

from chalicelib.language.check.context import Context, fits
from chalicelib.language.check.readers.action_calls import read_action_call
from chalicelib.language.check.readers.arguments import Inputs
from chalicelib.language.check.readers.members import Properties, read_assignments
from chalicelib.language.check.readers.recurrence import cron_reader, read_zone
from chalicelib.language.check.readers.values import (
    or_expression,
    read_delay,
    read_int,
    read_source,
    read_text,
    read_timespan,
)
from chalicelib.language.check.readers.variables import read_variables
from chalicelib.language.check.steps.repeat import read_repeat
from chalicelib.language.check.steps.routes import Routing, States
from chalicelib.language.limits import MAX_EACH_ITEMS
from chalicelib.language.problems import Problem
from chalicelib.language.syntax.tree import Expression, Number, Step, Value, Word
from chalicelib.model import flow, times
from chalicelib.model.actions import ArgType
from chalicelib.model.flow import BUILT_IN_STATES, DEFAULT_STATE, ERROR, TIMEOUT
from chalicelib.model.templates import Template

_ONE_OF: Final = ("for", "until", "next", "events", "condition")
WAIT_PROPERTIES: Final = (*_ONE_OF, "zone", "key", "timeout", "on_enter", "on_leave", "save", "repeat")
EACH_PROPERTIES: Final = ("items", "max", "tolerate", "batch", "timeout", "abandoned", "vars", "save", "repeat")

_PERCENT: Final = re.compile(r"([0-9]{1,3}(?:\.[0-9]{1,6})?)%")


def read_wait(properties: Properties, step: Step, routing: Routing, inputs: Inputs | None) -> flow.Step | None:
    """Read a wait for a time, for events or for a condition. `inputs` take the args that its actions do not set."""
    context, name = properties.context, step.name.text
    chosen = [one for one in _ONE_OF if one in properties]
    if len(chosen) != 1:
        if not properties.damaged:
            context.findings.report(
                Problem.CHOOSE_ONE, step.name.span, owner=properties.owner, names=", ".join(_ONE_OF)
            )
        routing.by_state(States(None, "this wait"))
        return None
    _refuse_needless(properties, chosen[0])
    save, timeout = properties.variables("save"), properties.read("timeout", read_timespan)
    match chosen[0]:
        case "events":
            events = properties.read("events", _read_events)
            known = None if events is None else (*events, *sorted(BUILT_IN_STATES))
            states = States(known, f"wait '{name}'", tuple(events or ()))
            routes = routing.by_state(states)
            return flow.EventStep(
                name=name,
                routes=routes,
                events=events or {},
                key=properties.template("key"),
                timeout=timeout,
                on_enter=read_action_call(properties, "on_enter", inputs),
                on_leave=read_action_call(properties, "on_leave", inputs),
                save=save,
                repeat=read_repeat(properties, states),
            )
        case "condition":
            states = States((DEFAULT_STATE, TIMEOUT, ERROR), "a wait for a condition")
            return flow.ConditionStep(
                name=name,
                routes=routing.by_state(states),
                condition=properties.read("condition", read_source) or "",
                timeout=timeout,
                save=save,
                repeat=read_repeat(properties, states),
            )
        case _:
            states = States((DEFAULT_STATE, ERROR), "a wait for time")
            routes = routing.by_state(states)
            return flow.TimerStep(
                name=name,
                routes=routes,
                duration=properties.read("for", or_expression(read_delay)),
                until=properties.read("until", _read_time),
                next=properties.read("next", or_expression(cron_reader(properties.owner, Problem.WAITS_FOR_EVER))),
                zone=properties.read("zone", or_expression(read_zone)),
                save=save,
                repeat=read_repeat(properties, states),
            )


def _refuse_needless(properties: Properties, chosen: str) -> None:
    of_events = ("key", "timeout", "on_enter", "on_leave")
    allowed = {"events": of_events, "condition": ("timeout",), "next": ("zone",)}.get(chosen, ())
    for name in (*of_events, "zone"):
        if name in properties and name not in allowed:
            owner = f"a wait with '{chosen}'"
            properties.context.findings.report(Problem.UNKNOWN_PROPERTY, properties.span(name), name=name, owner=owner)


def _read_events(context: Context, name: str, value: Value) -> dict[str, str] | None:
    entries = read_assignments(context, name, value)
    if entries is None:
        return None
    found = {}
    for state, entry in entries.items():
        if state in BUILT_IN_STATES:
            context.findings.report(Problem.RESERVED_NAME, entry.name.span, name=state)
        event = read_text(context, state, entry.value)
        if event is not None and isinstance(entry.value, Word) and context.valid_name(entry.value):
            found[state] = event
    if not entries:
        context.wrong(name, value, 'a group of at least one event, like (PAID = "payment.received")')
        return None
    return found


def _read_time(context: Context, name: str, value: Value) -> Template:
    if isinstance(value, Expression):
        return context.expression(value)
    if isinstance(value, Word) and times.instant(value.text) is not None:
        return value.text
    context.wrong(name, value, 'a time like "2027-01-31T08:00:00Z", or an expression')
    return None


def read_join(properties: Properties, branches: int) -> int:
    """Read how many branches must finish; the default is all."""

    def read(context: Context, name: str, value: Value) -> int | None:
        if isinstance(value, Number):
            return read_int(context, name, value, 1, max(1, branches))
        if isinstance(value, Word) and value.text.lower() in ("all", "any"):
            return branches if value.text.lower() == "all" else 1
        context.wrong(name, value, "all, any or a number of branches")
        return None

    return properties.read("join", read) or branches


def read_abandoned(properties: Properties) -> bool:
    """Read whether the work of abandoned branches or items is kept; the default is to undo it."""

    def read(context: Context, name: str, value: Value) -> bool | None:
        if isinstance(value, Word) and value.key == "keep":
            return True
        context.wrong(name, value, "the word keep")
        return None

    return properties.read("abandoned", read) or False


def read_each(
    properties: Properties,
    name: str,
    routes: tuple[flow.Route, ...],
    steps: tuple[flow.Step, ...],
    repeat: tuple[flow.RepeatRule, ...],
) -> flow.EachStep:
    """Read an each step over a list of items."""
    items = properties.template("items")
    value = properties.value("items")
    if value is not None and items is not None and not fits(ArgType.LIST, items):
        properties.context.wrong("items", value, "a list or an expression")
    count, percent = properties.read("tolerate", _read_tolerated) or (None, None)
    variables, secret = read_variables(properties)
    return flow.EachStep(
        name=name,
        routes=routes,
        items=items,
        steps=steps,
        max=properties.read("max", or_expression(functools.partial(read_int, least=1))) or 0,
        tolerate=count,
        tolerate_percent=percent,
        batch=properties.read("batch", or_expression(functools.partial(read_int, least=1, most=MAX_EACH_ITEMS))),
        timeout=properties.read("timeout", read_timespan),
        keep_abandoned=read_abandoned(properties),
        vars=variables,
        secret_vars=secret,
        save=properties.variables("save"),
        repeat=repeat,
    )


def _read_tolerated(context: Context, name: str, value: Value) -> tuple[int | Template, float | None] | None:
    if isinstance(value, Expression):
        return context.expression(value), None
    if isinstance(value, Number):
        count = read_int(context, name, value, 0)
        return None if count is None else (count, None)
    match = _PERCENT.fullmatch(value.text.strip()) if isinstance(value, Word) else None
    if match and float(match[1]) <= 100:
        return None, float(match[1])
    context.wrong(name, value, 'a number of items or a percentage like "10%"')
    return None
