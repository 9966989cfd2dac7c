"""The flow as it is being changed: its steps, routes and properties, each with its place in the text if it has one."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from chalicelib.authoring.occurrences import Occurrence, in_document, steps_in
from chalicelib.language import Document
from chalicelib.language.syntax import tree
from chalicelib.language.syntax.tree import Statement, Word
from chalicelib.model.flow import DEFAULT_STATE, DONE, ENDS

ELSE: Final = "else"
BRANCH: Final = "branch"


@dataclass(slots=True, eq=False)
class Mention:
    """A place that names a step, or an end. `place` is where the text names it; None in what is new."""

    name: str
    place: Occurrence | None = None
    route: RouteDraft | None = None
    """The route that leads there, if this is its target."""
    is_dropped: bool = False
    """Whether the place names something else now."""


@dataclass(slots=True, eq=False)
class Source:
    """A value or a condition as FSL. `named` are the texts in it that are compared with the name of a step."""

    text: str
    named: list[tuple[Mention, int, int]] = field(default_factory=list)

    def now(self) -> str:
        """Return it with the names that the steps have now."""
        found = self.text
        for mention, start, end in reversed(self.named):
            found = found[:start] + json.dumps(mention.name, ensure_ascii=False) + found[end:]
        return found


@dataclass(slots=True, eq=False)
class RouteDraft:
    """A route. `states` are its states with their words in the text; `when` is its condition, stripped."""

    states: list[tuple[str, Word | None]]
    when: Source | None
    target: Mention
    node: tree.Route | None = None
    entries: tree.Group | None = None
    """The entries that the target has in the text."""
    is_deleted: bool = False

    def matches(self, state: str | None, when: str | None) -> bool:
        """Return whether this is the route of the state, or without a state, under that condition."""
        named = [name for name, _ in self.states]
        return (state in named if state is not None else not named) and self.condition == normal(when)

    @property
    def condition(self) -> str | None:
        """The condition with single blanks; None if it has none."""
        return None if self.when is None else normal(self.when.now())

    def has(self, states: Sequence[str], when: str | None) -> bool:
        """Return whether this is the route of just these states, under that condition."""
        return {name for name, _ in self.states} == set(states) and self.condition == normal(when)


@dataclass(slots=True, eq=False)
class PropertyDraft:
    """A property. `value` is its new value; None if that of the text is kept."""

    name: str
    value: Source | None = None
    node: tree.Property | None = None
    is_deleted: bool = False


@dataclass(slots=True, eq=False)
class OtherDraft:
    """A member that is not changed: a `use`; or the place in the text of a step that was moved, which is deleted."""

    node: tree.Use | tree.Step
    is_deleted: bool = False


@dataclass(slots=True, eq=False)
class StepDraft:
    """A step, or a branch, which has no routes."""

    kind: str
    name: Mention
    routes: list[RouteDraft]
    members: list[Member] = field(default_factory=list)
    scope: StepDraft | FlowDraft | None = None
    node: tree.Step | None = None
    is_deleted: bool = False
    is_moved: bool = False
    """Whether its text is put where it stands among the members, away from its place in the text."""

    @property
    def is_branch(self) -> bool:
        return self.kind == BRANCH

    @property
    def label(self) -> str:
        """Kind and name, for messages."""
        return f"{self.kind} '{self.name.name}'"


Member: TypeAlias = PropertyDraft | OtherDraft | StepDraft


@dataclass(slots=True, eq=False)
class FlowDraft:
    """The flow: a statement with its members, and every place that names one of its steps."""

    kind: str
    name: str
    node: Statement
    members: list[Member]
    mentions: dict[str, list[Mention]] = field(default_factory=dict)
    steps: dict[str, list[StepDraft]] = field(default_factory=dict)
    """The steps that are not deleted, by name; several of one name are an error in the text."""

    @property
    def label(self) -> str:
        """Kind and name, for messages."""
        return f"{self.kind} '{self.name}'"

    def source(self, text: str, found: Iterable[tuple[str, int, int]]) -> Source:
        """Return a new value or condition, with the names of steps in it and their places."""
        return Source(text, [(self.mention(name), start, end) for name, start, end in found])

    def mention(self, name: str, route: RouteDraft | None = None) -> Mention:
        """Return a new place that names a step or an end."""
        found = Mention(name, route=route)
        if name not in ENDS:
            self.mentions.setdefault(name, []).append(found)
        return found


Scope: TypeAlias = FlowDraft | StepDraft


def steps_of(scope: Scope) -> Iterator[StepDraft]:
    """Yield the steps or branches directly in a scope that are not deleted."""
    return (one for one in scope.members if isinstance(one, StepDraft) and not one.is_deleted)


def every_step(scope: Scope) -> Iterator[StepDraft]:
    """Yield the steps and branches in a scope, nested ones too, that are not deleted."""
    for step in steps_of(scope):
        yield step
        yield from every_step(step)


def properties_of(scope: Scope) -> dict[str, PropertyDraft]:
    """Return the properties of a step or flow by name; of one that is set twice, the first."""
    found: dict[str, PropertyDraft] = {}
    for one in scope.members:
        if isinstance(one, PropertyDraft) and not one.is_deleted:
            found.setdefault(one.name, one)
    return found


def normal(when: str | None) -> str | None:
    """Return a condition with single blanks, to compare it."""
    return None if when is None else " ".join(when.split())


def draft_of(document: Document, statement: Statement) -> FlowDraft:
    """Return the draft of a flow, or of a run with its own steps. Takes time proportional to the document."""
    flow = FlowDraft(statement.kind.key, statement.name.text, statement, [])
    owner = (flow.kind, flow.name)
    found = {
        one.span.start: Mention(one.name.text, one)
        for one in in_document(document)
        if one.name.kind == "step" and one.name.owner == owner
    }
    flow.members = _members(statement.members, flow, found)
    for step in every_step(flow):
        if not step.is_branch:
            flow.steps.setdefault(step.name.name, []).append(step)
    for mention in found.values():
        flow.mentions.setdefault(mention.name, []).append(mention)
    return flow


def _members(members: Iterable[tree.Member], scope: Scope, found: dict[int, Mention]) -> list[Member]:
    drafts: list[Member] = []
    for one in members:
        if isinstance(one, tree.Property):
            drafts.append(PropertyDraft(one.name.key, node=one))
        elif isinstance(one, tree.Use):
            drafts.append(OtherDraft(one))
        elif isinstance(one, tree.Step):
            drafts.append(_step(one, scope, found))
    return drafts


def _step(node: tree.Step, scope: Scope, found: dict[int, Mention]) -> StepDraft:
    kind = node.kind.key
    # A branch is no step: nothing refers to its name.
    name = Mention(node.name.text) if kind == BRANCH else found[node.name.span.start]
    step = StepDraft(kind, name, [], scope=scope, node=node)
    items = node.routes.items if node.routes else ()
    step.routes = [_route(one, found) for one in items if isinstance(one, tree.Route)]
    if node.routes and not items and kind != BRANCH:
        step.routes = [RouteDraft([(DEFAULT_STATE, None)], None, Mention(DONE))]
    step.members = _members(node.body.members, step, found) if node.body else []
    return step


def _route(node: tree.Route, found: dict[int, Mention]) -> RouteDraft:
    word = node.target
    if word is None or word.text.lower() in ENDS:
        target = Mention(DONE if word is None else word.text.lower())
    else:
        target = found.get(word.span.start) or Mention(word.text)
    route = RouteDraft(
        [(ELSE if _is_else(node) else one.text, one) for one in node.states],
        None if node.when is None else _condition(node.when, found),
        target,
        node,
        node.entries,
    )
    target.route = route
    return route


def _condition(node: tree.Expression, found: dict[int, Mention]) -> Source:
    begin, lead = node.span.start + 2, len(node.source) - len(node.source.lstrip())
    named = [(found[begin + start], start - lead, end - lead) for _, start, end in steps_in(node.source)]
    return Source(node.source.strip(), named)


def _is_else(node: tree.Route) -> bool:
    return node.when is None and [one.key for one in node.states] == [ELSE]
