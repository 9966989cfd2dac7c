"""Answers of actions, by callback or in the HTTP response to a delivery."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from chalicelib.engine.effects import Outcome
from chalicelib.engine.errors import NeverIssued, StepError
from chalicelib.engine.events import StepAcked
from chalicelib.engine.secret_values import holds_secret
from chalicelib.model.json_values import Json, is_shallow
from chalicelib.model.run import Run, Token
from chalicelib.model.times import Instant
from chalicelib.service.errors import NotFound
from chalicelib.service.runs.advance import RunAdvancer
from chalicelib.service.security.webhooks import AnswerSignature, SignatureVerifier


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """The answer of an action to an activation (docs/http-api.md, 2).

    The HTTP adapter decodes a request body into a subclass.
    """

    run: str
    step: str
    uuid: str
    state: str | None = None
    done: bool = False
    data: Json = None
    variables: dict[str, Json] | None = None
    error: StepError | None = None
    """Why the action failed, in its own words."""

    def as_event(self, at: Instant, nonce: str, by: str, *, signed: bool = False) -> StepAcked:
        """Return the event of this answer."""
        return StepAcked(
            at=at,
            nonce=nonce,
            by=by,
            step=self.step,
            uuid=self.uuid,
            state=self.state or "",
            done=self.done,
            data=self.data,
            variables=self.variables or {},
            error=self.error,
            signed=signed,
        )


class Answerer:
    """Records answers in the heads of runs."""

    def __init__(self, advancer: RunAdvancer, verifier: SignatureVerifier) -> None:
        self._advancer = advancer
        self._verifier = verifier

    def answer(
        self,
        namespace: str,
        answer: Answer,
        *,
        by: str = "action",
        seen: Run | None = None,
        signature: AnswerSignature | None = None,
        trace: str = "",
    ) -> Outcome:
        """Record the answer, unless it was recorded before.

        `signature` is the signature of the request, `trace` its `traceparent`. Raises NeverIssued, Unsigned,
        RunIsStopped, StateNotRouted, Busy.
        """
        signed = signature is not None and self._verifier.verify(namespace, answer.uuid, signature)

        def make_events(at: Instant, nonce: str) -> Sequence[StepAcked]:
            return [answer.as_event(at, nonce, by, signed=signed)]

        try:
            return self._advancer.advance(namespace, answer.run, make_events, seen=seen, trace=trace).sole()
        except NotFound:
            raise NeverIssued(answer.run, answer.step, answer.uuid) from None


def answer_in(reply: Mapping[str, Json] | None, run: Run, token: Token) -> Answer | None:
    """Return the answer in an HTTP response, a JSON object with `ackState`; None if there is none.

    The answer is final unless `done` is false.
    """
    if reply is None or token.activation is None or not isinstance(reply.get("ackState"), str):
        return None
    if not is_shallow(reply) or holds_secret(reply):
        return None
    variables = reply.get("globalVariables")
    return Answer(
        run=run.name,
        step=token.step,
        uuid=token.activation.uuid,
        state=reply["ackState"],
        done=reply.get("done") is not False,
        data=reply.get("data"),
        variables=dict(variables) if isinstance(variables, Mapping) else None,
    )
