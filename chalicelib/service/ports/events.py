"""The store of published events and of subscriptions."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol

import msgspec

from chalicelib.model.json_values import Json, ready
from chalicelib.model.times import Instant


class Signal(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An event that somebody published, kept until `expires_at`."""

    id: str
    name: str
    key: str = ""
    run: str = ""
    """The id of the only run that it is for; empty: any that waits for its name and key."""
    data: Json = None
    at: Instant
    until: Instant = 0
    """A run that begins to wait by then gets it too."""
    expires_at: Instant
    """When it may be forgotten: some time after `until`."""

    @property
    def place(self) -> str:
        """Where it stands among the signals of its name: later ones sort behind."""
        return f"{self.at:015}/{self.id[:8]}"


class Subscription(msgspec.Struct, frozen=True, kw_only=True):
    """A run waits for signals of that name and key, in that activation, until it no longer does."""

    name: str
    key: str
    run: str
    uuid: str
    until: Instant


class SignalStore(Protocol):
    def put(self, namespace: str, signal: Signal) -> None:
        """The signal is kept, of any size up to 5 MB."""
        ...

    def kept(self, namespace: str, name: str, key: str, run: str, now: Instant, since: Instant = 0) -> Iterable[Signal]:
        """Signals with exactly that name, key and run (an id, or empty) that came at `since` or later and have not
        expired, by place. Consistent. They are read as they are asked for: whoever takes the first pays for few.
        """
        ...

    def subscribe(self, namespace: str, subscription: Subscription) -> None:
        """The subscription is there, until somebody removes it or its time is over."""
        ...

    def unsubscribe(self, namespace: str, subscription: Subscription) -> None:
        """It is not there."""
        ...

    def subscriptions(self, namespace: str, name: str, key: str) -> Sequence[Subscription]:
        """Those for that name and key. Consistent; some may speak of activations that ended long ago."""
        ...

    def list(self, namespace: str, now: Instant, limit: int) -> Sequence[Signal]:
        """Signals that have not expired, newest first."""
        ...


ready(Signal, Subscription)
