"""The store of open tasks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import msgspec

from chalicelib.model.json_values import ready
from chalicelib.model.times import Instant


class Task(msgspec.Struct, frozen=True, kw_only=True):
    """An activation that waits for a person. The run is the truth: a task may be there that no longer waits."""

    run: str
    uuid: str
    since: Instant
    until: Instant


class TaskStore(Protocol):
    def put(self, namespace: str, task: Task) -> None:
        """The task is in the inbox, until somebody removes it or its time is over."""
        ...

    def remove(self, namespace: str, task: Task) -> None:
        """It is not in the inbox."""
        ...

    def list(self, namespace: str, limit: int, after: Task | None = None) -> Sequence[Task]:
        """Tasks by `since`, oldest first, from the one after `after`; at most `limit`."""
        ...


ready(Task)
