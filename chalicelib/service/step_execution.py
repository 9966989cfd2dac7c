"""Do what `emit` and `start` steps are there for: publish an event, signal a run, start a run.

The message comes before the head is committed, and may come twice. What is done is named after the activation, so
doing it again changes nothing: an event is stored under an id of the activation's uuid, a run under its own name.
"""

from __future__ import annotations

import logging
from http import HTTPStatus
from typing import Final

from chalicelib.engine.errors import CommandRefused, InputRefused, TooLarge
from chalicelib.engine.events import DeliveryHeld, StepExecuted
from chalicelib.engine.steps.outgoing import generation_of_next
from chalicelib.engine.values.secret_values import decrypt
from chalicelib.model import status
from chalicelib.model.flow import StartStep
from chalicelib.model.json_values import Json, same
from chalicelib.model.run import Activation, Run, Token
from chalicelib.model.run_error import ErrorName, StepError
from chalicelib.model.status import Status
from chalicelib.model.waits import EmitWait, StartWait
from chalicelib.service.definitions.cache import DefinitionCache
from chalicelib.service.errors import Invalid, LimitReached, NotFound, RunExists
from chalicelib.service.events.event_types import EventRefused
from chalicelib.service.events.publish import DEFAULT_TTL_MS, Signaler
from chalicelib.service.observability.traceparent import traceparent
from chalicelib.service.ports.runs import RunStore
from chalicelib.service.runs.advance import EventFactory, RunAdvancer
from chalicelib.service.runs.new_run import RunFactory, RunPlan
from chalicelib.service.security.secrets import Secrets

LOG = logging.getLogger("echoer.steps")

_REFUSALS: Final[tuple[tuple[type[Exception], HTTPStatus], ...]] = (
    (NotFound, HTTPStatus.NOT_FOUND),
    (CommandRefused, HTTPStatus.CONFLICT),
    (RunExists, HTTPStatus.CONFLICT),
    (LimitReached, HTTPStatus.CONFLICT),
    (InputRefused, HTTPStatus.UNPROCESSABLE_ENTITY),
    (EventRefused, HTTPStatus.UNPROCESSABLE_ENTITY),
    (Invalid, HTTPStatus.UNPROCESSABLE_ENTITY),
)
"""What cannot be done, with the status that the HTTP API answers for the same request."""


class StepExecutor:
    """Carries out the steps of runs that act on other runs."""

    def __init__(
        self,
        runs: RunStore,
        definition_cache: DefinitionCache,
        advancer: RunAdvancer,
        factory: RunFactory,
        signaler: Signaler,
        secrets: Secrets,
    ) -> None:
        self._runs = runs
        self._definition_cache = definition_cache
        self._advancer = advancer
        self._factory = factory
        self._signaler = signaler
        self._secrets = secrets

    def execute(self, run: Run, uuid: str) -> None:
        """Do what the step of the activation is there for, if the activation is current, and report it to the run.

        While the run is paused nothing is done; `continue` asks for it again.
        """
        token = run.token_of(uuid)
        activation = token.activation if token else None
        if token is None or activation is None or run.status in status.ENDED:
            return
        if run.status is Status.PAUSED:
            now = self._advance(run, lambda at, nonce: [DeliveryHeld(at=at, nonce=nonce, uuid=uuid)])
            if now is not None and now.status is not Status.PAUSED:
                self.execute(now, uuid)  # it was continued in the meantime, and nothing was held
            return
        data: Json = None
        error: StepError | None = None
        try:
            data = self._act(run, token, activation)
        except TooLarge as problem:
            error = StepError(ErrorName.TOO_LARGE, str(problem))
        except tuple(kind for kind, _ in _REFUSALS) as refusal:
            code = next(code for kind, code in _REFUSALS if isinstance(refusal, kind))
            error = StepError(ErrorName.REFUSED, str(refusal), status=code.value)
        self._advance(
            run, lambda at, nonce: [StepExecuted(at=at, nonce=nonce, by="step", uuid=uuid, data=data, error=error)]
        )

    def _act(self, run: Run, token: Token, activation: Activation) -> Json:
        """Return the data of the step. Raises what `_REFUSALS` lists, and TooLarge."""
        match activation.wait:
            case EmitWait() as wait:
                self._publish(run, activation.uuid, wait)
                return None
            case StartWait() as wait:
                return self._start(run, token, activation, wait)
            case _:
                return None

    def _publish(self, run: Run, uuid: str, wait: EmitWait) -> None:
        if wait.to is None:
            ttl = DEFAULT_TTL_MS if wait.ttl is None else wait.ttl
            self._signaler.publish(
                run.namespace, wait.event, key=wait.key, data=wait.data, ttl=ttl, origin=uuid, by=f"run {run.name}"
            )
            return
        to = self._runs.load(run.namespace, wait.to)
        if to is None:
            raise NotFound("flow_run", wait.to)
        self._signaler.signal(run.namespace, to, wait.event, data=wait.data, origin=uuid, by=f"run {run.name}")

    def _start(self, run: Run, token: Token, activation: Activation, wait: StartWait) -> Json:
        """Start the run, unless it was started before. Raises RunExists if another run has its name."""
        step = self._definition_cache.of(run).step(token.step)
        if not isinstance(step, StartStep):
            raise NotFound("step", token.step)
        definition, ref = self._definition_cache.of_flow(run.namespace, step.flow)
        decision = self._factory.decide(
            RunPlan(
                namespace=run.namespace,
                name=wait.run,
                definition=definition,
                ref=ref,
                input=self._factory.input(run.namespace, definition.flow, wait.input, run.id),
                by=f"run {run.name}",
                labels=wait.labels,
                trace=traceparent(run, activation.uuid),
                generation=generation_of_next(run, activation.since),
            )
        )
        try:
            self._advancer.create(decision)
        except RunExists:
            found = self._runs.load(run.namespace, wait.run)
            if found is None or not self._is_same(found, step.flow, wait.input, run):
                raise
            LOG.debug("the run was started before", extra={"run": wait.run})
        return {"name": wait.run}

    def _is_same(self, found: Run, flow: str, given: Json, by: Run) -> bool:
        """Return whether the run is one of that flow with that input. Defaults are those of its own version."""
        if found.definition.flow != flow:
            return False
        cipher, cipher_of_input = (
            self._secrets.cipher(found.namespace, found.id),
            self._secrets.cipher_of_input(found.namespace),
        )
        try:
            completed = self._factory.input(found.namespace, self._definition_cache.of(found).flow, given, by.id)
        except InputRefused:
            return False
        return same(decrypt(found.input, cipher), decrypt(completed, cipher_of_input))

    def _advance(self, run: Run, make_events: EventFactory) -> Run | None:
        """Return the run after the events; None if it is gone."""
        try:
            return self._advancer.advance(run.namespace, run.name, make_events).run
        except NotFound:
            LOG.info("the run of a step is gone", extra={"run": run.name})
            return None
