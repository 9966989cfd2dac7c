"""Answers to steps: the most frequent calls. This module loads little, because every cold start of the API loads it."""

from __future__ import annotations

from typing import Final

from chalicelib.entrypoints.http import parameters, reading
from chalicelib.entrypoints.http.answer_bodies import AnswerBody, Outcome, TokenAnswerBody
from chalicelib.entrypoints.http.parameters import Parameter
from chalicelib.entrypoints.http.request import Request
from chalicelib.entrypoints.http.route import Route
from chalicelib.model.json_values import Json
from chalicelib.model.step_token import MAX_TOKEN_CHARACTERS
from chalicelib.service.errors import Malformed
from chalicelib.service.observability import work_context
from chalicelib.service.runs.answer import Answer
from chalicelib.service.runs.token_answers import token_in
from chalicelib.service.security.roles import Role
from chalicelib.service.security.webhooks import signature_in


def answer(request: Request) -> Json:
    """Answer a step, as an action or a person. An answer that is repeated has no effect.

    With `ackState` the answer is final, and `ackState` is the state that the step returns. With `done` false it
    reports progress: `data` and `globalVariables` are recorded, and the step keeps waiting. `error` says why: the state
    `ERROR` with an `error` need not be declared.
    """
    body = reading.read(request.body, AnswerBody)
    _check(body)
    work_context.note(run=body.run, step=body.step, uuid=body.uuid)
    signature = signature_in(request.headers, request.body)
    outcome = request.services.answerer.answer(
        request.namespace, body, by=request.caller, signature=signature, trace=request.trace, sender=request.sender
    )
    return {"outcome": outcome}


def answer_by_token(request: Request, name: str) -> Json:
    """Answer the step that was given the token (`$step.token`) in the path, without naming its run.

    The body and its effect are those of `POST /step`. A token that was never issued is a 404.
    """
    answer = reading.read_optional(request.body, TokenAnswerBody).as_answer()
    _check(answer)
    token = token_in(name, request.namespace if request.bound else None)
    work_context.note(namespace=token.namespace, run=token.run, uuid=token.uuid)
    signature = signature_in(request.headers, request.body)
    outcome = request.services.token_answerer.answer(
        token, answer, by=request.caller, signature=signature, trace=request.trace, sender=request.sender
    )
    return {"outcome": outcome}


def _check(answer: Answer) -> None:
    """Raise Malformed if the fields of an answer contradict each other."""
    if answer.done and not answer.state:
        raise Malformed("`ackState` must be a string that is not empty, because `done` is true")
    if answer.error and not answer.is_final:
        raise Malformed("`error` needs an `ackState`, and `done` must not be false")


ROUTES: Final = (
    Route(
        method="POST",
        path="/step",
        view=answer,
        group="steps",
        role=Role.ACTION,
        other_roles=(Role.CLERK,),
        query=(
            Parameter(
                "namespace", "The namespace of the run, if it is not the default namespace.", parameters.NAMESPACE
            ),
        ),
        body=AnswerBody,
        answers={200: Outcome},
        errors=(401, 404, 409, 413, 422),
        example="a person's answer",
    ),
    Route(
        method="POST",
        path="/step/{name}",
        view=answer_by_token,
        group="steps",
        role=Role.ACTION,
        other_roles=(Role.CLERK,),
        max_name_characters=MAX_TOKEN_CHARACTERS,
        body=TokenAnswerBody,
        answers={200: Outcome},
        errors=(401, 404, 409, 413, 422),
        example="an answer by token",
    ),
)
