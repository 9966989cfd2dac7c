"""The port of all stores together."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from chalicelib.service.ports.batches import BatchStore
    from chalicelib.service.ports.definitions import DefinitionStore
    from chalicelib.service.ports.deliveries import DeliveryStore
    from chalicelib.service.ports.events import SignalStore
    from chalicelib.service.ports.runs import RunStore
    from chalicelib.service.ports.schedules import ScheduleStore
    from chalicelib.service.ports.tasks import TaskStore
    from chalicelib.service.ports.values import KeyStore, VersionedValueStore
    from chalicelib.service.ports.waiters import WaiterStore


class Store(Protocol):
    """All stores."""

    @property
    def definitions(self) -> DefinitionStore: ...
    @property
    def runs(self) -> RunStore: ...
    @property
    def keys(self) -> KeyStore: ...
    @property
    def signals(self) -> SignalStore: ...
    @property
    def tasks(self) -> TaskStore: ...
    @property
    def schedules(self) -> ScheduleStore: ...
    @property
    def versioned_values(self) -> VersionedValueStore: ...
    @property
    def deliveries(self) -> DeliveryStore: ...
    @property
    def waiters(self) -> WaiterStore: ...
    @property
    def batches(self) -> BatchStore: ...
