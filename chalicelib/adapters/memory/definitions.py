"""Definitions in memory: for each name its versions, oldest first."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from threading import RLock

from msgspec.structs import replace

from chalicelib.adapters.memory.runs import MemoryRuns
from chalicelib.adapters.store_rules import check_distinct, not_newest, not_next
from chalicelib.model import formats
from chalicelib.service.errors import RunExists
from chalicelib.service.ports.definitions import Definition, Kind
from chalicelib.service.ports.runs import NewRun


class MemoryDefinitions:
    def __init__(self, lock: RLock, runs: MemoryRuns) -> None:
        self._lock = lock
        self._runs = runs
        self._versions: dict[tuple[str, Kind, str], list[bytes]] = {}
        self._deleted: set[tuple[str, Kind, str]] = set()

    def latest(
        self, namespace: str, kind: Kind, names: Iterable[str], *, deleted: bool = False
    ) -> dict[str, Definition]:
        with self._lock:
            found = {name: self._newest((namespace, kind, name), deleted=deleted) for name in names}
        return {name: definition for name, definition in found.items() if definition}

    def version(self, namespace: str, kind: Kind, name: str, version: int) -> Definition | None:
        with self._lock:
            versions = self._versions.get((namespace, kind, name), [])
            return _definition(versions[version - 1]) if 1 <= version <= len(versions) else None

    def versions(
        self, namespace: str, kind: Kind, name: str, limit: int, before: int | None = None
    ) -> Sequence[Definition]:
        with self._lock:
            bodies = self._versions.get((namespace, kind, name), [])[: None if before is None else max(before - 1, 0)]
        return [_definition(body) for body in reversed(bodies[-limit:])]

    def list(self, namespace: str, kind: Kind, limit: int, after: str = "") -> Sequence[Definition]:
        with self._lock:
            keys = sorted(key for key in self._versions if key[:2] == (namespace, kind) and key[2] > after)
            found = [definition for key in keys if (definition := self._newest(key))]
        return found[:limit]

    def submit(self, namespace: str, definitions: Sequence[Definition], runs: Sequence[NewRun]) -> None:
        check_distinct(definitions, runs)
        with self._lock:
            for definition in definitions:
                key = (namespace, definition.kind, definition.name)
                if definition.version != len(self._versions.get(key, [])) + 1:
                    raise not_next(definition)
            for new in runs:
                if self._runs.exists(new.run.namespace, new.run.name):
                    raise RunExists(new.run.name)
            for definition in definitions:
                key = (namespace, definition.kind, definition.name)
                self._versions.setdefault(key, []).append(formats.DEFINITION.encode(definition))
                self._deleted.discard(key)
            for new in runs:
                self._runs.create(new)

    def delete(self, namespace: str, definition: Definition) -> None:
        key = (namespace, definition.kind, definition.name)
        with self._lock:
            if key in self._deleted or len(self._versions.get(key, [])) != definition.version:
                raise not_newest(definition)
            self._deleted.add(key)

    def _newest(self, key: tuple[str, Kind, str], *, deleted: bool = False) -> Definition | None:
        versions = self._versions.get(key)
        if not versions or (key in self._deleted and not deleted):
            return None
        return replace(_definition(versions[-1]), deleted=key in self._deleted)


def _definition(body: bytes) -> Definition:
    return formats.DEFINITION.decode(body, Definition)
