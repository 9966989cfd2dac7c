"""Delete definitions that no flow, no schedule and no live run refers to."""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping
from typing import Final

from chalicelib.model import json_values, status
from chalicelib.model.flow import Flow, actions_named, flows_named
from chalicelib.model.recurrence.schedule import Schedule
from chalicelib.model.run import DefinitionRef
from chalicelib.service.definitions.cache import DefinitionCache
from chalicelib.service.errors import NotFound, StillReferred
from chalicelib.service.ports.definitions import Definition, Kind
from chalicelib.service.ports.runs import RunQuery, RunStore
from chalicelib.service.ports.store import Store

_PAGE_ITEMS: Final = 100


class DefinitionDeleter:
    """Deletes definitions."""

    def __init__(
        self,
        store: Store,
        runs: RunStore,
        definition_cache: DefinitionCache,
        forget_schedule: Callable[[str, str], None],
    ) -> None:
        """`forget_schedule(namespace, name)` deletes what is stored beside the definition of a schedule."""
        self._forget_schedule = forget_schedule
        self._store = store
        self._runs = runs
        self._definition_cache = definition_cache

    def delete(self, namespace: str, kind: Kind, name: str, uuid: str | None = None) -> Definition:
        """Delete the definition of that name and return its newest version. Raises StillReferred, Conflict.

        Raises NotFound if there is none, or if `uuid` is given and it has another uuid.
        """
        found = self._store.definitions.latest(namespace, kind, [name]).get(name)
        if found is None or (uuid is not None and uuid.lower() != found.uuid):
            raise NotFound(kind, name)
        referrer = (
            self._referring_flow(namespace, kind, name)
            or self._referring_schedule(namespace, kind, name)
            or self._referring_run(namespace, kind, name)
        )
        if referrer:
            raise StillReferred(kind, name, referrer)
        self._store.definitions.delete(namespace, found)
        self._definition_cache.forget(namespace, kind, name)
        if kind is Kind.SCHEDULE:
            self._forget_schedule(namespace, name)
        return found

    def _referring_flow(self, namespace: str, kind: Kind, name: str) -> str:
        """Describe a flow that refers to the definition; empty if there is none."""
        if kind not in _REFERENCES:
            return ""
        after = ""
        while flows := self._store.definitions.list(namespace, Kind.FLOW, _PAGE_ITEMS, after):
            for stored in flows:
                if name in _REFERENCES[kind](json_values.decode(stored.value, Flow)):
                    return f"flow {stored.name!r}"
            after = flows[-1].name
        return ""

    def _referring_schedule(self, namespace: str, kind: Kind, name: str) -> str:
        """Describe a schedule that starts runs of the flow; empty if there is none."""
        after = ""
        while kind is Kind.FLOW:
            schedules = self._store.definitions.list(namespace, Kind.SCHEDULE, _PAGE_ITEMS, after)
            if not schedules:
                break
            for stored in schedules:
                if json_values.decode(stored.value, Schedule).flow == name:
                    return f"schedule {stored.name!r}"
            after = schedules[-1].name
        return ""

    def _referring_run(self, namespace: str, kind: Kind, name: str) -> str:
        """Describe a live run that refers to the definition; empty if there is none."""
        if kind not in _USED_BY_RUN:
            return ""
        cursor: str | None = None
        while True:
            query = RunQuery(statuses=status.LIVE, limit=_PAGE_ITEMS, cursor=cursor)
            listing = self._runs.list(namespace, query)
            for run in listing.runs:
                if name in _USED_BY_RUN[kind](run.definition):
                    return f"flow_run {run.name!r}, which is {run.status},"
            cursor = listing.cursor
            if cursor is None:
                return ""


_REFERENCES: Final[Mapping[Kind, Callable[[Flow], Container[str]]]] = {
    Kind.ACTION: actions_named,
    Kind.FLOW: flows_named,
}
"""The names of a kind that a flow refers to."""

_USED_BY_RUN: Final[Mapping[Kind, Callable[[DefinitionRef], Container[str]]]] = {
    Kind.ACTION: lambda ref: ref.actions,
    Kind.FLOW: lambda ref: (ref.flow,),
}
"""The names of a kind that a run refers to."""
