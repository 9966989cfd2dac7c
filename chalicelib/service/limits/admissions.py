"""Runs of flows with a limit: each begins when it has a permit, and what is over the limit waits, is skipped, or ends
the run that has been in progress longest.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from functools import partial
from itertools import count
from typing import Final

from chalicelib.engine.admission import described
from chalicelib.engine.errors import Refused
from chalicelib.engine.events import Event, RunAdmitted, RunRefused, RunStopped
from chalicelib.model import status
from chalicelib.model.flow import Flow, FlowLimit, Overflow
from chalicelib.model.holds import HeldKind
from chalicelib.model.run import Run
from chalicelib.model.status import Status
from chalicelib.model.times import Instant
from chalicelib.service.definitions.cache import DefinitionCache
from chalicelib.service.errors import LimitReached, NotFound
from chalicelib.service.holds.gate import HoldGate
from chalicelib.service.limits.limiter import Admitted, Limiter, Queued
from chalicelib.service.messages import Begin
from chalicelib.service.ports.clock import Clock
from chalicelib.service.ports.runs import RunStore
from chalicelib.service.ports.waiters import Waiter
from chalicelib.service.redelivery import Redelivery, read_with_retries, until_committed
from chalicelib.service.runs.advance import EventFactory, RunAdvancer

LOG = logging.getLogger("echoer.admissions")

MAX_CANCELED: Final = 25
"""How many runs one new run can have canceled: as many as wait in front of it."""


class RoomCheck:
    """Refuses runs that would be skipped, before they are created."""

    def __init__(self, definition_cache: DefinitionCache, limiter: Limiter) -> None:
        self._definition_cache = definition_cache
        self._limiter = limiter

    def __call__(self, run: Run) -> None:
        """Raise LimitReached if the new run is over the limit of its flow, which skips such runs."""
        flow = self._definition_cache.of(run).flow
        if flow.limit is None or flow.limit.overflow is not Overflow.SKIP or run.gated:
            return
        if not self._limiter.has_room(run.namespace, run.limiter, flow.limit.concurrent):
            raise LimitReached(f"run {run.name!r} is not started: {described(flow, run)} is reached")


class Admissions:
    """Begins runs in their turn."""

    def __init__(
        self,
        runs: RunStore,
        definition_cache: DefinitionCache,
        advancer: RunAdvancer,
        limiter: Limiter,
        hold_gate: HoldGate,
        clock: Clock,
    ) -> None:
        self._hold_gate = hold_gate
        self._runs = runs
        self._definition_cache = definition_cache
        self._advancer = advancer
        self._limiter = limiter
        self._clock = clock
        self._places = count()

    def begin(self, message: Begin) -> Redelivery:
        """Let the run of the message begin if it is its turn."""
        run = read_with_retries(self._runs, self._clock, [message])
        if run is None or not message.is_written(run):
            return self._limiter.take_back(message) or until_committed(message.sent_at, self._clock.now())
        if run.status in status.ENDED:
            return self._limiter.take_back(message)
        flow = self._definition_cache.of(run).flow
        if run.status is not Status.PENDING or (run.start_at or 0) > self._clock.now():
            # `continue` asks again for a run that is paused, and the timer for one that is delayed: without this grant
            return self._limiter.keep(message) if message.granted_in else None
        if self._is_held(run):
            return self._limiter.take_back(message)
        if flow.limit is None:
            self._advance(run, lambda at, nonce: [RunAdmitted(at=at, nonce=nonce, by="start")])
            return None
        admission = self._limiter.admit(run.namespace, run.limiter, self._waiter(run, flow.limit), message)
        if isinstance(admission, Admitted):
            self._advance(run, lambda at, nonce: [RunAdmitted(at=at, nonce=nonce, by="limit")])
        elif not isinstance(admission, Queued):
            return admission
        elif flow.limit.overflow is Overflow.SKIP:
            self._advance(run, partial(_refused, f"over {described(flow, run)}, which is {flow.limit.concurrent}"))
        if flow.limit.overflow is Overflow.CANCEL_OLDEST:
            self._make_room(run, flow)
        return None

    def _is_held(self, run: Run) -> bool:
        """Return whether the flow of the run is paused. The run is then parked until the flow is continued."""
        flow = run.definition.flow
        if not self._hold_gate.holds_flow(run.namespace, flow):
            return False
        self._hold_gate.park(HeldKind.FLOW, flow, run)
        return self._hold_gate.stored_pause_of(run.namespace, HeldKind.FLOW, flow) is not None

    def _waiter(self, run: Run, limit: FlowLimit) -> Waiter:
        return Waiter(
            at=run.status_at,
            place=next(self._places),
            uuid=run.id,
            run=run.name,
            id=run.id,
            concurrent=limit.concurrent,
        )

    def _make_room(self, run: Run, flow: Flow) -> None:
        """Cancel as many of the runs in progress as others wait, the oldest first."""
        holders, waiters = self._limiter.crowd(run.namespace, run.limiter, MAX_CANCELED)
        heads = (self._runs.load(run.namespace, waiter.run) for waiter in waiters)
        wanted = sum(head is not None and head.status is Status.PENDING for head in heads)
        for uuid, name in list(holders.items())[:wanted]:
            oldest = self._runs.load(run.namespace, name)
            if oldest and oldest.id == uuid and oldest.status in status.LIVE and oldest.ending is None:
                reason = f"a newer run takes its place: {described(flow, run)} is reached"
                self._advance(oldest, partial(_stopped, reason))

    def _advance(self, run: Run, make_events: EventFactory) -> None:
        try:
            self._advancer.advance(run.namespace, run.name, make_events)
        except (NotFound, Refused):
            LOG.debug("the run has ended", extra={"run": run.name})


def _refused(reason: str, at: Instant, nonce: str) -> Sequence[Event]:
    return [RunRefused(at=at, nonce=nonce, by="limit", reason=reason)]


def _stopped(reason: str, at: Instant, nonce: str) -> Sequence[Event]:
    return [RunStopped(at=at, nonce=nonce, by="limit", reason=reason)]
