"""Those who pause actions and flows, and command many runs at once, in some of the schedules."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from chalicelib.engine.suspensions import action_of
from chalicelib.hosting import Services
from chalicelib.model import status
from chalicelib.model.holds import HeldKind
from chalicelib.model.status import Status
from chalicelib.model.times import Instant
from chalicelib.service.batches.commands import BatchCommand
from chalicelib.service.batches.operator import DEFAULT_RATE, BatchOrder
from chalicelib.service.ports.runs import RunQuery
from tests.simulation.catalog import ACTIONS
from tests.simulation.flows import CHILD, MAIN

if TYPE_CHECKING:
    from tests.simulation.stage import Stage

LASTING_MS: Final = (100_000, 4 * 3_600_000)
"""How long pauses last at least and at most after faults have stopped, in the schedules where they do."""

RETRIED_MS: Final = (15_000, 100_000)
"""How long after the pause of a flow its runs are retried: every container knows of it by then."""

LATEST_MS: Final = (2_000, 200_000, 3_000_000)

HELD: Final = (
    *((HeldKind.ACTION, action.name) for action in ACTIONS),
    *((HeldKind.FLOW, flow) for flow in (MAIN, MAIN, MAIN, CHILD)),
)

_SELECTED: Final = (
    (BatchCommand.RETRY, RunQuery(statuses=frozenset({Status.FAILED, Status.CANCELED}))),
    (BatchCommand.PAUSE, RunQuery(statuses=frozenset({Status.RUNNING}))),
    (BatchCommand.CONTINUE, RunQuery(statuses=frozenset({Status.PAUSED}))),
    (BatchCommand.STOP, RunQuery(flow=MAIN)),
    (BatchCommand.DELETE, RunQuery(statuses=frozenset({Status.SUCCEEDED}))),
)


class Operators:
    """Draws what they do from places of their own, so that schedules without them stay as they are."""

    def __init__(self, stage: Stage, namespaces: tuple[str, ...]) -> None:
        self._stage = stage
        self._namespaces = namespaces
        self._ends_at: Instant | None = None
        """When all pauses end, once faults have stopped."""
        fates = stage.fates
        if fates.below("operators", 3):
            return
        for _ in range(1 + fates.below("operators", 8)):
            latest = LATEST_MS[fates.below("operator-latest", len(LATEST_MS))]
            stage.loop.at(stage.loop.now + fates.span("operator-at", 1, latest), self._act)

    def release_all(self) -> bool:
        """Continue what is paused; in one schedule of two somewhat later. Return False if there is nothing."""
        found = [
            (namespace, kind, name)
            for namespace in self._namespaces
            for kind in HeldKind
            for name in self._stage.laws.holds.holds(namespace).of(kind)
        ]
        if found and self._lasts():
            return True
        for namespace, kind, name in found:
            self._hold(namespace, kind, name, paused=False)
        return bool(found)

    def _lasts(self) -> bool:
        """Whether what is paused is left as it is for now."""
        stage = self._stage
        if self._ends_at is None:
            lasts = stage.fates.span("pauses-last", *LASTING_MS) if stage.fates.below("lasts", 2) else 0
            self._ends_at = stage.loop.now + lasts
            stage.loop.at(self._ends_at, lambda: None)
        return stage.loop.now < self._ends_at

    def _act(self) -> None:
        fates = self._stage.fates
        if fates.calm:
            return
        namespace = self._namespaces[fates.below("operator-where", len(self._namespaces))]
        if fates.below("operator-what", 3) == 0:
            self._batch(namespace)
            return
        kind, name = self._whose(namespace)
        is_paused = fates.below("operator-pauses", 3) > 0
        self._hold(namespace, kind, name, paused=is_paused)
        if is_paused and kind is HeldKind.FLOW:
            then = self._stage.loop.now + fates.span("operator-retries", *RETRIED_MS)
            self._stage.loop.at(then, lambda: self._retry_all(namespace, name))

    def _retry_all(self, namespace: str, flow: str) -> None:
        """Retry every run of the flow that has come to nothing."""
        runs = [run for (owner, _), run in self._stage.laws.heads.items() if owner == namespace]
        for run in [] if self._stage.fates.calm else runs:
            if run.status in status.STOPPED and run.definition.flow == flow:
                self._retry(namespace, run.name)

    def _retry(self, namespace: str, name: str) -> None:
        def work(services: Services) -> None:
            services.operator.retry(namespace, name)

        self._stage.ask(f"retry({namespace}/{name}) of a paused flow", namespace, work)

    def _whose(self, namespace: str) -> tuple[HeldKind, str]:
        """Draw an action or a flow: mostly an action for which a run waits, if there is one."""
        fates = self._stage.fates
        awaited = self._awaited(namespace)
        if awaited and fates.below("operator-awaits", 4):
            return HeldKind.ACTION, awaited[fates.below("operator-awaited", len(awaited))]
        return HELD[fates.below("operator-whose", len(HELD))]

    def _awaited(self, namespace: str) -> list[str]:
        laws, definition_of = self._stage.laws, self._stage.faultless.definition_cache.of
        moving = [run for (owner, _), run in laws.heads.items() if owner == namespace and run.status in status.MOVING]
        return sorted({action_of(definition_of(run), run, token) for run in moving for token in run.tokens} - {""})

    def _hold(self, namespace: str, kind: HeldKind, name: str, *, paused: bool) -> None:
        def work(services: Services) -> None:
            if paused:
                services.holds.pause(namespace, kind, name)
            else:
                services.holds.resume(namespace, kind, name)

        if not paused and kind is HeldKind.ACTION:
            self._stage.outages.end(namespace, name)
        self._stage.fates.happened("held" if paused else "released")
        self._stage.ask(f"{'hold' if paused else 'release'}({namespace}/{kind} {name})", namespace, work)

    def _batch(self, namespace: str) -> None:
        fates = self._stage.fates
        command, query = _SELECTED[fates.below("operator-batch", len(_SELECTED))]
        rate = (1.0, DEFAULT_RATE)[fates.below("operator-rate", 2)]  # at 1, each run has a slice of its own

        def work(services: Services) -> None:
            services.batches.create(namespace, BatchOrder(command=command, query=query, rate=rate))

        fates.happened("batch")
        self._stage.ask(f"batch({namespace} {command})", namespace, work)
