"""Stores of small values: idempotency keys and versioned values."""

from __future__ import annotations

from typing import Protocol

from chalicelib.model.times import Instant


class KeyStore(Protocol):
    def claim(self, namespace: str, key: str, value: str, now: Instant, ttl: int) -> str:
        """The value that holds the key: `value` if it was free (held for `ttl` milliseconds), else the earlier."""
        ...


class VersionedValueStore(Protocol):
    """Small values that several writers change by comparing and setting."""

    def read(self, namespace: str, key: str) -> tuple[bytes, int]:
        """The cell's value and its version; (b"", 0) if nobody wrote it. Consistent."""
        ...

    def write(self, namespace: str, key: str, value: bytes, seen: int) -> None:
        """The cell holds `value`, at version `seen` + 1. Raises Conflict if its version was no longer `seen`."""
        ...
