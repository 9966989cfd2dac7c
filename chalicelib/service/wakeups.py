"""Handle the messages of the wake queue: each is passed to the use case of its subject.

A message may come early (its head is not committed yet: it is received again) or late (the run has moved on: it is
dropped).
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias, assert_never

import msgspec

from chalicelib.model.run import Run
from chalicelib.service.batches.worker import BatchWorker
from chalicelib.service.doctor.stuck import StuckWatch
from chalicelib.service.errors import NotFound
from chalicelib.service.events.publish import Signaler
from chalicelib.service.holds.gate import HoldGate
from chalicelib.service.hooks.announce import HookAnnouncer
from chalicelib.service.limits.admissions import Admissions
from chalicelib.service.limits.limiter import Limiter
from chalicelib.service.messages import (
    Announce,
    Begin,
    ExecuteStep,
    FindStuck,
    Listen,
    Message,
    Release,
    ReleaseHeld,
    RunBatch,
    Serve,
    StartChild,
    StopChild,
    SyncChild,
    TellParent,
    TellSchedule,
    Tick,
    Wake,
)
from chalicelib.service.ports.clock import Clock
from chalicelib.service.ports.runs import RunStore
from chalicelib.service.redelivery import Redelivery, read_with_retries, until_committed
from chalicelib.service.runs.children import ChildRuns
from chalicelib.service.schedules.scheduler import Scheduler
from chalicelib.service.step_execution import StepExecutor
from chalicelib.service.timers.run_timers import RunTimers

LOG = logging.getLogger("echoer.wake")

_Child: TypeAlias = StartChild | StopChild | SyncChild | TellParent
"""Messages about a run and the run that it called."""


class Waker:
    """Handles messages of the wake queue."""

    def __init__(
        self,
        runs: RunStore,
        timers: RunTimers,
        signaler: Signaler,
        child_runs: ChildRuns,
        step_executor: StepExecutor,
        scheduler: Scheduler,
        limiter: Limiter,
        hold_gate: HoldGate,
        batch_worker: BatchWorker,
        admissions: Admissions,
        hook_announcer: HookAnnouncer,
        stuck_watch: StuckWatch,
        clock: Clock,
    ) -> None:
        self._runs = runs
        self._timers = timers
        self._signaler = signaler
        self._child_runs = child_runs
        self._step_executor = step_executor
        self._scheduler = scheduler
        self._hook_announcer = hook_announcer
        self._clock = clock
        self._handlers: dict[type[Message], Callable[[Any], Redelivery]] = {
            Tick: scheduler.tick,
            Begin: admissions.begin,
            Release: limiter.release,
            Serve: limiter.look,
            ReleaseHeld: hold_gate.release,
            RunBatch: batch_worker.work,
            FindStuck: lambda _: stuck_watch.look(),
        }
        """What handles messages that are not about one run as it is now."""

    def wake(self, batch: Sequence[Message]) -> list[Redelivery]:
        """Handle every message, equal ones once. Return when each must be received again."""
        redeliveries: dict[Message, Redelivery] = {}
        for message in batch:
            request = _request(message)
            if request not in redeliveries:
                redeliveries[request] = self._handle(message)
        return [redeliveries[_request(message)] for message in batch]

    def _handle(self, message: Message) -> Redelivery:
        handler = self._handlers.get(type(message))
        if handler is not None:
            return handler(message)
        run = read_with_retries(self._runs, self._clock, [message])
        if run is None or not message.is_written(run):
            return until_committed(message.sent_at, self._clock.now())
        try:
            if isinstance(message, Wake):
                return self._timers.fire(run)
            self._act(message, run)
        except NotFound:
            LOG.info("the run of a message is gone", extra={"run": message.run})
        return None

    def _act(self, message: Message, run: Run) -> None:
        match message:
            case Listen(uuid=uuid):
                self._signaler.listen(run, uuid)
            case ExecuteStep(uuid=uuid):
                self._step_executor.execute(run, uuid)
            case TellSchedule():
                self._scheduler.run_ended(run)
            case Announce():
                self._hook_announcer.announce(run, message)
            case StartChild() | StopChild() | SyncChild() | TellParent():
                self._act_on_child(message, run)
            case _:
                LOG.error("the wake queue held a %s", type(message).__name__, extra={"run": message.run})

    def _act_on_child(self, message: _Child, run: Run) -> None:
        match message:
            case StartChild(uuid=uuid):
                self._child_runs.start_child(run, uuid)
            case StopChild():
                self._child_runs.stop_child(run, message)
            case SyncChild(child=child):
                self._child_runs.sync_child(run, child)
            case TellParent():
                self._child_runs.tell_parent(run)
            case _:
                assert_never(message)


def _request(message: Message) -> Message:
    """Return the message without its time: messages that differ only in their time ask for the same."""
    return msgspec.structs.replace(message, sent_at=0)
