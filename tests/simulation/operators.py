"""Those who pause actions and flows, and command many runs at once, in some of the schedules."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from chalicelib.hosting import Services
from chalicelib.model.holds import HeldKind
from chalicelib.model.status import Status
from chalicelib.service.batches.commands import BatchCommand
from chalicelib.service.batches.operator import BatchOrder
from chalicelib.service.ports.runs import RunQuery
from tests.simulation.catalog import ACTIONS
from tests.simulation.flows import CHILD, MAIN

if TYPE_CHECKING:
    from tests.simulation.stage import Stage

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
        fates = stage.fates
        if fates.below("operators", 3):
            return
        for _ in range(1 + fates.below("operators", 8)):
            latest = LATEST_MS[fates.below("operator-latest", len(LATEST_MS))]
            stage.loop.at(stage.loop.now + fates.span("operator-at", 1, latest), self._act)

    def release_all(self) -> bool:
        """Continue everything that is paused. Return False if there is nothing."""
        found = [
            (namespace, kind, name)
            for namespace in self._namespaces
            for kind in HeldKind
            for name in self._stage.laws.holds.holds(namespace).of(kind)
        ]
        for namespace, kind, name in found:
            self._hold(namespace, kind, name, paused=False)
        return bool(found)

    def _act(self) -> None:
        fates = self._stage.fates
        if fates.calm:
            return
        namespace = self._namespaces[fates.below("operator-where", len(self._namespaces))]
        if fates.below("operator-what", 3) == 0:
            self._batch(namespace)
            return
        kind, name = HELD[fates.below("operator-whose", len(HELD))]
        self._hold(namespace, kind, name, paused=fates.below("operator-pauses", 3) > 0)

    def _hold(self, namespace: str, kind: HeldKind, name: str, *, paused: bool) -> None:
        def work(services: Services) -> None:
            if paused:
                services.holds.pause(namespace, kind, name)
            else:
                services.holds.resume(namespace, kind, name)

        self._stage.fates.happened("held" if paused else "released")
        self._stage.ask(f"{'hold' if paused else 'release'}({namespace}/{kind} {name})", namespace, work)

    def _batch(self, namespace: str) -> None:
        command, query = _SELECTED[self._stage.fates.below("operator-batch", len(_SELECTED))]

        def work(services: Services) -> None:
            services.batches.create(namespace, BatchOrder(command=command, query=query))

        self._stage.fates.happened("batch")
        self._stage.ask(f"batch({namespace} {command})", namespace, work)
