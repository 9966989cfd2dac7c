"""What is known at each step of a scope before it is entered: variables that are set, names that are read later."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from chalicelib.asl.export.values.rewrite import names_read
from chalicelib.asl.export.values.templates import names_in
from chalicelib.model.compiled_step import step_templates
from chalicelib.model.flow import (
    ENDS,
    ChoiceStep,
    ConditionStep,
    EachStep,
    ForkStep,
    Route,
    SetStep,
    Step,
    walk,
)
from chalicelib.model.templates import Template
from chalicelib.model.variable_paths import split_path

_PASSED: Final = frozenset({"result", "error", "state", "response"})
"""The names that a step leaves to the next one."""


def entries_read(route: Route) -> frozenset[str]:
    """Return the names that a route reads."""
    found = names_in(route.entries)
    return found if route.when is None else found | names_read(route.when)


def saved_at(step: Step) -> frozenset[str]:
    """Return the variables that the `save` of a step sets."""
    return frozenset() if isinstance(step, ChoiceStep) else frozenset(split_path(key)[0] for key in step.save)


def set_by(route: Route) -> frozenset[str]:
    """Return the variables that a route sets."""
    return frozenset() if route.target in ENDS else frozenset(split_path(key)[0] for key in route.entries)


def saved_by(step: Step) -> frozenset[str]:
    """Return the variables that a step and its routes set; not what is within it."""
    return saved_at(step).union(*map(set_by, step.routes))


def read_on_return(step: Step) -> frozenset[str]:
    """Return the names that the routes of a step read, after its `save`."""
    return frozenset[str]().union(*(entries_read(route) for route in step.routes))


def read_by(step: Step) -> frozenset[str]:
    """Return the names that a step reads itself; not those that its routes read, nor those within it."""
    kept = {id(template) for route in step.routes for template in route.entries.values()}
    given = (template for template in step_templates(step) if id(template) not in kept)
    found = frozenset[str]().union(*(names_in(template) for template in given))
    if isinstance(step, ConditionStep):
        found |= names_read(step.condition)
    if not isinstance(step, (ChoiceStep, SetStep)):
        found = found.union(*(names_read(rule.when) for rule in step.repeat if rule.when is not None))
    return found


def variables_within(step: Step) -> frozenset[str]:
    """Return the variables around a step that the steps within it read, or of which they set a member."""
    match step:
        case EachStep():
            return _outer(step.steps, step.vars)
        case ForkStep():
            inner = (_outer(branch.steps, branch.vars) for branch in step.branches)
            return frozenset[str]().union(*inner) - step.vars.keys()
        case _:
            return frozenset()


def reads_item(steps: Sequence[Step], declared: Mapping[str, Template] | None = None) -> frozenset[str]:
    """Return which of `$item` and `$index` the steps of an each read, and the initial values of its variables."""
    found = names_in(dict(declared or {}))
    for step in steps:
        found |= read_by(step) | read_on_return(step)
        if isinstance(step, ForkStep):
            found = found.union(*(reads_item(branch.steps, branch.vars) for branch in step.branches))
    return found & {"item", "index"}


def is_read_first_only(steps: Sequence[Step], declared: Mapping[str, Template]) -> bool:
    """Return whether only the first step reads `$item` and `$index`, as it is entered, once."""
    first, *others = steps
    later = reads_item(others, declared) | (read_on_return(first) & {"item", "index"})
    nested = isinstance(first, ForkStep)
    saved = frozenset() if isinstance(first, ChoiceStep) else names_in(first.save)
    is_entered_again = any(route.target == first.name for step in steps for route in step.routes)
    return not (later or nested or declared or is_entered_again or saved & {"item", "index"})


def reads_input(steps: Sequence[Step], declared: Mapping[str, Template]) -> bool:
    """Return whether the steps of an each, or those within them, read `$input`."""
    return "input" in names_in(dict(declared)).union(
        *(read_by(one) | read_on_return(one) for one in walk(tuple(steps)))
    )


def _outer(steps: Sequence[Step], declared: Mapping[str, Template]) -> frozenset[str]:
    found = _variables(names_in(dict(declared)))
    for step in steps:
        found |= (_variables(read_by(step) | read_on_return(step)) | _members_of(step) | variables_within(step)) - (
            declared.keys()
        )
    return found


def _variables(names: frozenset[str]) -> frozenset[str]:
    return frozenset(name.removeprefix("vars.") for name in names if name.startswith("vars."))


# ── what is passed on ────────────────────────────────────────────────────────────────────────────────────────────────


def read_on_entry(steps: Sequence[Step], output: Template) -> dict[str, frozenset[str]]:
    """Return, for each step, which of `$result`, `$error`, `$state` and `$response` are read as the step before left
    them. `output`: what the end of the scope yields; None if that is `$result`."""
    at_end = names_in(output) & _PASSED if output is not None else frozenset({"result"})
    found = {step.name: _entered_with(step) for step in steps}
    is_changed = True
    while is_changed:
        is_changed = False
        for step in steps:
            if isinstance(step, ChoiceStep):
                more = found[step.name].union(*(passed_to(route, found, at_end) for route in step.routes))
                is_changed = is_changed or more != found[step.name]
                found[step.name] = more
    return found


def passed_to(route: Route, known: Mapping[str, frozenset[str]], at_end: frozenset[str]) -> frozenset[str]:
    """Return which names the target of a route reads as the step leaves them."""
    if route.target in ENDS:
        return frozenset() if route.entries or route.target == "stopped" else at_end
    return known.get(route.target, frozenset())


def _entered_with(step: Step) -> frozenset[str]:
    """Return the names of the step before that a step itself reads."""
    match step:
        case ChoiceStep():
            found = frozenset[str]().union(*(entries_read(route) for route in step.routes))
        case SetStep():
            found = names_in(step.save).union(*(entries_read(route) for route in step.routes))
        case ForkStep():
            found = names_in(step.vars)
            for branch in step.branches:
                found |= names_in(branch.vars) | read_on_entry(branch.steps, None)[branch.steps[0].name]
        case _:
            found = frozenset[str]().union(*(names_in(template) for template in _given(step)))
    return found & _PASSED


def _given(step: Step) -> Iterator[Template]:
    """Yield what is evaluated when a step is entered."""
    kept = {id(template) for route in step.routes for template in route.entries.values()}
    kept |= set() if isinstance(step, ChoiceStep) else {id(template) for template in step.save.values()}
    return (template for template in step_templates(step) if id(template) not in kept)


def reached_from(steps: Sequence[Step]) -> frozenset[str]:
    """Return the steps to which the routes from the first one lead."""
    by_name = {step.name: step for step in steps}
    found = {steps[0].name}
    waiting = [steps[0]]
    while waiting:
        for route in waiting.pop().routes:
            if route.target in by_name and route.target not in found:
                found.add(route.target)
                waiting.append(by_name[route.target])
    return frozenset(found)


# ── what is set ──────────────────────────────────────────────────────────────────────────────────────────────────────


def read_before_set(steps: Sequence[Step], known: frozenset[str]) -> frozenset[str]:
    """Return the variables that may be read before a step has set them. `known`: those that are set from the start."""
    by_name = {step.name: step for step in steps}
    every = known | frozenset(name for step in steps for name in saved_by(step))
    at: dict[str, frozenset[str]] = {step.name: every for step in steps}
    at[steps[0].name] = known
    waiting = [steps[0].name]
    seen: set[str] = set()
    while waiting:
        step = by_name[waiting.pop()]
        seen.add(step.name)
        for route in step.routes:
            if route.target not in by_name:
                continue
            after = at[step.name] | saved_at(step) | set_by(route)
            if not at[route.target] <= after or route.target not in seen:
                at[route.target] &= after
                waiting.append(route.target)
    missing: set[str] = set()
    for step in steps:
        before = at[step.name]
        missing |= (_variables(read_by(step)) | _members_of(step) | variables_within(step)) - before
        missing |= _variables(read_on_return(step)) - before - saved_at(step)
    return frozenset(missing)


def _members_of(step: Step) -> frozenset[str]:
    """Return the variables of which a step sets a member: it reads the others."""
    keys = [] if isinstance(step, ChoiceStep) else [*step.save]
    keys += [key for route in step.routes if route.target not in ENDS for key in route.entries]
    return frozenset(path[0] for path in map(split_path, keys) if len(path) > 1)
