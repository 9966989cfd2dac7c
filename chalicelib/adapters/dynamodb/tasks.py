"""The inbox in DynamoDB: a task is one item in a shard of its namespace, sorted by the time it was created."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from heapq import merge
from itertools import islice

from chalicelib.adapters.dynamodb import keys
from chalicelib.adapters.dynamodb.items import Item, Table, seconds, translated
from chalicelib.model import formats
from chalicelib.service.ports.tasks import Task, first_tasks


class DynamoTasks:
    def __init__(self, table: Table) -> None:
        self._table = table
        self._item = table.item

    def put(self, namespace: str, task: Task) -> None:
        k, s = keys.task(namespace, task)
        self._table.put(self._item(k, s, b=formats.TASK.encode(task).decode(), x=seconds(task.until)))

    def remove(self, namespace: str, task: Task) -> None:
        k, s = keys.task(namespace, task)
        with translated():
            self._item(k, s).delete()

    def list(
        self, namespace: str, limit: int, after: Task | None = None, *, by_deadline: bool = False
    ) -> Sequence[Task]:
        if by_deadline:
            with translated():
                return first_tasks(self._all(namespace), limit, after, by_deadline=True)
        shards = [self._shard(namespace, number, limit, after) for number in range(keys.SHARDS)]
        with translated():
            found = islice(merge(*shards, key=lambda item: item.s), limit)
            return [formats.TASK.decode(item.b, Task) for item in found]

    def _all(self, namespace: str) -> Iterator[Task]:
        """Yield every task. There is no index by deadline: an inbox is small, and a task has some 200 bytes."""
        for number in range(keys.SHARDS):
            for item in self._item.query(keys.tasks(namespace, number), consistent_read=True):
                yield formats.TASK.decode(item.b, Task)

    def _shard(self, namespace: str, number: int, limit: int, after: Task | None) -> Iterator[Item]:
        yield from self._item.query(
            keys.tasks(namespace, number),
            self._item.s > keys.sort_key(after.since, after.uuid) if after else None,
            consistent_read=True,
            page_size=limit,
        )
