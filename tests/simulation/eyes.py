"""What the laws see: the calls of ports that took effect."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Final

from chalicelib.model.history import Page
from chalicelib.model.run import Run
from chalicelib.service.ports.events import Signal
from chalicelib.service.ports.queues import QueueName
from chalicelib.service.ports.runs import NewRun
from chalicelib.service.ports.schedules import ScheduleState
from chalicelib.service.ports.tasks import Task
from tests.simulation.catalog import SECRET

if TYPE_CHECKING:
    from tests.simulation.stage import Stage

_OF_QUEUES: Final = (QueueName.WAKES, QueueName.DEAD)
"""How the names of handlers begin that act on messages other than deliveries."""

_LARGE: Final = 1_000
"""Bytes of a blob that holds more than the few items of an each."""


class Eyes:
    """Shows calls to the laws of a stage."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._laws = stage.laws
        self._is_thin = False
        """Whether heads may refer to blobs: a large one was stored."""

    def calls(self) -> dict[str, Callable[..., None]]:
        """Return what the laws do at which calls."""
        laws = self._laws
        return {
            "definitions.submit": self._submitted,
            "runs.create": self._created,
            "runs.save": self._committed,
            "runs.save_relabeled": self._relabeled,
            "deliveries.put": laws.recorded,
            "runs.delete": laws.deleted,
            "runs.put_page": self._page_put,
            "runs.put_blobs": self._blobs_put,
            "schedules.save": self._schedule_saved,
            "schedules.delete": laws.schedule_forgotten,
            "signals.put": self._signal_put,
            "waiters.put": laws.queued,
            "waiters.remove": laws.unqueued,
            "versioned_values.write": laws.value_written,
            "tasks.put": self._task_put,
            "tasks.remove": laws.task_removed,
        }

    def _committed(self, run: Run, _seen: int, _body: bytes = b"") -> None:
        before = self._laws.heads.get((run.namespace, run.name))
        held = [token.activation for token in run.tokens if token.activation and token.activation.held_by]
        if any(before is None or before.token_of(activation.uuid) is None for activation in held):
            self._stage.fates.happened("held-delivery")
        self._laws.committed(self._whole(run), new=False)
        self._stage.plan_sweep()

    def _relabeled(self, run: Run, _before: Run, _body: bytes = b"") -> None:
        self._committed(run, 0)

    def _created(self, new: NewRun) -> None:
        self._laws.created(self._whole(new.run), by_person=not self._is_of_queue)
        self._stage.plan_sweep()

    def _submitted(self, namespace: str, definitions: object, runs: Sequence[NewRun]) -> None:
        for new in runs:
            self._created(new)

    def _page_put(self, run: Run, page: Page) -> None:
        pages = self._stage.faultless.runs.pages(run, page.last - 1) if self._is_thin else (page,)
        self._laws.page_put(run, next(found for found in pages if found.last == page.last))

    def _blobs_put(self, run: Run, blobs: Mapping[str, bytes]) -> None:
        if any(key.startswith("undos/") and SECRET.encode() in body for key, body in blobs.items()):
            self._laws.breaks("sealed", f"a page of undos of run {run.name!r} contains its secret")
        self._is_thin = self._is_thin or any(len(body) > _LARGE for body in blobs.values())

    def _task_put(self, namespace: str, task: Task) -> None:
        self._laws.task_put(namespace, task)
        self._stage.actions.visit(namespace)

    def _signal_put(self, namespace: str, signal: Signal) -> None:
        if self._is_of_queue:
            self._laws.stored(namespace, signal)

    def _schedule_saved(self, namespace: str, state: ScheduleState, seen: int | None) -> None:
        self._laws.schedule_saved(namespace, state, seen)
        self._stage.plan_sweep()

    def _whole(self, run: Run) -> Run:
        return (self._stage.faultless.runs.load(run.namespace, run.name) if self._is_thin else None) or run

    @property
    def _is_of_queue(self) -> bool:
        """Whether the handler that makes the call handles a message, and is no request of a person."""
        fiber = self._stage.loop.current
        return fiber is not None and fiber.name.startswith(_OF_QUEUES)
