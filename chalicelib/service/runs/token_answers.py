"""Answers by the token of an activation (`$step.token`): the sender knows neither the run nor the step.

A token only names an activation. It counts if the run exists and has, or had, an activation with the token's uuid; in
all other cases the sender gets the same `UnknownToken`, and learns nothing about runs.
"""

from __future__ import annotations

from msgspec.structs import replace

from chalicelib.engine.effects import Outcome
from chalicelib.engine.errors import NeverIssued
from chalicelib.engine.invocation import invocation_of
from chalicelib.engine.senders import Sender
from chalicelib.model import step_token
from chalicelib.model.json_values import Json
from chalicelib.model.run import Run, Token
from chalicelib.model.step_token import StepToken
from chalicelib.service.definitions.cache import DefinitionCache
from chalicelib.service.errors import ServiceError
from chalicelib.service.ports.runs import RunStore
from chalicelib.service.runs.answer import Answer, Answerer
from chalicelib.service.security.namespaces import is_namespace
from chalicelib.service.security.webhooks import AnswerSignature


class UnknownToken(ServiceError):
    """No activation has or had this token."""

    code = "never-issued"

    def __init__(self) -> None:
        super().__init__("this token was never issued: send `$step.token` as the step sent it")


def token_in(text: str, namespace: str | None = None) -> StepToken:
    """Return what a token names. Raises UnknownToken, also for a token of another namespace than `namespace`."""
    token = step_token.decode(text)
    if token is None or not is_namespace(token.namespace) or namespace not in (None, token.namespace):
        raise UnknownToken
    return token


class TokenAnswerer:
    """Records answers that name their activation by its token."""

    def __init__(self, runs: RunStore, definition_cache: DefinitionCache, answerer: Answerer) -> None:
        self._runs = runs
        self._definition_cache = definition_cache
        self._answerer = answerer

    def answer(
        self,
        token: StepToken,
        answer: Answer,
        *,
        by: str = "action",
        seen: Run | None = None,
        signature: AnswerSignature | None = None,
        trace: str = "",
        is_value: bool = False,
        sender: Sender = Sender.ANY,
    ) -> Outcome:
        """Record the answer for the token's activation; run, step and uuid of `answer` are not used.

        Raises UnknownToken, Unsigned, NotPermitted, RunIsStopped, StateNotRouted, Busy.
        """
        named = replace(answer, run=token.run, step="", uuid=token.uuid)
        try:
            return self._answerer.answer(
                token.namespace,
                named,
                by=by,
                seen=seen,
                signature=signature,
                trace=trace,
                is_value=is_value,
                sender=sender,
            )
        except NeverIssued:
            raise UnknownToken from None

    def succeed(
        self, token: StepToken, data: Json, *, by: str = "action", trace: str = "", sender: Sender = Sender.ANY
    ) -> Outcome:
        """Answer with the first state that the action declares. Text in `data` is text. Raises as `answer` does."""
        run, waiting = self._look(token)
        invocation = invocation_of(self._definition_cache.of(run), run, waiting) if waiting else None
        pinned = waiting.activation.pinned if waiting and waiting.activation else None
        states = pinned.states if pinned else invocation.action.returns if invocation else ()
        state = states[0] if states else ""
        answer = Answer(run="", step="", uuid="", state=state, done=True, data=data)
        return self.answer(token, answer, by=by, seen=run, trace=trace, is_value=True, sender=sender)

    def report(self, token: StepToken, *, by: str = "action", trace: str = "", sender: Sender = Sender.ANY) -> Outcome:
        """Record that the work goes on, and keep the data of the last report. Raises as `answer` does."""
        run, waiting = self._look(token)
        data = waiting.activation.data if waiting and waiting.activation else None
        answer = Answer(run="", step="", uuid="", done=False, data=data)
        return self.answer(token, answer, by=by, seen=run, trace=trace, sender=sender)

    def _look(self, token: StepToken) -> tuple[Run, Token | None]:
        """Return the run, and its token that waits in the activation. Raises UnknownToken if there is no such run."""
        run = self._runs.load(token.namespace, token.run)
        if run is None:
            raise UnknownToken
        return run, run.token_of(token.uuid)
