"""Queues of waiters in DynamoDB: a waiter is one item in the partition of its queue, sorted by since when it waits."""

from __future__ import annotations

from collections.abc import Sequence

from chalicelib.adapters.dynamodb import keys
from chalicelib.adapters.dynamodb.items import Table, translated
from chalicelib.model import formats
from chalicelib.service.ports.waiters import Waiter


class DynamoWaiters:
    def __init__(self, table: Table) -> None:
        self._table = table
        self._item = table.item

    def put(self, namespace: str, queue: str, waiter: Waiter) -> None:
        k, s = keys.waiter(namespace, queue, waiter)
        self._table.put(self._item(k, s, b=formats.WAITER.encode(waiter).decode()))

    def remove(self, namespace: str, queue: str, waiters: Sequence[Waiter]) -> None:
        self._table.remove(keys.waiter(namespace, queue, waiter) for waiter in waiters)

    def first(self, namespace: str, queue: str, limit: int) -> Sequence[Waiter]:
        found = self._item.query(keys.waiters(namespace, queue), consistent_read=True, limit=limit)
        with translated():
            return [formats.WAITER.decode(item.b, Waiter) for item in found]
