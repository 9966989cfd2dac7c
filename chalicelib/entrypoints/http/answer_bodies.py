"""The bodies of answers to steps and of their responses: of the most frequent calls, which load no other bodies."""

from __future__ import annotations

from typing import Literal, TypedDict

import msgspec

from chalicelib.entrypoints.http.reading import Text
from chalicelib.model.json_values import Json, ready
from chalicelib.service.runs.answer import Answer, AnswerError


class AnswerBody(Answer, frozen=True, kw_only=True):
    """The answer of an action. With `ackState` the answer is final unless `done` is false; then it reports progress.
    `error` says why the action returned the state."""

    run: Text = msgspec.field(name="flowId")
    step: Text = msgspec.field(name="stepName")
    uuid: Text
    state: Text | None = msgspec.field(name="ackState", default=None)
    variables: dict[str, Json] | None = msgspec.field(name="globalVariables", default=None)


class TokenAnswerBody(msgspec.Struct, frozen=True, kw_only=True):
    """The answer of an action to the step of the token in the path. Otherwise as in `POST /step`."""

    state: Text | None = msgspec.field(name="ackState", default=None)
    done: bool | None = None
    data: Json = None
    variables: dict[str, Json] | None = msgspec.field(name="globalVariables", default=None)
    error: AnswerError | None = None

    def as_answer(self) -> Answer:
        """Return the answer, without the names that the token names."""
        return Answer(
            run="",
            step="",
            uuid="",
            state=self.state,
            done=self.done,
            data=self.data,
            variables=self.variables,
            error=self.error,
        )


class Outcome(TypedDict):
    """The effect of an answer: the run advanced, the progress was recorded, or the answer was received before."""

    outcome: Literal["advanced", "progress", "duplicate"]


ready(AnswerBody, TokenAnswerBody)
