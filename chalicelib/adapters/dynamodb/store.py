"""The store on AWS: definitions, runs, idempotency keys and signals in one DynamoDB table."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice
from typing import Final

import msgspec

from chalicelib.adapters.dynamodb import keys
from chalicelib.adapters.dynamodb.definitions import DynamoDefinitions
from chalicelib.adapters.dynamodb.items import Place, Table, translated
from chalicelib.adapters.dynamodb.runs import DynamoRuns
from chalicelib.engine.run import Instant
from chalicelib.service.errors import Busy, Conflict
from chalicelib.service.ports import Signal

_CLAIMS: Final = 3


class DynamoKeys:
    def __init__(self, table: Table) -> None:
        self._table = table
        self._item = table.item

    def claim(self, namespace: str, key: str, value: str, now: Instant, ttl: int) -> str:
        k, s = keys.idempotency(namespace, key)
        claimed = self._item(k, s, b=value, u=now + ttl, x=_seconds(now + ttl))
        for _ in range(_CLAIMS):
            try:
                with translated(refused=Conflict(f"key {key!r} is held")):
                    claimed.save(self._item.k.does_not_exist() | (self._item.u <= now))
            except Conflict:
                held = self._table.get((k, s))
                if held is not None and held.u > now:
                    return str(held.b)
            else:
                return value
        raise Busy(f"key {key!r} changes hands too fast")


class DynamoSignals:
    def __init__(self, table: Table) -> None:
        self._table = table
        self._item = table.item

    def put(self, namespace: str, signal: Signal) -> None:
        k, s = keys.signal(namespace, signal.at, signal.id)
        text = msgspec.json.encode(signal).decode()
        self._table.put(self._item(k, s, b=text, u=signal.expires_at, x=_seconds(signal.expires_at)))

    def list(self, namespace: str, now: Instant, limit: int) -> Sequence[Signal]:
        with translated():
            found = self._item.query(
                keys.signals(namespace),
                filter_condition=self._item.u > now,
                scan_index_forward=False,
                page_size=limit,
            )
            return [msgspec.json.decode(item.b, type=Signal) for item in islice(found, limit)]


class DynamoStore:
    """All stores in one table. Connects at the first request."""

    def __init__(self, place: Place = Place()) -> None:  # noqa: B008 - frozen
        self.table = Table(place)
        self.runs = DynamoRuns(self.table)
        self.definitions = DynamoDefinitions(self.table, self.runs)
        self.keys = DynamoKeys(self.table)
        self.signals = DynamoSignals(self.table)


def _seconds(at: Instant) -> int:
    """DynamoDB's TTL counts in seconds; never before the moment."""
    return -(-at // 1000)
