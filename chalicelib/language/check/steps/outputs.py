"""Warn where the output of a branch or an item is read, but is null on every path.

The output is the `$result` at the end, unless the route to `done` says otherwise. Steps that wait for a time or a
condition, set variables or publish an event bring no result. Only what is certain is reported: every route to `done`
brings none, and an expression that names the output reads it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final

import msgspec

from chalicelib.language.check.context import Context
from chalicelib.language.problems import Problem
from chalicelib.language.syntax.tree import Statement, steps_within
from chalicelib.model.flow import (
    DEFAULT_STATE,
    DONE,
    TIMEOUT,
    ActionStep,
    CallStep,
    ChoiceStep,
    ConditionStep,
    EachStep,
    EmitStep,
    EventStep,
    Flow,
    ForkStep,
    Route,
    SetStep,
    Step,
    TimerStep,
    children_of,
)
from chalicelib.model.json_values import children_in
from chalicelib.model.templates import Template, source_of

_RESULT: Final = re.compile(r"\$result\b")
_OF_BRANCH: Final = re.compile(r"\$result\.(?:`([^`]*)`|(\w+))")
_ONLY_COUNTED: Final = re.compile(r"\$(?:count|exists|boolean)\s*\(\s*\$result\s*\)")
_AFTER_RETURN: Final = frozenset({"name", "routes", "save", "repeat", "undo", "steps", "branches"})
"""The fields of a step that are not evaluated when it is entered."""


def warn_of_null_outputs(context: Context, statement: Statement, flow: Flow) -> None:
    """Report the eaches and branches of a flow whose output is read and always null."""
    words = {step.name.text: step.name for step in steps_within(statement.members)}
    for steps in _scopes(flow.steps):
        for step in steps:
            for owner in _null_outputs(step, steps, flow.output if steps is flow.steps else None):
                if step.name in words:
                    hint = "say what it is: -> done (output = ${ ... })"
                    context.findings.report(Problem.NULL_OUTPUT, words[step.name].span, hint=hint, owner=owner)


def _scopes(steps: tuple[Step, ...]) -> Iterator[tuple[Step, ...]]:
    yield steps
    for step in steps:
        for _, nested in children_of(step):
            yield from _scopes(nested)


def _null_outputs(step: Step, siblings: tuple[Step, ...], output: Template) -> Iterator[str]:
    """Yield what has a null output that is read: an each, or branches of a fork.

    `output` is what is evaluated where a route without entries leads to `done`.
    """
    match step:
        case EachStep() if _ends_without_result(step.steps, has_result=False):
            if any(_RESULT.search(_ONLY_COUNTED.sub("", source)) for source in _readers(step, siblings, output)):
                yield f"every item of each '{step.name}'"
        case ForkStep():
            silent = {one.name for one in step.branches if _ends_without_result(one.steps, has_result=True)}
            named = [
                found for source in (_readers(step, siblings, output) if silent else ()) for found in _named(source)
            ]
            yield from (f"branch '{name}' of fork '{step.name}'" for name in sorted(silent.intersection(named)))


def _named(source: str) -> Iterator[str]:
    return (found[1] or found[2] for found in _OF_BRANCH.finditer(source))


def _ends_without_result(steps: tuple[Step, ...], *, has_result: bool) -> bool:
    """Return whether there are routes to `done`, and all of them certainly bring a null output.

    `has_result`: a choice that comes first has the result of the step before the scope.
    """
    carrying = _carrying(steps, has_result=has_result)
    ends = [(step, route) for step in steps for route in step.routes if route.target == DONE]
    return bool(ends) and not any(route.entries or _brings(step, route, carrying) for step, route in ends)


def _carrying(steps: tuple[Step, ...], *, has_result: bool) -> set[str]:
    """Return the choices that may have a result: that of a step before them."""
    found = {steps[0].name} if has_result and steps and isinstance(steps[0], ChoiceStep) else set()
    choices = {step.name for step in steps if isinstance(step, ChoiceStep)}
    while True:
        routes = [(step, route) for step in steps for route in step.routes if route.target in choices]
        reached = {route.target for step, route in routes if _brings(step, route, found)}
        if reached <= found:
            return found
        found |= reached


def _brings(step: Step, route: Route, carrying: set[str]) -> bool:
    """Return whether there may be a result where the step is left by the route."""
    match step:
        case SetStep() | TimerStep() | ConditionStep() | EmitStep():
            return False
        case ChoiceStep():
            return step.name in carrying
        case ActionStep() | EventStep() | CallStep():
            return route.state != TIMEOUT
        case _:
            return True


def _readers(step: Step, siblings: tuple[Step, ...], output: Template) -> Iterator[str]:
    """Yield the expressions that see the result of the step: its own, and those of the steps that follow."""
    yield from _sources([getattr(step, name) for name in ("routes", "save", "repeat") if hasattr(step, name)])
    by_name = {one.name: one for one in siblings}
    seen: set[str] = set()
    waiting = [route for route in step.routes if route.state in (None, DEFAULT_STATE)]
    while waiting:
        route = waiting.pop()
        if route.target == DONE and not route.entries:
            yield from _sources(output)
        found = by_name.get(route.target)
        if found is None or found.name in seen:
            continue
        seen.add(found.name)
        yield from _entering(found)
        if isinstance(found, SetStep):
            yield from _sources([found.save, found.routes])
        if isinstance(found, ChoiceStep):
            yield from _sources(found.routes)
            waiting += found.routes


def _entering(step: Step) -> Iterator[str]:
    """Yield the expressions that a step evaluates when it is entered; a fork's branches begin with the same result."""
    yield from _sources([getattr(step, name) for name in step.__struct_fields__ if name not in _AFTER_RETURN])
    if isinstance(step, ConditionStep):
        yield step.condition
    if isinstance(step, ForkStep):
        for branch in step.branches:
            yield from _sources(branch.vars)
            for first in branch.steps[:1]:
                yield from _entering(first)


def _sources(value: Any) -> Iterator[str]:
    """Yield the expressions in templates, routes, rules and other values of a definition."""
    source = source_of(value)
    if source is not None:
        yield source
    elif isinstance(value, msgspec.Struct):
        when = getattr(value, "when", None)
        if isinstance(when, str):
            yield when
        yield from _sources([getattr(value, name) for name in value.__struct_fields__])
    else:
        for inner in children_in(value):
            yield from _sources(inner)
