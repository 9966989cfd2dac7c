"""Replies of a script in the place of called and started flows, whose runs then do not exist."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TypeAlias

from chalicelib.engine.errors import ExpressionFailed, Refused
from chalicelib.engine.events import ChildEnded, Event, StepExecuted
from chalicelib.engine.steps.call import refuse_missing
from chalicelib.engine.values.secret_values import decrypt
from chalicelib.hosting.responder import Answer, Reply
from chalicelib.hosting.virtual import VirtualHost
from chalicelib.model import status
from chalicelib.model.flow import CallStep, StartStep
from chalicelib.model.json_values import Json
from chalicelib.model.run import Run, Token
from chalicelib.model.times import Instant
from chalicelib.model.waits import ChildWait, StartWait
from chalicelib.service.messages import ExecuteStep, StartChild
from chalicelib.service.runs.children import MAX_CALL_DEPTH

AskForFlow: TypeAlias = Callable[[Run, Token, str, Json], Reply | None]
"""Asks the script about the flow of that name with that input."""


class FlowReplies:
    """Answers for the flows for which the script has a reply."""

    def __init__(self, host: VirtualHost, ask: AskForFlow) -> None:
        self._host = host
        self._ask = ask

    def replace(self, message: StartChild | ExecuteStep) -> bool:
        """Return whether the script answers, so that no run is started. It is asked once for each call."""
        if isinstance(message, StartChild):
            return self._answers_for_call(message)
        return self._answers_for_start(message)

    def _answers_for_call(self, message: StartChild) -> bool:
        services = self._host.services
        run = services.runs.load(self._host.namespace, message.run)
        token = run.token_of(message.uuid) if run and run.status not in status.ENDED else None
        wait = token.activation.wait if token and token.activation else None
        step = services.definition_cache.of(run).step(token.step) if run and token else None
        if run is None or token is None or not isinstance(step, CallStep) or not isinstance(wait, ChildWait):
            return False
        if (run.parent.depth if run.parent else 0) >= MAX_CALL_DEPTH:
            return False
        if services.runs.load(self._host.namespace, wait.child):
            return False
        if not self._is_admitted(run, step.flow, wait):
            return False
        reply = self._ask(run, token, step.flow, self._decrypt(run, wait.input))
        if not isinstance(reply, tuple):
            return False
        for answer in reply:
            ended = partial(self._end_child, run.name, message.uuid, answer)
            self._host.at(self._host.clock.now() + answer.after, ended)
        return True

    def _answers_for_start(self, message: ExecuteStep) -> bool:
        services = self._host.services
        run = services.runs.load(self._host.namespace, message.run)
        token = run.token_of(message.uuid) if run and run.status in status.MOVING else None
        wait = token.activation.wait if token and token.activation else None
        step = services.definition_cache.of(run).step(token.step) if run and token else None
        if run is None or token is None or not isinstance(step, StartStep) or not isinstance(wait, StartWait):
            return False
        if self._ask(run, token, step.flow, self._decrypt(run, wait.input)) is None:
            return False
        started = {"name": wait.run}

        def make_events(at: Instant, nonce: str) -> Sequence[Event]:
            return [StepExecuted(at=at, nonce=nonce, by="step", uuid=message.uuid, data=started)]

        services.advancer.advance(self._host.namespace, run.name, make_events)
        return True

    def _is_admitted(self, run: Run, name: str, wait: ChildWait) -> bool:
        """Return whether the called flow takes the input; otherwise the service says why not."""
        services, namespace = self._host.services, self._host.namespace
        flow = services.definition_cache.of_flow(namespace, name)[0].flow
        try:
            refuse_missing(flow, wait.missing)
            services.factory.input(namespace, flow, wait.input, run.id)
        except (Refused, ExpressionFailed):
            return False
        return True

    def _end_child(self, run: str, uuid: str, answer: Answer) -> None:
        def make_events(at: Instant, nonce: str) -> Sequence[Event]:
            ended = {"state": answer.state, "output": answer.data, "error": answer.error}
            return [ChildEnded(at=at, nonce=nonce, by="run", uuid=uuid, **ended)]

        self._host.services.advancer.advance(self._host.namespace, run, make_events)

    def _decrypt(self, run: Run, value: Json) -> Json:
        return decrypt(value, self._host.services.secrets.cipher(run.namespace, run.id))
