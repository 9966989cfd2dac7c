"""The port of the store of waiters: deliveries and runs that wait for a permit, in queues."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import msgspec

from chalicelib.model.json_values import ready
from chalicelib.model.times import Instant


class Waiter(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What waits for a permit, with the limit that applies to it.

    A queue is sorted by `at`, `place` and `uuid`: by since when waiters wait, in milliseconds since 1970, and by the
    order in which a process put those of one moment.
    """

    at: Instant
    place: int = 0
    uuid: str
    """The activation, or the id of the run that waits for its start."""
    run: str
    id: str
    """The id of the run."""
    attempt: int = 0
    """How many deliveries of the activation have failed."""
    concurrent: int | None = None
    per_second: float | None = None
    burst: int = 1

    @property
    def is_run(self) -> bool:
        """Whether it is a run that waits for its start."""
        return self.uuid == self.id

    @property
    def is_unlimited(self) -> bool:
        """Whether it has no limit of its own: it waits for a breaker."""
        return self.concurrent is None and self.per_second is None


class WaiterStore(Protocol):
    """Stores waiters in queues. The name of a queue is that of its limiter; it need not be created."""

    def put(self, namespace: str, queue: str, waiter: Waiter) -> None:
        """Add a waiter, or replace the one at the same place."""
        ...

    def remove(self, namespace: str, queue: str, waiters: Sequence[Waiter]) -> None:
        """Remove these waiters. Those that are not in the queue are ignored."""
        ...

    def first(self, namespace: str, queue: str, limit: int) -> Sequence[Waiter]:
        """Return at most `limit` waiters, those first that wait longest. Consistent."""
        ...


ready(Waiter)
