"""How a worker received a message. Apart from what handles it: every function of Lambda loads what workers pass on."""

from __future__ import annotations

import msgspec

from chalicelib.model.times import Instant


class Reception(msgspec.Struct, frozen=True):
    """How a worker received a message."""

    count: int = 0
    """How often the message was received, this time included; 0: it comes from no queue."""
    until: Instant | None = None
    """When the worker must be done; None: it may take its time."""

    @property
    def is_first(self) -> bool:
        return self.count == 1
