"""Definitions beside actions and flows: the schema of an event, a value of the configuration, a hook."""

from __future__ import annotations

from typing import Final, TypeAlias

from chalicelib.model.actions import Action, Parameter
from chalicelib.model.flow import Flow, FlowRun
from chalicelib.model.hooks import Hook
from chalicelib.model.json_values import FrozenValue, Json, ready
from chalicelib.model.recurrence.schedule import Schedule


class EventType(FrozenValue, frozen=True, kw_only=True):
    """What the data of an event must be. `parameters` None: any JSON value."""

    name: str
    parameters: tuple[Parameter, ...] | None = None


class Config(FrozenValue, frozen=True, kw_only=True):
    """A value of the namespace, which flows read as `$config.NAME`."""

    name: str
    value: Json


DefinitionValue: TypeAlias = Action | Flow | EventType | Config | Schedule | Hook
"""The value of a definition, as the definition store keeps it."""

StatementValue: TypeAlias = DefinitionValue | FlowRun
"""The value of a checked statement."""

VALUE_TYPES: Final[dict[str, type[DefinitionValue]]] = {
    "action": Action,
    "flow": Flow,
    "event": EventType,
    "config": Config,
    "schedule": Schedule,
    "hook": Hook,
}
"""The types of definitions by the word that begins their statement."""

KIND_OF: Final = {value_type: kind for kind, value_type in VALUE_TYPES.items()}

for _each in (EventType, Config):
    ready(_each)
