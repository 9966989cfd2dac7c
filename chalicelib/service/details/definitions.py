"""Versions of definitions, their differences, and the schemas of a flow."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from chalicelib.model import json_values
from chalicelib.model.actions import Action
from chalicelib.model.definition import configs_of
from chalicelib.model.flow import EventStep, Flow, actions_named, walk
from chalicelib.model.json_values import Json
from chalicelib.model.statements import Config, EventType
from chalicelib.service.definitions.references import REFERRING, references_of
from chalicelib.service.errors import NotFound
from chalicelib.service.ports.definitions import Definition, DefinitionStore, Kind

if TYPE_CHECKING:
    from chalicelib.authoring.flow_diff import FlowDiff

# `chalicelib.authoring` is imported when it is needed: a cold start does not pay for it.


MAX_READ_DEFINITIONS: Final = 2_000
"""How many definitions one request reads at most for those that refer to another one."""

_READ_AT_ONCE: Final = 100


@dataclass(frozen=True, slots=True)
class Referrers:
    """The newest versions of definitions that refer to another one; of all definitions, if `is_complete`."""

    found: Sequence[Definition]
    is_complete: bool


@dataclass(frozen=True, slots=True)
class Difference:
    """Two versions of a flow, what differs, and the same as a unified diff of their texts."""

    before: Definition
    after: Definition
    diff: FlowDiff
    text: str


@dataclass(frozen=True, slots=True)
class FlowContext:
    """A version of a flow, with the newest versions of its actions and of the events that it waits for."""

    definition: Definition
    flow: Flow
    actions: Mapping[str, Action]
    events: Mapping[str, EventType]
    config: Mapping[str, Json]
    """The newest values of the configuration that the flow and its actions read."""


class DefinitionDetails:
    """Reads versions of definitions."""

    def __init__(self, definitions: DefinitionStore) -> None:
        self._definitions = definitions

    def versions(
        self, namespace: str, kind: Kind, name: str, limit: int, before: int | None = None
    ) -> Sequence[Definition]:
        """Return at most `limit` versions, newest first, of those below `before`. Raises NotFound.

        The versions of a deleted name are returned too.
        """
        found = self._definitions.versions(namespace, kind, name, limit, before)
        if not found and before is None:
            raise NotFound(kind, name)
        return found

    def referrers(self, namespace: str, kind: Kind, name: str) -> Referrers:
        """Return the definitions whose newest version refers to this one, sorted by kind and name. Raises NotFound."""
        if not self._definitions.latest(namespace, kind, [name]):
            raise NotFound(kind, name)
        found: list[Definition] = []
        read = 0
        for referring in REFERRING:
            after = ""
            while page := self._definitions.list(namespace, referring, _READ_AT_ONCE, after):
                if read >= MAX_READ_DEFINITIONS:
                    return Referrers(found, is_complete=False)
                read, after = read + len(page), page[-1].name
                found += (one for one in page if (referring, one.name) != (kind, name) and _refers(one, kind, name))
        return Referrers(found, is_complete=True)

    def difference(self, namespace: str, name: str, before: int | None, after: int | None) -> Difference:
        """Return what changed from one version of a flow to another. Raises NotFound.

        `after` is the newest version if it is None, `before` the one before `after`: the first has itself.
        """
        from difflib import unified_diff

        from chalicelib.authoring.flow_diff import diff

        new = self._flow(namespace, name, after)
        old = self._flow(namespace, name, max(new.version - 1, 1) if before is None else before)
        found = diff(json_values.decode(old.value, Flow), json_values.decode(new.value, Flow))
        lines = unified_diff(
            old.text.splitlines(),
            new.text.splitlines(),
            f"{name} version {old.version}",
            f"{name} version {new.version}",
            lineterm="",
        )
        return Difference(old, new, found, "\n".join(lines))

    def context(self, namespace: str, name: str, version: int | None) -> FlowContext:
        """Return a version of a flow with its actions and events. Raises NotFound."""
        found = self._flow(namespace, name, version)
        flow = json_values.decode(found.value, Flow)
        events = {one for step in walk(flow.steps) if isinstance(step, EventStep) for one in step.events.values()}
        actions = self._definitions.latest(namespace, Kind.ACTION, sorted(actions_named(flow)))
        declared = self._definitions.latest(namespace, Kind.EVENT, sorted(events))
        decoded = {key: json_values.decode(one.value, Action) for key, one in sorted(actions.items())}
        config = self._definitions.latest(namespace, Kind.CONFIG, sorted(configs_of(flow, decoded.values())))
        return FlowContext(
            found,
            flow,
            decoded,
            {key: json_values.decode(one.value, EventType) for key, one in sorted(declared.items())},
            {key: json_values.decode(one.value, Config).value for key, one in config.items()},
        )

    def _flow(self, namespace: str, name: str, version: int | None) -> Definition:
        if version is None:
            found = self._definitions.latest(namespace, Kind.FLOW, [name]).get(name)
        else:
            found = self._definitions.version(namespace, Kind.FLOW, name, version)
        if found is None:
            raise NotFound(Kind.FLOW, name if version is None else f"{name} version {version}")
        return found


def _refers(definition: Definition, kind: Kind, name: str) -> bool:
    return (kind, name) in references_of(definition)
