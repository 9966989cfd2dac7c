"""The store on AWS: definitions, runs and everything else in one DynamoDB table."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Final

from chalicelib.adapters.aws_clients.clients import Clients
from chalicelib.adapters.dynamodb import keys
from chalicelib.adapters.dynamodb.conditions import K, U, V
from chalicelib.adapters.dynamodb.definitions import DynamoDefinitions
from chalicelib.adapters.dynamodb.items import Item, Table, TableLocation, seconds
from chalicelib.adapters.dynamodb.runs import DynamoRuns
from chalicelib.adapters.store_rules import versioned_value_conflict
from chalicelib.model.times import Instant
from chalicelib.service.errors import Busy, Conflict

if TYPE_CHECKING:
    from chalicelib.adapters.dynamodb.batches import DynamoBatches
    from chalicelib.adapters.dynamodb.deliveries import DynamoDeliveries
    from chalicelib.adapters.dynamodb.schedules import DynamoSchedules
    from chalicelib.adapters.dynamodb.signals import DynamoSignals
    from chalicelib.adapters.dynamodb.tasks import DynamoTasks
    from chalicelib.adapters.dynamodb.waiters import DynamoWaiters

_MAX_CLAIMS: Final = 3


class DynamoKeys:
    def __init__(self, table: Table) -> None:
        self._table = table

    def claim(self, namespace: str, key: str, value: str, now: Instant, ttl: int) -> str:
        k, s = keys.idempotency(namespace, key)
        claimed = Item(k, s, b=value, u=now + ttl, x=seconds(now + ttl))
        for _ in range(_MAX_CLAIMS):
            try:
                self._table.put(claimed, K.is_absent() | U.at_most(now), Conflict(f"key {key!r} is held"))
            except Conflict:
                held = self._table.get((k, s))
                if held is not None and held.u is not None and held.u > now:
                    return held.text
            else:
                return value
        raise Busy(f"key {key!r} is claimed by too many requests at once; try again")


class DynamoVersionedValues:
    def __init__(self, table: Table) -> None:
        self._table = table

    def read(self, namespace: str, key: str) -> tuple[bytes, int]:
        found = self._table.get(keys.versioned_value(namespace, key))
        return (found.r or b"", found.v or 0) if found else (b"", 0)

    def write(self, namespace: str, key: str, value: bytes, seen: int) -> None:
        k, s = keys.versioned_value(namespace, key)
        unchanged = V.equals(seen) if seen else K.is_absent()
        self._table.put(Item(k, s, r=value, v=seen + 1), unchanged, versioned_value_conflict(key))


class DynamoStore:
    """All stores in one table. It connects at the first request, and loads what few functions use when it is used."""

    def __init__(self, location: TableLocation | None = None, clients: Clients | None = None) -> None:
        self.table = Table(location or TableLocation(), clients=clients)
        self.runs = DynamoRuns(self.table)
        self.definitions = DynamoDefinitions(self.table, self.runs)
        self.keys = DynamoKeys(self.table)
        self.versioned_values = DynamoVersionedValues(self.table)

    def connect(self) -> None:
        """Make the client, unless it is made already. Nothing is sent."""
        _ = self.table.client

    @cached_property
    def signals(self) -> DynamoSignals:
        from chalicelib.adapters.dynamodb.signals import DynamoSignals

        return DynamoSignals(self.table)

    @cached_property
    def tasks(self) -> DynamoTasks:
        from chalicelib.adapters.dynamodb.tasks import DynamoTasks

        return DynamoTasks(self.table)

    @cached_property
    def schedules(self) -> DynamoSchedules:
        from chalicelib.adapters.dynamodb.schedules import DynamoSchedules

        return DynamoSchedules(self.table)

    @cached_property
    def waiters(self) -> DynamoWaiters:
        from chalicelib.adapters.dynamodb.waiters import DynamoWaiters

        return DynamoWaiters(self.table)

    @cached_property
    def deliveries(self) -> DynamoDeliveries:
        from chalicelib.adapters.dynamodb.deliveries import DynamoDeliveries

        return DynamoDeliveries(self.table)

    @cached_property
    def batches(self) -> DynamoBatches:
        from chalicelib.adapters.dynamodb.batches import DynamoBatches

        return DynamoBatches(self.table)
