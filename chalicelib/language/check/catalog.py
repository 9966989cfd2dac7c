"""The definitions outside a document: those that it may use without defining them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from chalicelib.language.check.config_names import config_names
from chalicelib.language.check.operations import Operations
from chalicelib.language.syntax.tree import Call, Document, Property, Statement, Use, Word, steps_within
from chalicelib.model.actions import Action
from chalicelib.model.flow import Flow
from chalicelib.model.recurrence.schedule import Schedule
from chalicelib.model.statements import Config, EventType


class Catalog(Protocol):
    """The existing definitions, looked up by exact name."""

    def action(self, name: str) -> Action | None: ...

    def flow(self, name: str) -> Flow | None: ...

    def event(self, name: str) -> EventType | None: ...

    def config(self, name: str) -> Config | None: ...

    def schedule(self, name: str) -> Schedule | None: ...

    def names(self) -> Iterable[str]:
        """Return the names of actions and flows for suggestions; the list may be incomplete."""
        ...

    @property
    def operations(self) -> Operations | None:
        """The operations that actions may call (`method = aws`); None if they are unknown, and not checked."""
        ...

    def config_names(self) -> Iterable[str]:
        """Return the names of configs for suggestions; the list may be incomplete."""
        ...


@dataclass(frozen=True, slots=True)
class KnownNames:
    """A catalog of mappings."""

    actions: Mapping[str, Action] = field(default_factory=dict)
    flows: Mapping[str, Flow] = field(default_factory=dict)
    events: Mapping[str, EventType] = field(default_factory=dict)
    configs: Mapping[str, Config] = field(default_factory=dict)
    operations: Operations | None = None
    schedules: Mapping[str, Schedule] = field(default_factory=dict)

    def action(self, name: str) -> Action | None:
        return self.actions.get(name)

    def flow(self, name: str) -> Flow | None:
        return self.flows.get(name)

    def event(self, name: str) -> EventType | None:
        return self.events.get(name)

    def config(self, name: str) -> Config | None:
        return self.configs.get(name)

    def schedule(self, name: str) -> Schedule | None:
        return self.schedules.get(name)

    def names(self) -> Iterable[str]:
        return [*self.actions, *self.flows]

    def config_names(self) -> Iterable[str]:
        return self.configs


@dataclass(frozen=True, slots=True)
class References:
    """The names that a document uses and does not define."""

    actions: frozenset[str] = frozenset()
    flows: frozenset[str] = frozenset()
    events: frozenset[str] = frozenset()
    configs: frozenset[str] = frozenset()


def references(document: Document) -> References:
    """Return the names to look up before the document can be checked. Accepts damaged documents."""
    used: defaultdict[str, set[str]] = defaultdict(set)
    defined: defaultdict[str, set[str]] = defaultdict(set)
    for statement in document.statements:
        defined[statement.kind.key].add(statement.name.text)
        used["config"] |= config_names(statement)
        for kind, word in named_by(statement):
            used[kind].add(word.text)
    undos = used["undo"] - defined["action"] - defined["flow"]
    return References(
        actions=frozenset(used["action"] - defined["action"] | undos),
        flows=frozenset((used["flow"] | used["start"]) - defined["flow"] | undos),
        events=frozenset(used["event"] - defined["event"]),
        configs=frozenset(used["config"] - defined["config"]),
    )


def named_by(statement: Statement) -> Iterable[tuple[str, Word]]:
    """Yield each ("action" | "flow" | "start" | "event" | "undo", name) that a statement refers to, in the order of the
    text.

    An undo names an action or a flow, a start names a flow.
    """
    yield from _named_in(statement.kind.key, statement.members)
    for step in steps_within(statement.members):
        if step.body:
            yield from _named_in(step.kind.key, step.body.members)


def _named_in(owner: str, members: Iterable[object]) -> Iterable[tuple[str, Word]]:
    for member in members:
        if isinstance(member, Use):
            yield "flow", member.flow
        if not isinstance(member, Property):
            continue
        name = member.value.name if isinstance(member.value, Call) else member.value
        if not isinstance(name, Word):
            continue
        match owner, member.name.key:
            case ("step" | "deci", "action") | ("wait", "on_enter" | "on_leave"):
                yield "action", name
            case ("step" | "deci" | "action" | "call", "undo"):
                yield "undo", name
            case ("call" | "flow_run" | "schedule" | "hook", "flow"):
                yield "flow", name
            case ("start", "flow"):
                yield "start", name
            case ("emit", "event"):
                yield "event", name
