"""Steps with everything that follows from their definition, derived once when the definition is loaded."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from msgspec.structs import replace

from chalicelib.model.actions import Action, Method, Options, Undo
from chalicelib.model.flow import (
    BUILT_IN_STATES,
    ActionStep,
    CallStep,
    ChoiceStep,
    ConditionStep,
    EachStep,
    EventStep,
    Flow,
    Route,
    Step,
    TimerStep,
    children_of,
)
from chalicelib.model.json_values import Json, children_in
from chalicelib.model.templates import Template, holds_reference, source_of
from chalicelib.model.times import Milliseconds

HUMAN_TIMEOUT_MS: Final[Milliseconds] = 30 * 86_400_000
"""How long a step waits for a person if neither the step nor its action has a timeout."""

_NAME: Final = re.compile(r"\$([A-Za-z_]\w*)")


@dataclass(frozen=True, slots=True)
class Invocation:
    """An action to send, and the answers that are accepted."""

    action: Action
    options: Options
    args: Mapping[str, Template]
    states: tuple[str, ...]
    """The states that may be answered, in the order in which the action declares them."""
    routed: frozenset[str] = frozenset()
    """Built-in states that the step routes by name: they may be answered too."""
    given: Mapping[str, Json] = field(default_factory=dict)
    """Args that have been evaluated already."""

    @property
    def is_human(self) -> bool:
        """Whether a person does the work."""
        return self.action.method is Method.HUMAN

    def accepts(self, state: str) -> bool:
        """Whether an answer with `state` ends the wait."""
        return state in self.states or state in self.routed


@dataclass(frozen=True, slots=True, kw_only=True)
class CompiledUndo:
    """The action that undoes a finished step, with its args by the time at which they are evaluated."""

    action: str
    args: Mapping[str, Template]
    """Evaluated when the step finishes."""
    secret_args: Mapping[str, Template]
    """Evaluated when the step finishes, and encrypted."""
    references: Mapping[str, Template]
    """Args that refer to secrets of the namespace: evaluated when the action is sent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CompiledStep:
    """A step and what the engine asks of it at each move."""

    step: Step
    parent: str
    """The name of the fork or each around it; empty at the top level."""
    names: frozenset[str]
    """The names (`vars` for `$vars`) that its expressions may read; empty if it has no expressions."""
    routes: Mapping[str, tuple[Route, ...]]
    """For each state that a route names: the routes that accept it, from left to right."""
    other_routes: tuple[Route, ...]
    """The routes that accept any other state."""
    invocation: Invocation | None = None
    """What an action step sends."""
    undo: CompiledUndo | None = None
    signed: bool = False
    """Whether answers to the step, or to the action that undoes it, must be signed."""

    def routes_of(self, state: str) -> tuple[Route, ...]:
        """The routes that accept `state`, from left to right."""
        return self.routes.get(state, self.other_routes)


def compile_steps(flow: Flow, actions: Mapping[str, Action], defaults: Options) -> dict[str, CompiledStep]:
    """Compile every step of the flow, nested ones included; the keys are their names."""
    return {step.name: _compile(step, parent, actions, defaults) for step, parent in _with_parents(flow.steps, "")}


def undo_invocation(action: Action, defaults: Options) -> Invocation:
    """The invocation of an action that undoes a step, without its args."""
    options = _human_timeout(action, action.options.over(defaults), action.options.timeout)
    return Invocation(action, options, {}, action.returns)


def names_in(template: Template) -> frozenset[str]:
    """The names that the template's expressions may read, `now` included: functions of time need it."""
    source = source_of(template)
    if source is not None:
        return frozenset(_NAME.findall(source)) | {"now"}
    return frozenset[str]().union(*map(names_in, children_in(template)))


def _with_parents(steps: Iterable[Step], parent: str) -> Iterator[tuple[Step, str]]:
    for step in steps:
        yield step, parent
        for _, nested in children_of(step):
            yield from _with_parents(nested, step.name)


def _compile(step: Step, parent: str, actions: Mapping[str, Action], defaults: Options) -> CompiledStep:
    invocation = _invocation(step, actions[step.action], defaults) if isinstance(step, ActionStep) else None
    undo = _undo(step, actions) if isinstance(step, ActionStep) else None
    return CompiledStep(
        step=step,
        parent=parent,
        names=_names(step, undo),
        routes={state: _accepting(step, state) for route in step.routes if (state := route.state) is not None},
        other_routes=_accepting(step, None),
        invocation=invocation,
        undo=undo,
        signed=(invocation is not None and invocation.options.signed)
        or (undo is not None and actions[undo.action].options.signed),
    )


def _accepting(step: Step, state: str | None) -> tuple[Route, ...]:
    return tuple(route for route in step.routes if route.state in (None, state))


def _invocation(step: ActionStep, action: Action, defaults: Options) -> Invocation:
    """Services written for echoer take the first state for success, so the order is the action's, not the routes'."""
    own = step.options.over(action.options)
    routed = {route.state for route in step.routes}
    return Invocation(
        action,
        _human_timeout(action, own.over(defaults), own.timeout),
        step.args,
        tuple(state for state in action.returns if state in routed or None in routed),
        BUILT_IN_STATES & routed,
    )


def _human_timeout(action: Action, options: Options, stated: Milliseconds | None) -> Options:
    """The options with the timeout for people, if the action is done by a person and no timeout is stated."""
    return replace(options, timeout=HUMAN_TIMEOUT_MS) if action.method is Method.HUMAN and stated is None else options


def _undo(step: ActionStep, actions: Mapping[str, Action]) -> CompiledUndo | None:
    """The step's own undo, or its action's, which takes the step's args where it has args of their names."""
    undo = step.undo or _inherited_undo(step, actions)
    if undo is None:
        return None
    secret = {parameter.name for parameter in actions[undo.action].parameters if parameter.secret}
    references = {name: arg for name, arg in undo.args.items() if holds_reference(arg)}
    return CompiledUndo(
        action=undo.action,
        args={name: arg for name, arg in undo.args.items() if name not in secret},
        secret_args={name: arg for name, arg in undo.args.items() if name in secret and name not in references},
        references=references,
    )


def _inherited_undo(step: ActionStep, actions: Mapping[str, Action]) -> Undo | None:
    undo = actions[step.action].undo
    if undo is None:
        return None
    wanted = {parameter.name for parameter in actions[undo.action].parameters}
    given = {name: arg for name, arg in step.args.items() if name in wanted}
    return Undo(action=undo.action, args={**given, **undo.args})


def _names(step: Step, undo: CompiledUndo | None) -> frozenset[str]:
    """The names that the step reads while a run is moved; args are evaluated when its action is sent."""
    found = set(names_in(list(_templates(step))))
    if undo is not None:
        found |= names_in([*undo.args.values(), *undo.secret_args.values()])
    conditions = [route.when for route in step.routes if route.when is not None]
    if isinstance(step, ConditionStep):
        conditions.append(step.condition)
    for condition in conditions:
        found |= {"now", *_NAME.findall(condition)}
    return frozenset(found)


def _templates(step: Step) -> Iterator[Template]:
    if not isinstance(step, ChoiceStep):
        yield from step.save.values()
    match step:
        case TimerStep():
            yield from (step.duration, step.until)
        case EventStep():
            yield step.key
        case EachStep():
            yield step.items
        case CallStep():
            yield from step.input.values()
