"""The port of the task store."""

from __future__ import annotations

from collections.abc import Sequence
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


class TaskStore(Protocol):
    """Stores open tasks."""

    def put(self, namespace: str, task: Task) -> None:
        """Add a task. It stays until it is removed or expires."""
        ...

    def remove(self, namespace: str, task: Task) -> None:
        """Remove a task."""
        ...

    def list(self, namespace: str, limit: int, after: Task | None = None) -> Sequence[Task]:
        """Return at most `limit` tasks sorted by `since`, oldest first, from the first after `after`."""
        ...


ready(Task)
