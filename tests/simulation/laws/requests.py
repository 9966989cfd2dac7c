"""Invariant 5: all deliveries of one activation are the same request."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import Final

from chalicelib.model.run import Run
from chalicelib.model.times import Instant

OLD_MS: Final = 62_000
"""What was committed so long ago, every handler has read: none lives longer."""


class Requests:
    """What was sent for each activation."""

    def __init__(self) -> None:
        self.bodies: dict[str, bytes] = {}
        self.locations: dict[str, set[str]] = defaultdict(set)
        """The locations in the 202 answers of an action without callback."""
        self._located: dict[str, Instant] = {}
        """Since when the head is known to say so."""

    def sent(self, uuid: str, body: bytes) -> Iterator[str]:
        """Yield how the request differs from the first one."""
        if self.bodies.setdefault(uuid, body) != body:
            yield f"{uuid} was delivered with {self.bodies[uuid]!r}, and then with {body!r}"

    def commit(self, after: Run, now: Instant) -> None:
        """Note which activations are known to be answered elsewhere."""
        for token in after.tokens:
            if token.activation and token.activation.location:
                self._located.setdefault(token.activation.uuid, now)

    def asked(self, uuid: str, location: str, now: Instant) -> Iterator[str]:
        """Yield what is wrong with where the request was sent: empty for the address of the action."""
        if location and location not in self.locations[uuid]:
            yield f"{uuid} was looked for at {location!r}, where it is not"
        if not location and self._located.get(uuid, now) < now - OLD_MS:
            yield f"{uuid} was sent again, though it was answered where its result will be"
