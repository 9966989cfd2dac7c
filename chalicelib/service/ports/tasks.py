"""The port of the task store."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from heapq import nsmallest
from typing import Protocol

import msgspec

from chalicelib.model.json_values import ready
from chalicelib.model.times import Instant


class Task(msgspec.Struct, frozen=True, kw_only=True):
    """An activation that waits for a person. The head decides: a stored task may be closed already."""

    run: str
    uuid: str
    since: Instant
    until: Instant

    def place(self, *, by_deadline: bool = False) -> tuple[Instant, str]:
        """Return what sorts the task in a list."""
        return (self.until if by_deadline else self.since), self.uuid


class TaskStore(Protocol):
    """Stores open tasks."""

    def put(self, namespace: str, task: Task) -> None:
        """Add a task. It stays until it is removed or expires."""
        ...

    def remove(self, namespace: str, task: Task) -> None:
        """Remove a task."""
        ...

    def list(
        self, namespace: str, limit: int, after: Task | None = None, *, by_deadline: bool = False
    ) -> Sequence[Task]:
        """Return at most `limit` tasks sorted by `since`, oldest first, from the first after `after`.

        With `by_deadline` they are sorted by `until`, soonest first. Tasks of the same moment are sorted by uuid.
        """
        ...


def first_tasks(tasks: Iterable[Task], limit: int, after: Task | None, *, by_deadline: bool) -> Sequence[Task]:
    """Return what `TaskStore.list` returns if these are all tasks of the namespace; `limit` of them are in memory."""

    def place(task: Task) -> tuple[Instant, str]:
        return task.place(by_deadline=by_deadline)

    rest = tasks if after is None else (task for task in tasks if place(task) > place(after))
    return nsmallest(limit, rest, key=place)


ready(Task)
