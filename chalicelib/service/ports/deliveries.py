"""The port of the store of deliveries: what was sent, and what came back at once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import msgspec

from chalicelib.model.history import Sent
from chalicelib.model.json_values import Json, ready
from chalicelib.model.run import Run
from chalicelib.model.times import Instant


class DeliveryRecord(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One delivery of an activation."""

    uuid: str = msgspec.field(name="u")
    at: Instant = msgspec.field(name="t")
    """When it was sent."""
    sent: Sent = msgspec.field(name="h")
    error: str = msgspec.field(name="x", default="")
    """Why it failed; empty if it was accepted."""
    args: dict[str, Json] | None = msgspec.field(name="a", default=None)
    """The args, with secrets masked; None if an earlier record has them, or if they are too large."""


class DeliveryStore(Protocol):
    """Stores deliveries of runs, as long as the runs are stored."""

    def put(self, run: Run, record: DeliveryRecord) -> None:
        """Add the delivery.

        A store may write it a moment later, together with something else: it is lost if the process ends before.
        """
        ...

    def of(self, run: Run, uuid: str, limit: int) -> Sequence[DeliveryRecord]:
        """Return the first deliveries of the activation, at most `limit`, in the order of their times."""
        ...


ready(DeliveryRecord)
