"""What a form for a step needs: its routes, its properties, the states that it returns, and where it can lead."""

from __future__ import annotations

from dataclasses import dataclass

from chalicelib.authoring import keywords
from chalicelib.authoring.edit.drafts import (
    PropertyDraft,
    RouteDraft,
    StepDraft,
    draft_of,
    properties_of,
    steps_of,
)
from chalicelib.authoring.edit.routes import Returns, own_states, returns_of, route_states
from chalicelib.language import parse
from chalicelib.language.source import Span
from chalicelib.model.flow import DONE, STOPPED


@dataclass(frozen=True, slots=True)
class Leads:
    """A route: its states, its condition without `${` and `}`, and the step or end where it leads."""

    states: tuple[str, ...]
    when: str | None
    to: str
    span: Span | None


@dataclass(frozen=True, slots=True)
class Setting:
    """A property that a step can have, with a line about it. `value` is FSL; None: the step has none."""

    name: str
    value: str | None
    about: str


@dataclass(frozen=True, slots=True)
class Outline:
    """A step of a flow. `states` are those that it can return; None if they are unknown."""

    flow: str
    name: str
    kind: str
    into: str
    """The scope of the step: empty for the flow, the name of an each, or `FORK/BRANCH`."""
    span: Span
    routes: tuple[Leads, ...]
    properties: tuple[Setting, ...]
    states: tuple[str, ...] | None
    targets: tuple[str, ...]
    """The steps of its scope, and the ends."""


def step_at(text: str, offset: int, returns: Returns = lambda _: None) -> Outline | None:
    """Return the innermost step of a flow at an offset; None if there is none. Takes time proportional to the text.

    `returns` gives the states of actions that the text does not declare.
    """
    document, _ = parse(text)
    statement = next((one for one in document.statements if one.span.start <= offset <= one.span.end), None)
    if statement is None or statement.kind.key not in ("flow", "flow_run"):
        return None
    draft = draft_of(document, statement)
    around = [one for found in draft.steps.values() for one in found if _contains(one, offset)]
    step = min(around, key=lambda one: one.node.span.end - one.node.span.start if one.node else 0, default=None)
    if step is None or step.node is None:
        return None
    known = returns_of(document.statements, returns)
    written = properties_of(step)
    return Outline(
        draft.name,
        step.name.name,
        step.kind,
        _path(step),
        step.node.span,
        tuple(_leads(one) for one in step.routes),
        tuple(
            Setting(name, _value(text, written.get(name)), about)
            for name, about in keywords.properties_of(step.kind).items()
        ),
        route_states(step, own_states(step, known)),
        (*_names(step), DONE, STOPPED),
    )


def _contains(step: StepDraft, offset: int) -> bool:
    return step.node is not None and step.node.span.start <= offset <= step.node.span.end


def _leads(route: RouteDraft) -> Leads:
    states = tuple(name for name, _ in route.states)
    return Leads(
        states,
        None if route.when is None else route.when.text,
        route.target.name,
        route.node.span if route.node else None,
    )


def _value(text: str, found: PropertyDraft | None) -> str | None:
    if found is None or found.node is None or found.node.value is None:
        return None
    return text[found.node.value.span.start : found.node.value.span.end]


def _names(step: StepDraft) -> list[str]:
    return [one.name.name for one in steps_of(step.scope) if not one.is_branch] if step.scope else []


def _path(step: StepDraft) -> str:
    scope = step.scope
    if not isinstance(scope, StepDraft):
        return ""
    return f"{_fork(scope)}/{scope.name.name}" if scope.is_branch else scope.name.name


def _fork(branch: StepDraft) -> str:
    return branch.scope.name.name if isinstance(branch.scope, StepDraft) else ""
