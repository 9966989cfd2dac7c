"""Handle the messages of the wake queue: each is passed to the use case of its subject.

A message may come early (its head is not committed yet: it is received again) or late (the run has moved on: it is
dropped).
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeAlias, assert_never

import msgspec

from chalicelib.model.run import Run
from chalicelib.service.errors import NotFound
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

if TYPE_CHECKING:
    from chalicelib.service.batches.worker import BatchWorker
    from chalicelib.service.doctor.stuck import StuckWatch
    from chalicelib.service.events.publish import Signaler
    from chalicelib.service.holds.gate import HoldGate
    from chalicelib.service.hooks.announce import HookAnnouncer
    from chalicelib.service.limits.admissions import Admissions
    from chalicelib.service.limits.limiter import Limiter
    from chalicelib.service.runs.children import ChildRuns
    from chalicelib.service.schedules.scheduler import Scheduler
    from chalicelib.service.step_execution import StepExecutor
    from chalicelib.service.timers.run_timers import RunTimers

LOG = logging.getLogger("echoer.wake")

_Child: TypeAlias = StartChild | StopChild | SyncChild | TellParent
"""Messages about a run and the run that it called."""


class UseCases(Protocol):
    """The use cases that messages are passed to. Each is loaded when it is first used."""

    @property
    def timers(self) -> RunTimers: ...
    @property
    def signaler(self) -> Signaler: ...
    @property
    def child_runs(self) -> ChildRuns: ...
    @property
    def step_executor(self) -> StepExecutor: ...
    @property
    def scheduler(self) -> Scheduler: ...
    @property
    def limiter(self) -> Limiter: ...
    @property
    def hold_gate(self) -> HoldGate: ...
    @property
    def batch_worker(self) -> BatchWorker: ...
    @property
    def admissions(self) -> Admissions: ...
    @property
    def announcer(self) -> HookAnnouncer: ...
    @property
    def stuck_watch(self) -> StuckWatch: ...


_HANDLERS: Final[dict[type[Message], Callable[[UseCases, Any], Redelivery]]] = {
    Tick: lambda to, message: to.scheduler.tick(message),
    Begin: lambda to, message: to.admissions.begin(message),
    Release: lambda to, message: to.limiter.release(message),
    Serve: lambda to, message: to.limiter.look(message),
    ReleaseHeld: lambda to, message: to.hold_gate.release(message),
    RunBatch: lambda to, message: to.batch_worker.work(message),
    FindStuck: lambda to, _: to.stuck_watch.look(),
}
"""What handles messages that are not about one run as it is now."""


class Waker:
    """Handles messages of the wake queue."""

    def __init__(self, runs: RunStore, use_cases: UseCases, clock: Clock) -> None:
        self._runs = runs
        self._to = use_cases
        self._clock = clock

    def wake(self, batch: Sequence[Message]) -> list[Redelivery]:
        """Handle every message, equal ones once. Return when each must be received again."""
        redeliveries: dict[Message, Redelivery] = {}
        for message in batch:
            request = _request(message)
            if request not in redeliveries:
                redeliveries[request] = self._handle(message)
        return [redeliveries[_request(message)] for message in batch]

    def _handle(self, message: Message) -> Redelivery:
        handler = _HANDLERS.get(type(message))
        if handler is not None:
            return handler(self._to, message)
        run = read_with_retries(self._runs, self._clock, [message])
        if run is None or not message.is_written(run):
            return until_committed(message.sent_at, self._clock.now())
        try:
            if isinstance(message, Wake):
                return self._to.timers.fire(run)
            self._act(message, run)
        except NotFound:
            LOG.info("the run of a message is gone", extra={"run": message.run})
        return None

    def _act(self, message: Message, run: Run) -> None:
        match message:
            case Listen(uuid=uuid):
                self._to.signaler.listen(run, uuid)
            case ExecuteStep(uuid=uuid):
                self._to.step_executor.execute(run, uuid)
            case TellSchedule():
                self._to.scheduler.run_ended(run)
            case Announce():
                self._to.announcer.announce(run, message)
            case StartChild() | StopChild() | SyncChild() | TellParent():
                self._act_on_child(message, run)
            case _:
                LOG.error("the wake queue held a %s", type(message).__name__, extra={"run": message.run})

    def _act_on_child(self, message: _Child, run: Run) -> None:
        match message:
            case StartChild(uuid=uuid):
                self._to.child_runs.start_child(run, uuid)
            case StopChild():
                self._to.child_runs.stop_child(run, message)
            case SyncChild(child=child):
                self._to.child_runs.sync_child(run, child)
            case TellParent():
                self._to.child_runs.tell_parent(run)
            case _:
                assert_never(message)


def _request(message: Message) -> Message:
    """Return the message without its time: messages that differ only in their time ask for the same."""
    return msgspec.structs.replace(message, sent_at=0)
