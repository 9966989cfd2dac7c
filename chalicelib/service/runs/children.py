"""Runs that wait for runs: starting the one that is waited for, telling of its end, stopping it."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Final

from msgspec.structs import replace

from chalicelib.engine.errors import InputRefused, Refused, TooLarge
from chalicelib.engine.events import ChildEnded, Event, RunStarted, RunStopped
from chalicelib.engine.inputs import complete
from chalicelib.engine.machine import decide
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
from chalicelib.service.ports.clock import Clock, IdSource
from chalicelib.service.ports.runs import RunStore
from chalicelib.service.runs.advance import RunAdvancer
from chalicelib.service.runs.start import new_uuid
from chalicelib.service.security.secrets import Secrets

LOG = logging.getLogger("echoer.children")

DEEPEST: Final = 32
"""How many runs may wait for one another in a row."""


class ChildRuns:
    def __init__(
        self,
        runs: RunStore,
        definition_cache: DefinitionCache,
        advancer: RunAdvancer,
        secrets: Secrets,
        clock: Clock,
        ids: IdSource,
    ) -> None:
        self._runs = runs
        self._secrets = secrets
        self._definition_cache = definition_cache
        self._advancer = advancer
        self._clock = clock
        self._id_source = ids

    def start_child(self, parent: Run, uuid: str) -> None:
        """The run for which the parent's activation waits is under way; or the activation is told why it cannot be."""
        token = parent.token_of(uuid)
        step = self._definition_cache.of(parent).step(token.step) if token else None
        wait = token.activation.wait if token and token.activation else None
        if not isinstance(step, CallStep) or not isinstance(wait, ChildWait) or parent.status in status.ENDED:
            self._call_off(parent, uuid)
            return
        try:
            self._start(parent, uuid, wait.child, step.flow, wait.input)
        except (NotFound, InputRefused, TooLarge, RecursionError) as failure:
            self._tell(parent.namespace, parent.name, uuid, ERROR, None, str(failure))
        else:
            self._call_off(self._runs.load(parent.namespace, parent.name) or replace(parent, tokens=()), uuid)

    def _call_off(self, parent: Run, uuid: str) -> None:
        """The child is stopped if the activation that it was started for ended while it was being started."""
        for step in walk(self._definition_cache.of(parent).flow.steps):
            if isinstance(step, CallStep) and was_minted(parent.id, step.name, uuid):
                self.stop_child(parent, child_name(parent, step.name, uuid))

    def _start(self, parent: Run, uuid: str, name: str, flow: str, given: dict[str, Json]) -> None:
        depth = parent.parent.depth + 1 if parent.parent else 1
        if depth > DEEPEST:
            raise RecursionError(f"more than {DEEPEST} runs wait for one another")
        definition, ref = self._definition_cache.of_flow(parent.namespace, flow)
        cipher = self._secrets.cipher(parent.namespace)
        decision = decide(
            definition,
            None,
            RunStarted(
                at=self._clock.now(),
                nonce=self._id_source.nonce(),
                by=f"run {parent.name}",
                namespace=parent.namespace,
                name=name,
                id=new_uuid(self._id_source),
                ref=ref,
                input=complete(definition.flow, given, cipher),
                parent=Parent(run=parent.name, uuid=uuid, depth=depth),
                trace=traceparent(parent, uuid),
            ),
            cipher=cipher,
        )
        try:
            self._advancer.create(decision)
        except RunExists:
            LOG.debug("the child was started before", extra={"run": name})

    def tell_parent(self, child: Run) -> None:
        """The parent knows how the child ended."""
        if child.parent is None or child.status not in status.ENDED:
            return
        state = DEFAULT_STATE if child.status is Status.SUCCEEDED else STOPPED_STATE
        self._tell(child.namespace, child.parent.run, child.parent.uuid, state, child.output, child.last_err)

    def stop_child(self, parent: Run, child: str) -> None:
        """The child is stopped, if the parent no longer waits for it."""
        waits = [token.activation.wait for token in parent.tokens if token.activation]
        live = parent.status not in status.ENDED
        if live and any(isinstance(wait, ChildWait) and wait.child == child for wait in waits):
            return

        def make_events(at: Instant, nonce: str) -> Sequence[Event]:
            why = f"run {parent.name!r} no longer waits for it"
            return [RunStopped(at=at, nonce=nonce, by=f"run {parent.name}", reason=why)]

        try:
            self._advancer.advance(parent.namespace, child, make_events).sole()
        except (NotFound, Refused):
            LOG.debug("there was nothing to stop", extra={"run": child})

    def _tell(self, namespace: str, run: str, uuid: str, state: str, output: Json, error: str) -> None:
        def make_events(at: Instant, nonce: str) -> Sequence[Event]:
            return [ChildEnded(at=at, nonce=nonce, by="run", uuid=uuid, state=state, output=output, error=error)]

        try:
            self._advancer.advance(namespace, run, make_events)
        except NotFound:
            LOG.info("nobody waits for the run's end any more", extra={"run": run})
