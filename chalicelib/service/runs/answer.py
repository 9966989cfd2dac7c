"""Answers of actions, by callback or in the HTTP response to a delivery."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import msgspec
from msgspec.structs import replace

from chalicelib.engine.effects import Outcome
from chalicelib.engine.errors import NeverIssued
from chalicelib.engine.events import StepAcked
from chalicelib.engine.returning.returns import MAX_ERROR_NAME_CHARACTERS
from chalicelib.engine.senders import Sender
from chalicelib.engine.values.secret_values import is_posing
from chalicelib.model.json_values import DEEPEST, Json, is_shallow, ready
from chalicelib.model.run import Run, Token
from chalicelib.model.run_error import StepError
from chalicelib.model.times import Instant
from chalicelib.service.errors import NotFound, ServiceError
from chalicelib.service.ports.actions import Taken
from chalicelib.service.runs.advance import RunAdvancer
from chalicelib.service.security.webhooks import AnswerSignature, SignatureVerifier


class AnswerError(msgspec.Struct, frozen=True, kw_only=True):
    """Why the action returned the state: a name, such as `CardExpired`, and a sentence."""

    name: Annotated[str, msgspec.Meta(min_length=1, max_length=MAX_ERROR_NAME_CHARACTERS)]
    cause: str = ""


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """The answer of an action to an activation (docs/http-api.md, 2).

    The HTTP adapter decodes a request body into a subclass.
    """

    run: str
    step: str
    """Empty: the step of the activation, whichever it is."""
    uuid: str
    state: str | None = None
    done: bool | None = None
    """None counts as true if there is a state."""
    data: Json = None
    variables: dict[str, Json] | None = None
    error: AnswerError | None = None

    @property
    def is_final(self) -> bool:
        """Whether the answer ends the activation; otherwise it reports progress."""
        return bool(self.state) if self.done is None else self.done

    def as_event(
        self,
        at: Instant,
        nonce: str,
        by: str,
        *,
        signed: bool = False,
        is_value: bool = False,
        sender: Sender = Sender.ANY,
    ) -> StepAcked:
        """Return the event of this answer. `is_value`: text in its data is never read as JSON."""
        return StepAcked(
            at=at,
            nonce=nonce,
            by=by,
            step=self.step,
            uuid=self.uuid.lower(),
            state=self.state or "",
            done=self.is_final,
            data=self.data,
            variables=self.variables or {},
            error=StepError(self.error.name, self.error.cause) if self.error else None,
            signed=signed,
            sender=sender,
            is_value=is_value,
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
        is_value: bool = False,
        sender: Sender = Sender.ANY,
    ) -> Outcome:
        """Record the answer, unless it was recorded before.

        Uuids are compared without regard to case. `signature` is the signature of the request, `trace` its
        `traceparent`. `is_value`: text in its data is never read as JSON. `sender` says what its sender may answer.
        Raises NeverIssued, Unsigned, NotPermitted, RunIsStopped, NoCallback, StateNotRouted, Busy.
        """
        answer = replace(answer, uuid=answer.uuid.lower())
        signed = signature is not None and self._verifier.verify(namespace, answer.uuid, signature)

        def make_events(at: Instant, nonce: str) -> Sequence[StepAcked]:
            return [answer.as_event(at, nonce, by, signed=signed, is_value=is_value, sender=sender)]

        try:
            outcome = self._advancer.advance(namespace, answer.run, make_events, seen=seen, trace=trace).sole()
        except NotFound:
            raise NeverIssued(answer.run, answer.step, answer.uuid) from None
        return Outcome.DUPLICATE if outcome is Outcome.LATE else outcome  # the service need not know more


class NotAnAnswer(ServiceError):
    """An HTTP response looks like an answer but is not a valid one. The message says why."""


class _InlineAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """An answer in the HTTP response to a delivery."""

    state: Annotated[str, msgspec.Meta(min_length=1)] = msgspec.field(name="ackState")
    done: bool | None = None
    data: Json = None
    variables: dict[str, Json] | None = msgspec.field(name="globalVariables", default=None)
    error: AnswerError | None = None


def answer_in(reply: Taken, run: Run, token: Token) -> Answer | None:
    """Return the answer in an HTTP response: a JSON object with `ackState`. None if the response holds no answer.

    Raises NotAnAnswer if the response looks like an answer but is not valid.
    """
    if reply.problem:
        raise NotAnAnswer(reply.problem)
    if token.activation is None or reply.answer is None or "ackState" not in reply.answer:
        return None
    if not is_shallow(reply.answer):
        raise NotAnAnswer(f"it is nested more than {DEEPEST} levels deep")
    if is_posing(reply.answer):
        raise NotAnAnswer("it has a value in the form of an encrypted secret")
    try:
        given = msgspec.convert(reply.answer, _InlineAnswer)
    except msgspec.ValidationError as exc:
        raise NotAnAnswer(f"it is not valid: {exc}") from exc
    return Answer(
        run=run.name,
        step=token.step,
        uuid=token.activation.uuid,
        state=given.state,
        done=given.done,
        data=given.data,
        variables=given.variables,
        error=given.error,
    )


ready(AnswerError, _InlineAnswer)
