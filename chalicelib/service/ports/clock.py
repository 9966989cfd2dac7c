"""Time and random ids."""

from __future__ import annotations

from typing import Protocol

from chalicelib.model.times import Instant


class Clock(Protocol):
    def now(self) -> Instant: ...

    def sleep(self, milliseconds: int) -> None: ...


class IdSource(Protocol):
    def nonce(self) -> str:
        """32 hex digits, never the same, not to be guessed."""
        ...
