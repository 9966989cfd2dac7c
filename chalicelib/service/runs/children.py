"""Child runs: start the run that a `call` step or a flow that undoes waits for, report its end, pause and stop it."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from contextlib import suppress
from typing import Final

import msgspec
from msgspec.structs import replace

from chalicelib.engine.errors import ExpressionFailed, InputRefused, Refused, TooLarge
from chalicelib.engine.events import ChildEnded, DeliveryHeld, Event, RunContinued, RunPaused, RunStopped
from chalicelib.engine.invocation import UNDO, pending_undo
from chalicelib.engine.steps.call import child_name, error_of, refuse_missing
from chalicelib.engine.values.secret_values import holds_secret
from chalicelib.model import status
from chalicelib.model.flow import DEFAULT_STATE, ERROR, STOPPED_STATE, CallStep, walk
from chalicelib.model.ids import was_minted
from chalicelib.model.json_values import Json
from chalicelib.model.run import Parent, Run
from chalicelib.model.run_error import ErrorName, StepError
from chalicelib.model.status import Status
from chalicelib.model.times import Instant
from chalicelib.model.waits import ChildWait
from chalicelib.service.definitions.cache import DefinitionCache
from chalicelib.service.errors import LimitReached, NotFound, RunExists
from chalicelib.service.messages import StopChild, encode
from chalicelib.service.observability.traceparent import traceparent
from chalicelib.service.ports.clock import Clock
from chalicelib.service.ports.queues import Queue, QueueName
from chalicelib.service.ports.runs import RunStore
from chalicelib.service.redelivery import WRITER_LIFETIME_MS
from chalicelib.service.runs.advance import RunAdvancer
from chalicelib.service.runs.new_run import RunFactory, RunPlan
from chalicelib.service.security.secrets import Secrets

LOG = logging.getLogger("echoer.children")

MAX_CALL_DEPTH: Final = 32
"""How deeply calls may be nested."""


class _Call(msgspec.Struct, frozen=True):
    """A run that an activation waits for, and how it is started."""

    child: str
    flow: str
    input: Json
    missing: tuple[str, ...]
    """The entries of the input that yielded nothing."""


class ChildRuns:
    """Starts and stops child runs, and reports their ends."""

    def __init__(
        self,
        runs: RunStore,
        definition_cache: DefinitionCache,
        advancer: RunAdvancer,
        factory: RunFactory,
        secrets: Secrets,
        queue: Queue,
        clock: Clock,
    ) -> None:
        self._secrets = secrets
        self._queue = queue
        self._clock = clock
        self._runs = runs
        self._definition_cache = definition_cache
        self._advancer = advancer
        self._factory = factory

    def start_child(self, parent: Run, uuid: str) -> None:
        """Start the run that the parent's activation waits for. If that fails, the activation returns ERROR.

        While the parent is paused nothing is started; `continue` asks for it again.
        """
        call = self._call(parent, uuid)
        if call is None:
            self._call_off(parent, uuid)
            return
        if parent.status is Status.PAUSED and self._runs.load(parent.namespace, call.child) is None:
            now = self._hold(parent, uuid)
            if now.status is not Status.PAUSED:  # it was continued in the meantime, and nothing was held
                self.start_child(now, uuid)
            return
        try:
            self._start(parent, uuid, call)
        except (NotFound, InputRefused, ExpressionFailed, TooLarge, RunExists, LimitReached, RecursionError) as failure:
            name = failure.name if isinstance(failure, ExpressionFailed) else ErrorName.CHILD_FAILED
            error = StepError(name, str(failure))
            self._report(parent.namespace, parent.name, uuid, ERROR, None, error)
        else:
            self._follow(parent, uuid, call.child)

    def _call(self, parent: Run, uuid: str) -> _Call | None:
        """Return what the activation calls; None if it waits for no run any more."""
        token = parent.token_of(uuid)
        wait = token.activation.wait if token and token.activation else None
        if token is None or not isinstance(wait, ChildWait) or parent.status in status.ENDED:
            return None
        step = self._definition_cache.of(parent).step(token.step)
        undo = pending_undo(parent, token) if token.id == UNDO else None
        flow = undo.action if undo else step.flow if isinstance(step, CallStep) else None
        return None if flow is None else _Call(wait.child, flow, wait.input, wait.missing)

    def _hold(self, parent: Run, uuid: str) -> Run:
        """Let `continue` start the child, if the parent is paused. Return the parent as it is then."""
        return self._advancer.advance(
            parent.namespace, parent.name, lambda at, nonce: [DeliveryHeld(at=at, nonce=nonce, uuid=uuid)]
        ).run

    def _follow(self, parent: Run, uuid: str, child: str) -> None:
        """Do to the child what happened to its parent while it was being started."""
        now = self._runs.load(parent.namespace, parent.name)
        if now is None or self._call(now, uuid) is None:
            self._call_off(now or replace(parent, tokens=()), uuid)
        elif now.status is Status.PAUSED:
            self.sync_child(now, child)

    def _call_off(self, parent: Run, uuid: str) -> None:
        """Stop the child, if there is one: the activation that it was started for has ended in the meantime."""
        steps = {step.name for step in walk(self._definition_cache.of(parent).flow.steps)}
        for step in sorted(steps | parent.former_steps.keys()):  # it may have moved to another version since
            if was_minted(parent.id, step, uuid):
                with suppress(NotFound):
                    self._stop(parent, child_name(parent, step, uuid))

    def _start(self, parent: Run, uuid: str, call: _Call) -> None:
        """Start the child, unless it was started before. Raises RunExists if another run has its name."""
        depth = parent.parent.depth + 1 if parent.parent else 1
        if depth > MAX_CALL_DEPTH:
            raise RecursionError(f"calls are nested more than {MAX_CALL_DEPTH} deep")
        definition, ref = self._definition_cache.of_flow(parent.namespace, call.flow)
        refuse_missing(definition.flow, call.missing)
        decision = self._factory.decide(
            RunPlan(
                namespace=parent.namespace,
                name=call.child,
                definition=definition,
                ref=ref,
                input=self._factory.input(parent.namespace, definition.flow, call.input, parent.id),
                by=f"run {parent.name}",
                parent=Parent(run=parent.name, uuid=uuid, depth=depth),
                trace=traceparent(parent, uuid),
            )
        )
        try:
            self._advancer.create(decision)
        except RunExists:
            found = self._runs.load(parent.namespace, call.child)
            if found is None or found.parent is None or found.parent.uuid != uuid:
                raise
            LOG.debug("the child run was started before", extra={"run": call.child})

    def tell_parent(self, child: Run) -> None:
        """Report the end of the child to the run that waits for it."""
        if child.parent is None or child.status not in status.ENDED:
            return
        state = DEFAULT_STATE if child.status is Status.SUCCEEDED else STOPPED_STATE
        output, error = child.output, error_of(child)
        if holds_secret(output) or (error is not None and holds_secret(error.data)):
            parent = self._runs.load(child.namespace, child.parent.run)
            if parent is None:
                return
            output = self._secrets.moved(output, child.namespace, child.id, parent.id)
            if error is not None:
                error = replace(error, data=self._secrets.moved(error.data, child.namespace, child.id, parent.id))
        self._report(child.namespace, child.parent.run, child.parent.uuid, state, output, error)

    def stop_child(self, parent: Run, message: StopChild) -> None:
        """Stop the child if the parent needs no result of it. One that is not there is looked for again, much later.

        It may be created until its starter, which read the parent before the message was sent, can no longer be
        running. Only then is it reported as not started: what the child did must be undone before what the parent did.
        """
        try:
            self._stop(parent, message.child)
        except NotFound:
            wait = message.sent_at + WRITER_LIFETIME_MS - self._clock.now()
            if wait > 0:
                self._queue.send(QueueName.WAKES, [encode(message)], wait)
            else:
                self._report_not_started(parent, message.child)

    def _stop(self, parent: Run, child: str) -> None:
        """Stop the child if the parent needs no result of it. Raises NotFound if it does not exist."""
        if parent.status not in status.ENDED and child in _children(parent):
            return

        def make_events(at: Instant, nonce: str) -> Sequence[Event]:
            reason = f"run {parent.name!r} no longer waits for it"
            return [RunStopped(at=at, nonce=nonce, by=f"run {parent.name}", reason=reason)]

        try:
            self._advancer.advance(parent.namespace, child, make_events).sole()
        except Refused:
            LOG.debug("the child run has ended", extra={"run": child})

    def _report_not_started(self, parent: Run, child: str) -> None:
        for stopping in parent.stopping:
            if stopping.child == child:
                error = StepError(ErrorName.CHILD_CANCELED, "it was not started")
                self._report(parent.namespace, parent.name, stopping.uuid, STOPPED_STATE, None, error)

    def sync_child(self, parent: Run, child: str) -> None:
        """Pause or continue the child as its parent is. A child that a person paused stays paused."""
        now: Run | None = parent
        paused: bool | None = None
        while now is not None and paused is not (now.status is Status.PAUSED):  # it may change in the meantime
            if now.status in status.ENDED or child not in {*_children(now), *(one.child for one in now.stopping)}:
                return
            paused = now.status is Status.PAUSED
            self._pause_or_continue(now, child, paused=paused)
            now = self._runs.load(parent.namespace, parent.name)

    def _pause_or_continue(self, parent: Run, child: str, *, paused: bool) -> None:
        kind = RunPaused if paused else RunContinued

        def make_events(at: Instant, nonce: str) -> Sequence[Event]:
            return [kind(at=at, nonce=nonce, by=f"run {parent.name}", with_parent=True)]

        try:
            self._advancer.advance(parent.namespace, child, make_events).sole()
        except (NotFound, Refused):
            LOG.debug("the child run has ended or is not started yet", extra={"run": child})

    def _report(self, namespace: str, run: str, uuid: str, state: str, output: Json, error: StepError | None) -> None:
        def make_events(at: Instant, nonce: str) -> Sequence[Event]:
            return [ChildEnded(at=at, nonce=nonce, by="run", uuid=uuid, state=state, output=output, error=error)]

        try:
            self._advancer.advance(namespace, run, make_events)
        except NotFound:
            LOG.info("the parent of an ended run is gone", extra={"run": run})


def _children(parent: Run) -> set[str]:
    """Return the names of the runs that the parent waits for."""
    waits = [token.activation.wait for token in parent.tokens if token.activation]
    return {wait.child for wait in waits if isinstance(wait, ChildWait)}
