"""The inbox: steps and approvals that wait for a person."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from chalicelib.engine.errors import ExpressionFailed
from chalicelib.engine.invocation import APPROVED, REJECTED, awaits_approval, invocation_of
from chalicelib.engine.request_args import args_of
from chalicelib.model import status
from chalicelib.model.actions import shown_args
from chalicelib.model.json_values import Json
from chalicelib.model.run import Run
from chalicelib.model.times import Instant
from chalicelib.service.definitions.cache import DefinitionCache
from chalicelib.service.ports.clock import Clock
from chalicelib.service.ports.runs import RunStore
from chalicelib.service.ports.tasks import Task, TaskStore
from chalicelib.service.redelivery import WRITER_LIFETIME_MS
from chalicelib.service.runs.blobs import blob_reader

_PAGE_ITEMS: Final = 100


@dataclass(frozen=True, slots=True)
class OpenTask:
    """A task: choose one of `states` for the activation. `approval`: the choice is whether to call the action."""

    run: str
    step: str
    uuid: str
    action: str
    states: tuple[str, ...]
    args: dict[str, Json]
    since: Instant
    deadline: Instant
    approval: bool


class Inbox:
    """Lists open tasks."""

    def __init__(self, runs: RunStore, tasks: TaskStore, definition_cache: DefinitionCache, clock: Clock) -> None:
        self._runs = runs
        self._tasks = tasks
        self._definition_cache = definition_cache
        self._clock = clock

    def open(self, namespace: str, limit: int, *, run: str | None = None, step: str | None = None) -> list[OpenTask]:
        """Return at most `limit` open tasks, optionally of one run or step, the oldest first.

        Tasks that have been answered are removed on the way.
        """
        found: list[OpenTask] = []
        for task in self._all(namespace):
            opened = self.show(namespace, task) if run in (None, task.run) else None
            if opened is not None and step in (None, opened.step):
                found.append(opened)
            if len(found) == limit:
                break
        return found

    def _all(self, namespace: str) -> Iterator[Task]:
        after: Task | None = None
        while tasks := self._tasks.list(namespace, _PAGE_ITEMS, after):
            yield from tasks
            after = tasks[-1]

    def show(self, namespace: str, task: Task) -> OpenTask | None:
        """Return the task as a person sees it. Remove it and return None if it is closed."""
        run = self._runs.load(namespace, task.run)
        token = run.token_of(task.uuid) if run else None
        if run is None or token is None or token.activation is None or run.status in status.ENDED:
            if self._is_closed(run, task):
                self._tasks.remove(namespace, task)
            return None
        invocation = invocation_of(self._definition_cache.of(run), run, token)
        approval = awaits_approval(token)
        if invocation is None or not (invocation.is_human or approval):
            self._tasks.remove(namespace, task)
            return None
        return OpenTask(
            run=run.name,
            step=token.step,
            uuid=task.uuid,
            action=invocation.action.name,
            states=(APPROVED, REJECTED) if approval else invocation.states,
            args=self._args(run, task.uuid),
            since=token.activation.since,
            deadline=token.activation.deadline,
            approval=approval,
        )

    def _is_closed(self, run: Run | None, task: Task) -> bool:
        """Return whether the task is closed. A task is stored moments before the head that it belongs to."""
        written = run is not None and (run.token_of(task.uuid) or any(task.uuid == entry.uuid for entry in run.tail))
        return bool(written) or self._clock.now() - task.since > WRITER_LIFETIME_MS

    def _args(self, run: Run, uuid: str) -> dict[str, Json]:
        """Return the args as the action would receive them, secrets masked; empty if their evaluation fails."""
        definition, token = self._definition_cache.of(run), run.token_of(uuid)
        invocation = invocation_of(definition, run, token) if token else None
        if token is None or invocation is None:
            return {}
        try:
            args = args_of(definition, run, token, invocation, blob_reader(self._runs, run), None)
            return shown_args(args)
        except ExpressionFailed:
            return {}
