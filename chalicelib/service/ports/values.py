"""The ports of the stores of idempotency keys and versioned values."""

from __future__ import annotations

from typing import Protocol

from chalicelib.model.times import Instant


class KeyStore(Protocol):
    """Stores idempotency keys."""

    def claim(self, namespace: str, key: str, value: str, now: Instant, ttl: int) -> str:
        """Store `value` under a free key for `ttl` milliseconds. Return the value of the key, which may be older."""
        ...


class VersionedValueStore(Protocol):
    """Stores small values that several writers change by compare-and-set."""

    def read(self, namespace: str, key: str) -> tuple[bytes, int]:
        """Return the value and its version; (b"", 0) if it was never written. Consistent."""
        ...

    def write(self, namespace: str, key: str, value: bytes, seen: int) -> None:
        """Write `value` as version `seen` + 1. Raises Conflict if the version is no longer `seen`."""
        ...
