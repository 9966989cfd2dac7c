"""The ports of time and random ids."""

from __future__ import annotations

from typing import Protocol

from chalicelib.model.times import Instant


class Clock(Protocol):
    """Returns time in milliseconds since 1970, and sleeps."""

    def now(self) -> Instant: ...

    def sleep(self, milliseconds: int) -> None: ...


class IdSource(Protocol):
    """Makes random ids."""

    def nonce(self) -> str:
        """Return 32 hex digits, unique and not guessable."""
        ...
