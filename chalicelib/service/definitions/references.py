"""The definitions to which a definition or a run refers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, TypeAlias

from chalicelib.model import json_values
from chalicelib.model.actions import Action
from chalicelib.model.flow import Flow, actions_named, flows_named
from chalicelib.model.hooks import Hook
from chalicelib.model.recurrence.schedule import Schedule
from chalicelib.model.run import DefinitionRef
from chalicelib.model.statements import VALUE_TYPES, DefinitionValue
from chalicelib.service.ports.definitions import Definition, Kind

Reference: TypeAlias = tuple[Kind, str]
"""The kind and the name of a definition."""

REFERRING: Final = (Kind.FLOW, Kind.ACTION, Kind.SCHEDULE, Kind.HOOK)
"""The kinds of definitions that refer to others."""


def references_of(found: Definition) -> Iterator[Reference]:
    """Yield what a definition refers to by name."""
    value: DefinitionValue = json_values.decode(found.value, VALUE_TYPES[found.kind])
    match value:
        case Flow():
            yield from ((Kind.ACTION, name) for name in actions_named(value))
            yield from ((Kind.FLOW, name) for name in flows_named(value))
            yield from ((Kind.CONFIG, name) for name in value.configs)
        case Action():
            if value.undo:
                yield Kind.FLOW if value.undo.is_flow else Kind.ACTION, value.undo.action
            yield from ((Kind.CONFIG, name) for name in value.configs)
        case Schedule():
            yield Kind.FLOW, value.flow
            yield from ((Kind.CONFIG, name) for name in value.configs)
        case Hook() if value.flow is not None:
            yield Kind.FLOW, value.flow


def references_of_run(ref: DefinitionRef) -> Iterator[Reference]:
    """Yield what a run uses."""
    yield Kind.FLOW, ref.flow
    yield from ((Kind.ACTION, name) for name in ref.actions)
    yield from ((Kind.CONFIG, name) for name in ref.configs)
