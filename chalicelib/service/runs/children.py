"""Child runs: start the run that a `call` step waits for, report its end to the parent, and stop it."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Final

from msgspec.structs import replace

from chalicelib.engine.errors import InputRefused, Refused, TooLarge
from chalicelib.engine.events import ChildEnded, Event, RunStopped
from chalicelib.engine.steps.call import child_name
from chalicelib.model import status
from chalicelib.model.flow import DEFAULT_STATE, ERROR, STOPPED_STATE, CallStep, walk
from chalicelib.model.ids import was_minted
from chalicelib.model.json_values import Json
from chalicelib.model.run import Parent, Run
from chalicelib.model.status import Status
from chalicelib.model.times import Instant
from chalicelib.model.waits import ChildWait
from chalicelib.service.definitions.cache import DefinitionCache
from chalicelib.service.errors import NotFound, RunExists
from chalicelib.service.observability.traceparent import traceparent
from chalicelib.service.ports.runs import RunStore
from chalicelib.service.runs.advance import RunAdvancer
from chalicelib.service.runs.new_run import RunFactory, RunPlan

LOG = logging.getLogger("echoer.children")

MAX_CALL_DEPTH: Final = 32
"""How deeply calls may be nested."""


class ChildRuns:
    """Starts and stops child runs, and reports their ends."""

    def __init__(
        self, runs: RunStore, definition_cache: DefinitionCache, advancer: RunAdvancer, factory: RunFactory
    ) -> None:
        self._runs = runs
        self._definition_cache = definition_cache
        self._advancer = advancer
        self._factory = factory

    def start_child(self, parent: Run, uuid: str) -> None:
        """Start the run that the parent's activation waits for. If that fails, the activation returns ERROR."""
        token = parent.token_of(uuid)
        step = self._definition_cache.of(parent).step(token.step) if token else None
        wait = token.activation.wait if token and token.activation else None
        if not isinstance(step, CallStep) or not isinstance(wait, ChildWait) or parent.status in status.ENDED:
            self._call_off(parent, uuid)
            return
        try:
            self._start(parent, uuid, wait.child, step.flow, wait.input)
        except (NotFound, InputRefused, TooLarge, RecursionError) as failure:
            self._report(parent.namespace, parent.name, uuid, ERROR, None, str(failure))
        else:
            self._call_off(self._runs.load(parent.namespace, parent.name) or replace(parent, tokens=()), uuid)

    def _call_off(self, parent: Run, uuid: str) -> None:
        """Stop the child if the activation that it was started for ended in the meantime."""
        for step in walk(self._definition_cache.of(parent).flow.steps):
            if isinstance(step, CallStep) and was_minted(parent.id, step.name, uuid):
                self.stop_child(parent, child_name(parent, step.name, uuid))

    def _start(self, parent: Run, uuid: str, name: str, flow: str, given: dict[str, Json]) -> None:
        depth = parent.parent.depth + 1 if parent.parent else 1
        if depth > MAX_CALL_DEPTH:
            raise RecursionError(f"calls are nested more than {MAX_CALL_DEPTH} deep")
        definition, ref = self._definition_cache.of_flow(parent.namespace, flow)
        decision = self._factory.decide(
            RunPlan(
                namespace=parent.namespace,
                name=name,
                definition=definition,
                ref=ref,
                input=self._factory.input(parent.namespace, definition.flow, given),
                by=f"run {parent.name}",
                parent=Parent(run=parent.name, uuid=uuid, depth=depth),
                trace=traceparent(parent, uuid),
            )
        )
        try:
            self._advancer.create(decision)
        except RunExists:
            LOG.debug("the child run was started before", extra={"run": name})

    def tell_parent(self, child: Run) -> None:
        """Report the end of the child to the run that waits for it."""
        if child.parent is None or child.status not in status.ENDED:
            return
        state = DEFAULT_STATE if child.status is Status.SUCCEEDED else STOPPED_STATE
        self._report(child.namespace, child.parent.run, child.parent.uuid, state, child.output, child.last_err)

    def stop_child(self, parent: Run, child: str) -> None:
        """Stop the child if the parent no longer waits for it."""
        waits = [token.activation.wait for token in parent.tokens if token.activation]
        live = parent.status not in status.ENDED
        if live and any(isinstance(wait, ChildWait) and wait.child == child for wait in waits):
            return

        def make_events(at: Instant, nonce: str) -> Sequence[Event]:
            reason = f"run {parent.name!r} no longer waits for it"
            return [RunStopped(at=at, nonce=nonce, by=f"run {parent.name}", reason=reason)]

        try:
            self._advancer.advance(parent.namespace, child, make_events).sole()
        except (NotFound, Refused):
            LOG.debug("the child run has ended or is gone", extra={"run": child})

    def _report(self, namespace: str, run: str, uuid: str, state: str, output: Json, error: str) -> None:
        def make_events(at: Instant, nonce: str) -> Sequence[Event]:
            return [ChildEnded(at=at, nonce=nonce, by="run", uuid=uuid, state=state, output=output, error=error)]

        try:
            self._advancer.advance(namespace, run, make_events)
        except NotFound:
            LOG.info("the parent of an ended run is gone", extra={"run": run})
