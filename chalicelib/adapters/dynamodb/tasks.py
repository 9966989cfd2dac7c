"""The inbox in DynamoDB: a task is one item in a shard of its namespace, sorted by the time it was created."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from heapq import merge
from itertools import islice

from chalicelib.adapters.dynamodb import keys
from chalicelib.adapters.dynamodb.conditions import S
from chalicelib.adapters.dynamodb.items import Item, Table, seconds
from chalicelib.model import formats
from chalicelib.service.ports.tasks import Task, first_tasks


class DynamoTasks:
    def __init__(self, table: Table) -> None:
        self._table = table

    def put(self, namespace: str, task: Task) -> None:
        k, s = keys.task(namespace, task)
        self._table.put(Item(k, s, b=formats.TASK.encode(task).decode(), x=seconds(task.until)))

    def remove(self, namespace: str, task: Task) -> None:
        self._table.delete(keys.task(namespace, task))

    def list(
        self, namespace: str, limit: int, after: Task | None = None, *, by_deadline: bool = False
    ) -> Sequence[Task]:
        if by_deadline:
            return first_tasks(self._all(namespace), limit, after, by_deadline=True)
        shards = [self._shard(namespace, number, limit, after) for number in range(keys.SHARDS)]
        found = islice(merge(*shards, key=lambda item: item.s), limit)
        return [formats.TASK.decode(item.text, Task) for item in found]

    def _all(self, namespace: str) -> Iterator[Task]:
        """Yield every task. There is no index by deadline: an inbox is small, and a task has some 200 bytes."""
        for number in range(keys.SHARDS):
            for item in self._table.query(keys.tasks(namespace, number), consistent=True):
                yield formats.TASK.decode(item.text, Task)

    def _shard(self, namespace: str, number: int, limit: int, after: Task | None) -> Iterator[Item]:
        yield from self._table.query(
            keys.tasks(namespace, number),
            S.above(keys.sort_key(after.since, after.uuid)) if after else None,
            consistent=True,
            at_once=limit,
        )
