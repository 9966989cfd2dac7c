"""Check the data of published events against the declarations of the namespace."""

from __future__ import annotations

from chalicelib.model import json_values
from chalicelib.model.event_data import completed_data, data_problems
from chalicelib.model.json_values import Json
from chalicelib.model.statements import EventType
from chalicelib.service.definitions.cache import DefinitionCache
from chalicelib.service.errors import ServiceError
from chalicelib.service.ports.definitions import Kind


class EventRefused(ServiceError):
    """The data does not fit the declaration of the event. `invalid_fields` maps each path to what is wrong there."""

    code = "event-refused"

    def __init__(self, name: str, invalid_fields: dict[str, str]) -> None:
        listed = "; ".join(f"{path} {problem}" for path, problem in invalid_fields.items())
        super().__init__(f"the data does not fit event {name!r}: {listed}")
        self.invalid_fields = invalid_fields


class EventTypes:
    """The declared events of namespaces."""

    def __init__(self, definition_cache: DefinitionCache) -> None:
        self._definition_cache = definition_cache

    def admitted(self, namespace: str, name: str, data: Json) -> Json:
        """Return the data of an event with defaults filled in; any data if it is not declared. Raises EventRefused."""
        found = self._definition_cache.if_defined(namespace, Kind.EVENT, name)
        if found is None:
            return data
        event = json_values.decode(found.value, EventType)
        problems = data_problems(event, data)
        if problems:
            raise EventRefused(name, problems)
        return completed_data(event, data)
