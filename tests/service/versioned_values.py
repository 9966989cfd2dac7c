"""Versioned values for tests."""

from __future__ import annotations

from dataclasses import dataclass, field
from threading import RLock

from chalicelib.adapters.memory.store import MemoryVersionedValues
from chalicelib.service.errors import Conflict


@dataclass
class VersionedValues(MemoryVersionedValues):
    """Counts reads, makes the first `rivals` writes lose to another writer, and records the written values."""

    reads: int = 0
    rivals: int = 0
    values: list[bytes] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__(RLock())

    def read(self, namespace: str, key: str) -> tuple[bytes, int]:
        self.reads += 1
        return super().read(namespace, key)

    def write(self, namespace: str, key: str, value: bytes, seen: int) -> None:
        if self.rivals:
            self.rivals -= 1
            raise Conflict("somebody was quicker")
        super().write(namespace, key, value, seen)
        self.values.append(value)
