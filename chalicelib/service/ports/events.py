"""The port of the store of published events and subscriptions."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol

import msgspec

from chalicelib.model.json_values import Json, ready
from chalicelib.model.times import Instant


class Signal(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A published event, stored until `expires_at`."""

    id: str
    name: str
    key: str = ""
    run: str = ""
    """The id of the run that it is for; empty: any run that waits for its name and key."""
    data: Json = None
    by: str = ""
    """The run that published it, as `run NAME`; empty: a request did."""
    at: Instant
    until: Instant = 0
    """Runs that begin to wait until then receive it too."""
    expires_at: Instant
    """When it may be deleted: some time after `until`."""

    @property
    def place(self) -> str:
        """Return its sort key among the events of its name: later events sort after it."""
        return f"{self.at:015}/{self.id[:8]}"


class Subscription(msgspec.Struct, frozen=True, kw_only=True):
    """A run waits for events of that name and key, in that activation, until `until`."""

    name: str
    key: str
    run: str
    uuid: str
    until: Instant


class SignalStore(Protocol):
    """Stores events and subscriptions."""

    def put(self, namespace: str, signal: Signal) -> None:
        """Store an event, of any size up to 5 MB."""
        ...

    def stored(
        self, namespace: str, name: str, key: str, run: str, now: Instant, since: Instant = 0
    ) -> Iterable[Signal]:
        """Yield events with exactly that name, key and run (an id, or empty), published at `since` or later and not
        expired, sorted by place. Consistent. They are read lazily: taking only the first costs little.
        """
        ...

    def subscribe(self, namespace: str, subscription: Subscription) -> None:
        """Add a subscription. It ends when it is removed or expires."""
        ...

    def unsubscribe(self, namespace: str, subscription: Subscription) -> None:
        """Remove a subscription."""
        ...

    def subscriptions(self, namespace: str, name: str, key: str) -> Sequence[Subscription]:
        """Return the subscriptions to that name and key. Consistent; some may be of activations that have ended."""
        ...

    def list(
        self, namespace: str, now: Instant, limit: int, before: tuple[Instant, str] | None = None
    ) -> Sequence[Signal]:
        """Return events that have not expired, newest first: those before a position (`at`, `id`)."""
        ...


ready(Signal, Subscription)
