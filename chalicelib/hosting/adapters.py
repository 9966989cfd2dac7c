"""The adapters of a host, by the ports that they implement."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

import msgspec

from chalicelib.adapters.operations import ALL_OPERATIONS, OperationsOf
from chalicelib.service.observability.observer import NULL_OBSERVER, Observer
from chalicelib.service.ports.actions import Caller
from chalicelib.service.ports.changes import Changes
from chalicelib.service.ports.clock import Clock, IdSource
from chalicelib.service.ports.encryption import Encryption
from chalicelib.service.ports.queues import Queue, Source
from chalicelib.service.ports.store import Store
from chalicelib.service.security.secrets import NoEncryption

if TYPE_CHECKING:
    from chalicelib.service.security.rate_limits import CallTimes


class QueueAndSource(Queue, Source, Protocol):
    """A queue that both sends and receives."""


class Adapters(msgspec.Struct, frozen=True, kw_only=True):
    """The adapters that implement the ports."""

    store: Store
    queue: QueueAndSource
    caller: Caller
    clock: Clock
    ids: IdSource
    observer: Observer = NULL_OBSERVER
    encryption: Encryption = msgspec.field(default_factory=NoEncryption)
    operations: OperationsOf = ALL_OPERATIONS
    """What documents of a namespace may call with `method = aws`."""
    changes: Changes | None = None
    """Notifies requests that wait for changes; None: they poll."""
    call_times: CallTimes | None = None
    """When callers may call again, for several processes; None: each counts for itself."""
    collect_statistics: Callable[[], None] = lambda: None
    """Has the other processes of the same server store what they have counted of deliveries."""
    connect: Callable[[], None] = lambda: None
    """Makes what the first request would have to make, such as clients of AWS. It sends nothing."""
    close: Callable[[], None] = lambda: None
    check_store: Callable[[], None] = lambda: None
    """Raises Busy, which says what fails, if nothing can be stored. Where that costs too much, nothing is checked."""
    address_problem: Callable[[str], str | None] = lambda _: None
    """Returns why nothing may be sent to an address, or None."""
