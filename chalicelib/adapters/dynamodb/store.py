"""The store on AWS: definitions, runs and everything else in one DynamoDB table."""

from __future__ import annotations

from typing import Final

from chalicelib.adapters.dynamodb import keys
from chalicelib.adapters.dynamodb.batches import DynamoBatches
from chalicelib.adapters.dynamodb.definitions import DynamoDefinitions
from chalicelib.adapters.dynamodb.deliveries import DynamoDeliveries
from chalicelib.adapters.dynamodb.items import Table, TableLocation, seconds, translated
from chalicelib.adapters.dynamodb.runs import DynamoRuns
from chalicelib.adapters.dynamodb.schedules import DynamoSchedules
from chalicelib.adapters.dynamodb.signals import DynamoSignals
from chalicelib.adapters.dynamodb.tasks import DynamoTasks
from chalicelib.adapters.dynamodb.waiters import DynamoWaiters
from chalicelib.adapters.store_rules import versioned_value_conflict
from chalicelib.model.times import Instant
from chalicelib.service.errors import Busy, Conflict

_MAX_CLAIMS: Final = 3


class DynamoKeys:
    def __init__(self, table: Table) -> None:
        self._table = table
        self._item = table.item

    def claim(self, namespace: str, key: str, value: str, now: Instant, ttl: int) -> str:
        k, s = keys.idempotency(namespace, key)
        claimed = self._item(k, s, b=value, u=now + ttl, x=seconds(now + ttl))
        for _ in range(_MAX_CLAIMS):
            try:
                with translated(refused=Conflict(f"key {key!r} is held")):
                    claimed.save(self._item.k.does_not_exist() | (self._item.u <= now))
            except Conflict:
                held = self._table.get((k, s))
                if held is not None and held.u > now:
                    return str(held.b)
            else:
                return value
        raise Busy(f"key {key!r} is claimed by too many requests at once; try again")


class DynamoVersionedValues:
    def __init__(self, table: Table) -> None:
        self._table = table
        self._item = table.item

    def read(self, namespace: str, key: str) -> tuple[bytes, int]:
        found = self._table.get(keys.versioned_value(namespace, key))
        return (found.r, int(found.v)) if found else (b"", 0)

    def write(self, namespace: str, key: str, value: bytes, seen: int) -> None:
        k, s = keys.versioned_value(namespace, key)
        unchanged = self._item.v == seen if seen else self._item.k.does_not_exist()
        with translated(refused=versioned_value_conflict(key)):
            self._item(k, s, r=value, v=seen + 1).save(unchanged)


class DynamoStore:
    """All stores in one table. It connects at the first request."""

    def __init__(self, location: TableLocation = TableLocation()) -> None:  # noqa: B008 - frozen
        self.table = Table(location)
        self.runs = DynamoRuns(self.table)
        self.definitions = DynamoDefinitions(self.table, self.runs)
        self.keys = DynamoKeys(self.table)
        self.signals = DynamoSignals(self.table)
        self.tasks = DynamoTasks(self.table)
        self.schedules = DynamoSchedules(self.table)
        self.versioned_values = DynamoVersionedValues(self.table)
        self.waiters = DynamoWaiters(self.table)
        self.deliveries = DynamoDeliveries(self.table)
        self.batches = DynamoBatches(self.table)
