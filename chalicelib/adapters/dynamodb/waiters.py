"""Queues of waiters in DynamoDB: a waiter is one item in the partition of its queue, sorted by since when it waits."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice

from chalicelib.adapters.dynamodb import keys
from chalicelib.adapters.dynamodb.items import Item, Table
from chalicelib.model import formats
from chalicelib.service.ports.waiters import Waiter


class DynamoWaiters:
    def __init__(self, table: Table) -> None:
        self._table = table

    def put(self, namespace: str, queue: str, waiter: Waiter) -> None:
        k, s = keys.waiter(namespace, queue, waiter)
        self._table.put(Item(k, s, b=formats.WAITER.encode(waiter).decode()))

    def remove(self, namespace: str, queue: str, waiters: Sequence[Waiter]) -> None:
        self._table.remove(keys.waiter(namespace, queue, waiter) for waiter in waiters)

    def first(self, namespace: str, queue: str, limit: int) -> Sequence[Waiter]:
        found = self._table.query(keys.waiters(namespace, queue), consistent=True, at_once=limit)
        return [formats.WAITER.decode(item.text, Waiter) for item in islice(found, limit)]
