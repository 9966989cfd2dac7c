"""Answers of a script: sent to the service as callbacks, when they are due."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import msgspec

from chalicelib.engine.effects import Outcome
from chalicelib.engine.errors import Refused, RunIsStopped
from chalicelib.hosting.core import webhook_key_of
from chalicelib.hosting.responder import Answer
from chalicelib.hosting.seen import Refusal, Seen
from chalicelib.hosting.virtual import VirtualHost
from chalicelib.model.json_values import Json
from chalicelib.model.run import Run, Token
from chalicelib.model.step_token import StepToken
from chalicelib.service.runs import answer as service
from chalicelib.service.runs.token_answers import UnknownToken
from chalicelib.service.security.webhooks import AnswerSignature, signature_in, signed_headers


class ScriptedAnswers:
    """Sends answers, and notes those that were refused or moved nothing."""

    def __init__(self, host: VirtualHost) -> None:
        self._host = host
        self.refusals: list[Refusal] = []
        self.ignored: list[Seen] = []
        """Final answers that moved no run, because they came too late or again: `action`, `step`, `state`."""

    def plan(self, run: Run, token: Token, answers: Sequence[Answer], action: str, *, by: str = "action") -> None:
        """Send the answers of the action to the token's activation, each at its time."""
        uuid = token.activation.uuid if token.activation else ""
        for answer in answers:
            error = answer.error
            given = service.Answer(
                run=run.name,
                step=token.step,
                uuid=uuid,
                state=answer.state,
                done=answer.done,
                data=answer.data,
                variables=answer.vars,
                error=service.AnswerError(name=error.name, cause=error.cause) if error else None,
            )
            counts = answer.done and run.notice_of(uuid) is None
            send = partial(self._send_by_token if answer.by_token else self.send, given, by)
            call = partial(self._answer, given, send, action if counts else "")
            self._host.at(self._host.clock.now() + answer.after, call)

    def _answer(self, answer: service.Answer, send: Callable[[], Outcome], action: str) -> None:
        """Send the answer, and note if it moves nothing. `action` is empty for reports and answers to notices."""
        try:
            outcome = send()
        except RunIsStopped:
            outcome = Outcome.IGNORED
        except (Refused, UnknownToken) as refusal:
            self.refusals.append(Refusal(self._host.clock.now(), answer.run, str(refusal)))
            return
        if action and outcome in (Outcome.IGNORED, Outcome.DUPLICATE):
            fields: dict[str, Json] = {"action": action, "step": answer.step, "state": answer.state}
            self.ignored.append(Seen(self._host.clock.now(), answer.run, fields))

    def send(self, answer: service.Answer, by: str) -> Outcome:
        """Send an answer with the signature of its action. Raises what `Answerer.answer` raises."""
        return self._host.services.answerer.answer(self._host.namespace, answer, by=by, signature=self._sign(answer))

    def _send_by_token(self, answer: service.Answer, by: str) -> Outcome:
        token, signature = StepToken(self._host.namespace, answer.run, answer.uuid), self._sign(answer)
        return self._host.services.token_answerer.answer(token, answer, by=by, signature=signature)

    def _sign(self, answer: service.Answer) -> AnswerSignature | None:
        """The signature of a service that has the namespace's key."""
        body, setting = msgspec.json.encode(answer), webhook_key_of(self._host.services.settings)
        headers = signed_headers(setting, self._host.namespace, f"answer-{answer.uuid}", self._host.clock.now(), body)
        return signature_in(headers, body)
