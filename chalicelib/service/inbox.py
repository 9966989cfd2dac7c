"""The inbox: steps and approvals that wait for a person."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

import msgspec
from msgspec.structs import replace

from chalicelib.engine.errors import ExpressionFailed
from chalicelib.engine.invocation import APPROVED, REJECTED, awaits_approval, invocation_of
from chalicelib.engine.request_args import args_of
from chalicelib.model import status
from chalicelib.model.actions import shown_args
from chalicelib.model.flow import Step
from chalicelib.model.json_values import Json
from chalicelib.model.labels import searchable
from chalicelib.model.run import Run, Token
from chalicelib.model.times import Instant
from chalicelib.service.definitions.cache import DefinitionCache
from chalicelib.service.ports.clock import Clock
from chalicelib.service.ports.runs import RunStore
from chalicelib.service.ports.tasks import Task, TaskStore, first_tasks
from chalicelib.service.redelivery import WRITER_LIFETIME_MS
from chalicelib.service.runs.blobs import blob_reader

_PAGE_ITEMS: Final = 100

MAX_EXAMINED: Final = 500
"""How many stored tasks one page looks at. A page of a rare kind may be empty, and is continued by its cursor."""

MAX_PAGE_BYTES: Final = 2 * 1024 * 1024
"""The args of the tasks of one page, as JSON, unless the first task alone has more."""


class OpenTask(msgspec.Struct, frozen=True):
    """A task: choose one of `states` for the activation. `approval`: the choice is whether to call the action.

    `flow`, `labels`: those of the run. `step_definition`: the step as its flow defines it; None for
    an undo.
    """

    run: str
    step: str
    uuid: str
    action: str
    states: tuple[str, ...]
    args: dict[str, Json]
    since: Instant
    deadline: Instant
    approval: bool
    flow: str
    labels: dict[str, Json]
    step_definition: Step | None


class TaskQuery(msgspec.Struct, frozen=True, kw_only=True):
    """Which tasks to list; None admits all. `labels` must all match. `due_before` is compared with the deadline.

    `by_deadline`: the soonest deadline first; otherwise the longest-waiting task first. `after` is the last task of
    the page before.
    """

    run: str | None = None
    step: str | None = None
    action: str | None = None
    flow: str | None = None
    labels: Sequence[tuple[str, str]] = ()
    approval: bool | None = None
    due_before: Instant | None = None
    by_deadline: bool = False
    after: Task | None = None

    def admits(self, task: OpenTask) -> bool:
        """Return whether the list has the task. The run is chosen before a task is read."""
        texts = searchable(task.labels) if self.labels else {}
        return (
            self.step in (None, task.step)
            and self.action in (None, task.action)
            and self.flow in (None, task.flow)
            and self.approval in (None, task.approval)
            and (self.due_before is None or task.deadline < self.due_before)
            and all(texts.get(key) == value for key, value in self.labels)
        )


class TaskPage(msgspec.Struct, frozen=True):
    """Tasks, and the last one that was looked at if there may be more: `after` of the next page."""

    tasks: list[OpenTask]
    last: Task | None


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
        found, query = list[OpenTask](), TaskQuery(run=run, step=step)
        while len(found) < limit:
            page = self.page(namespace, limit - len(found), query)
            found += page.tasks
            if page.last is None:
                break
            query = replace(query, after=page.last)
        return found

    def page(self, namespace: str, limit: int, query: TaskQuery) -> TaskPage:
        """Return at most `limit` open tasks of the query. Tasks that have been answered are removed on the way."""
        found, size, last = list[OpenTask](), 0, query.after
        for examined, task in enumerate(self._candidates(namespace, query)):
            if query.by_deadline and query.due_before is not None and task.until >= query.due_before:
                break
            if len(found) == limit or examined == MAX_EXAMINED:
                return TaskPage(found, last)
            opened = self.show(namespace, task)
            if opened is not None and query.admits(opened):
                size += len(msgspec.json.encode(opened.args))
                if found and size > MAX_PAGE_BYTES:
                    return TaskPage(found, last)
                found.append(opened)
            last = task
        return TaskPage(found, None)

    def _candidates(self, namespace: str, query: TaskQuery) -> Iterator[Task]:
        """Yield the stored tasks that the query may admit, in its order."""
        if query.run is not None:
            yield from first_tasks(
                self._of_run(namespace, query.run), MAX_EXAMINED + 1, query.after, by_deadline=query.by_deadline
            )
            return
        after = query.after
        while tasks := self._tasks.list(namespace, _PAGE_ITEMS, after, by_deadline=query.by_deadline):
            yield from tasks
            after = tasks[-1]

    def _of_run(self, namespace: str, name: str) -> Iterator[Task]:
        run = self._runs.load(namespace, name)
        for token in run.tokens if run else ():
            if run and token.activation and self._is_for_a_person(run, token):
                activation = token.activation
                yield Task(run=name, uuid=activation.uuid, since=activation.since, until=activation.deadline)

    def _is_for_a_person(self, run: Run, token: Token) -> bool:
        invocation = invocation_of(self._definition_cache.of(run), run, token)
        return invocation is not None and (invocation.is_human or awaits_approval(token))

    def find(self, namespace: str, run_name: str, uuid: str) -> OpenTask | None:
        """Return the task of the activation; None if it does not wait for a person, or no longer. Changes nothing."""
        run = self._runs.load(namespace, run_name)
        token = run.token_of(uuid) if run else None
        if run is None or token is None or run.status in status.ENDED:
            return None
        return self._shown(run, token)

    def show(self, namespace: str, task: Task) -> OpenTask | None:
        """Return the task as a person sees it. Remove it and return None if it is closed."""
        run = self._runs.load(namespace, task.run)
        token = run.token_of(task.uuid) if run else None
        if run is None or token is None or token.activation is None or run.status in status.ENDED:
            if self._is_closed(run, task):
                self._tasks.remove(namespace, task)
            return None
        shown = self._shown(run, token)
        if shown is None:
            self._tasks.remove(namespace, task)
        return shown

    def _shown(self, run: Run, token: Token) -> OpenTask | None:
        definition = self._definition_cache.of(run)
        invocation, approval = invocation_of(definition, run, token), awaits_approval(token)
        compiled = definition.steps.get(token.step)
        if token.activation is None or invocation is None or not (invocation.is_human or approval):
            return None
        return OpenTask(
            run=run.name,
            step=token.step,
            uuid=token.activation.uuid,
            action=invocation.action.name,
            states=(APPROVED, REJECTED) if approval else invocation.states,
            args=self._args(run, token),
            since=token.activation.since,
            deadline=token.activation.deadline,
            approval=approval,
            flow=run.definition.flow or run.name,
            labels=dict(run.labels),
            step_definition=compiled.step if compiled else None,
        )

    def _is_closed(self, run: Run | None, task: Task) -> bool:
        """Return whether the task is closed. A task is stored moments before the head that it belongs to."""
        written = run is not None and (run.token_of(task.uuid) or any(task.uuid == entry.uuid for entry in run.tail))
        return bool(written) or self._clock.now() - task.since > WRITER_LIFETIME_MS

    def _args(self, run: Run, token: Token) -> dict[str, Json]:
        """Return the args as the action would receive them, secrets masked; empty if their evaluation fails."""
        definition = self._definition_cache.of(run)
        invocation = invocation_of(definition, run, token)
        if invocation is None:
            return {}
        try:
            args = args_of(definition, run, token, invocation, blob_reader(self._runs, run), None)
            return shown_args(args)
        except ExpressionFailed:
            return {}
