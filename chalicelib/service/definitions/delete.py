"""Delete definitions to which no other definition and no live run refers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from chalicelib.model import status
from chalicelib.service.definitions.cache import DefinitionCache
from chalicelib.service.definitions.references import REFERRING, Reference, references_of, references_of_run
from chalicelib.service.errors import NotFound, StillReferred
from chalicelib.service.hooks.book import HookBook
from chalicelib.service.ports.definitions import Definition, Kind
from chalicelib.service.ports.runs import RunQuery, RunStore
from chalicelib.service.ports.store import Store

_PAGE_ITEMS: Final = 100
_REFERRED: Final = (Kind.ACTION, Kind.FLOW, Kind.CONFIG)
"""The kinds to which something can refer."""


class DefinitionDeleter:
    """Deletes definitions."""

    def __init__(
        self,
        store: Store,
        runs: RunStore,
        definition_cache: DefinitionCache,
        forget_schedule: Callable[[str, str], None],
        hook_book: HookBook,
    ) -> None:
        """`forget_schedule(namespace, name)` deletes what is stored beside the definition of a schedule."""
        self._forget_schedule = forget_schedule
        self._store = store
        self._runs = runs
        self._definition_cache = definition_cache
        self._hook_book = hook_book

    def delete(self, namespace: str, kind: Kind, name: str, uuid: str | None = None) -> Definition:
        """Delete the definition of that name and return its newest version. Raises StillReferred, Conflict.

        Raises NotFound if there is none, or if `uuid` is given and it has another uuid.
        """
        found = self._store.definitions.latest(namespace, kind, [name]).get(name)
        if found is None or (uuid is not None and uuid.lower() != found.uuid):
            raise NotFound(kind, name)
        referrer = self._referrer(namespace, (kind, name)) if kind in _REFERRED else ""
        if referrer:
            raise StillReferred(kind, name, referrer)
        self._store.definitions.delete(namespace, found)
        self._definition_cache.forget(namespace, kind, name)
        if kind is Kind.SCHEDULE:
            self._forget_schedule(namespace, name)
        if kind is Kind.HOOK:
            self._hook_book.forget(namespace)
        return found

    def _referrer(self, namespace: str, to: Reference) -> str:
        """Describe what refers to the definition; empty if nothing does."""
        for kind in REFERRING:
            found = self._referring(namespace, kind, to)
            if found:
                return found
        return self._referring_run(namespace, to)

    def _referring(self, namespace: str, kind: Kind, to: Reference) -> str:
        """Describe another definition of that kind that refers to the definition; empty if there is none."""
        after = ""
        while page := self._store.definitions.list(namespace, kind, _PAGE_ITEMS, after):
            for stored in page:
                if (kind, stored.name) != to and to in references_of(stored):
                    return f"{kind} {stored.name!r}"
            after = page[-1].name
        return ""

    def _referring_run(self, namespace: str, to: Reference) -> str:
        """Describe a live run that refers to the definition; empty if there is none."""
        cursor: str | None = None
        while True:
            query = RunQuery(statuses=status.LIVE, limit=_PAGE_ITEMS, cursor=cursor)
            listing = self._runs.list(namespace, query)
            for run in listing.runs:
                if to in references_of_run(run.definition):
                    return f"flow_run {run.name!r}, which is {run.status},"
            cursor = listing.cursor
            if cursor is None:
                return ""
