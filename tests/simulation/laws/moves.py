"""Deliveries go where the newest version of their action says, soon after it was submitted."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from chalicelib.model.times import Instant
from chalicelib.service.definitions.cache import FOLLOW_MS

OLD_MS: Final = 62_000
"""What was submitted so long ago, and FOLLOW_MS more, every handler knows."""

_ADDRESS: Final = re.compile(r"https?://(?P<action>\w+)\.test/(?:v(?P<version>\d+))?")


def action_at(address: str) -> str:
    """Return the name of the action at the address."""
    found = _ADDRESS.match(address)
    return found["action"] if found else ""


class Moves:
    """The versions of actions that were acknowledged."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, str], list[tuple[int, Instant]]] = {}

    def redefined(self, namespace: str, action: str, version: int, at: Instant) -> None:
        """The version was submitted."""
        self._known.setdefault((namespace, action), []).append((version, at))

    def sent(self, namespace: str, address: str, now: Instant) -> Iterator[str]:
        """Yield which newer version the address of a delivery should be of."""
        found = _ADDRESS.match(address)
        if found is None:
            return
        used = int(found["version"] or 1)
        for version, at in self._known.get((namespace, found["action"]), ()):
            if version > used and at < now - OLD_MS - FOLLOW_MS:
                yield f"{address} was called, though version {version} of its action was submitted long ago"
                return
