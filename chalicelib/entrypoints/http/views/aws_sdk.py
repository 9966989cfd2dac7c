"""SendTaskSuccess, SendTaskFailure and SendTaskHeartbeat of AWS Step Functions, as AWS's own SDKs send them.

    boto3.client("stepfunctions", endpoint_url=ECHOER_URL).send_task_success(taskToken=token, output="{}")

The SDK posts to `/`; the header `X-Amz-Target` names the operation (AWS JSON protocol 1.0). Errors have AWS's names
(API reference of Step Functions): InvalidToken for a text that is no token, TaskDoesNotExist for a token that was never
issued, TaskTimedOut for a task that was answered or abandoned before, InvalidOutput for an output that is not JSON. The
signature of AWS (SigV4) that the SDK adds is not checked: the token is the permission, as in `POST /step/{token}`.
"""

from __future__ import annotations

from collections.abc import Callable
from http import HTTPStatus
from typing import Final

import msgspec
from chalice.app import Response as ChaliceResponse

from chalicelib.engine.effects import Outcome
from chalicelib.engine.errors import NotPermitted, RunIsStopped, TooLarge
from chalicelib.engine.returning.returns import MAX_ERROR_NAME_CHARACTERS
from chalicelib.engine.values.secret_values import is_posing
from chalicelib.entrypoints.http import errors, reading
from chalicelib.entrypoints.http.bodies import SdkBody
from chalicelib.entrypoints.http.request import Request, Response
from chalicelib.entrypoints.http.route import Route
from chalicelib.model import step_token
from chalicelib.model.errors import EchoerError
from chalicelib.model.flow import ERROR
from chalicelib.model.json_values import DEEPEST, Json, is_shallow
from chalicelib.service.errors import Malformed
from chalicelib.service.observability import work_context
from chalicelib.service.runs.answer import Answer, AnswerError
from chalicelib.service.runs.token_answers import UnknownToken, token_in
from chalicelib.service.security.roles import Forbidden, Role, Unauthorized

TARGET: Final = "AWSStepFunctions."
"""The beginning of the header `X-Amz-Target` for operations of Step Functions."""

MEDIA: Final = "application/x-amz-json-1.0"

UNNAMED_FAILURE: Final = "TaskFailed"
"""The name of the error of a SendTaskFailure without `error`."""


class _AwsError(EchoerError):
    """An error with the name that AWS's SDK knows."""

    code = "malformed"

    def __init__(self, name: str, message: str) -> None:
        super().__init__(message)
        self.name = name


class _NotOfTheSdk(EchoerError):
    """A `POST /` without an operation of AWS: to everyone else, the path has no such method."""

    code = "method-not-allowed"

    def __init__(self) -> None:
        super().__init__("/ does not support POST; it supports GET, HEAD, OPTIONS")


def call(request: Request) -> Json:
    """Answer a task as AWS Step Functions does."""
    target = request.headers.get("x-amz-target")
    if target is None:
        raise _NotOfTheSdk
    operation = target.removeprefix(TARGET)
    if operation not in _OPERATIONS:
        known = ", ".join(_OPERATIONS)
        raise _AwsError("UnknownOperationException", f"`X-Amz-Target` must be {TARGET} followed by one of: {known}")
    body = reading.read(request.body, SdkBody)
    if step_token.decode(body.token) is None:
        raise _AwsError("InvalidToken", "Invalid Token: send `$step.token` as the step sent it")
    token = token_in(body.token, request.namespace if request.bound else None)
    work_context.note(namespace=token.namespace, run=token.run, uuid=token.uuid)
    if _OPERATIONS[operation](request, token, body) is Outcome.DUPLICATE:
        raise _AwsError("TaskTimedOut", "Task Timed Out: the task was closed before")
    return Response("{}", headers=_headers(work_context.known()["request"]))


def _succeed(request: Request, token: step_token.StepToken, body: SdkBody) -> Outcome:
    return request.services.token_answerer.succeed(
        token, _output(body), by=request.caller, trace=request.trace, sender=request.sender
    )


def _fail(request: Request, token: step_token.StepToken, body: SdkBody) -> Outcome:
    name = (body.error or UNNAMED_FAILURE)[:MAX_ERROR_NAME_CHARACTERS]
    error = AnswerError(name=name, cause=body.cause or "")
    answer = Answer(run="", step="", uuid="", state=ERROR, done=True, error=error)
    return request.services.token_answerer.answer(
        token, answer, by=request.caller, trace=request.trace, sender=request.sender
    )


def _report(request: Request, token: step_token.StepToken, _: SdkBody) -> Outcome:
    return request.services.token_answerer.report(token, by=request.caller, trace=request.trace, sender=request.sender)


_OPERATIONS: Final[dict[str, Callable[[Request, step_token.StepToken, SdkBody], Outcome]]] = {
    "SendTaskSuccess": _succeed,
    "SendTaskFailure": _fail,
    "SendTaskHeartbeat": _report,
}


def _output(body: SdkBody) -> Json:
    """Return the JSON value in `output`."""
    if body.output is None:
        raise Malformed("`output` is missing")
    try:
        found = msgspec.json.decode(body.output)
    except (msgspec.DecodeError, RecursionError) as exc:
        raise _AwsError("InvalidOutput", f"Invalid Output: `output` is not JSON: {exc}") from exc
    if not is_shallow(found):
        raise _AwsError("InvalidOutput", f"Invalid Output: it is nested more than {DEEPEST} levels deep")
    if is_posing(found):
        raise _AwsError("InvalidOutput", "Invalid Output: it has a value in the form of an encrypted secret")
    return found


def as_aws_error(error: Exception, request_id: str) -> ChaliceResponse:
    """Return the error as AWS's SDK reads it. Statuses from 500 on make the SDK try again."""
    if isinstance(error, _NotOfTheSdk):
        response = errors.response_to(error, request_id)
        response.headers["Allow"] = "GET, HEAD, OPTIONS"
        return response
    name = error.name if isinstance(error, _AwsError) else _name_of(error)
    if name is None:
        response = errors.response_to(error, request_id)  # logs an unexpected error
        failed = response.status_code == HTTPStatus.INTERNAL_SERVER_ERROR
        name, status = "InternalServerError" if failed else "ServiceUnavailable", response.status_code
        message = msgspec.json.decode(response.body)["message"]
    else:
        status, message = HTTPStatus.BAD_REQUEST, str(error)
    text = msgspec.json.encode({"__type": name, "message": message}).decode()
    return ChaliceResponse(text, headers=dict(_headers(request_id)), status_code=int(status))


def _name_of(error: Exception) -> str | None:
    """Return AWS's name of an error that the caller caused; None for an error of the server."""
    if any(isinstance(error, kind) for kind in (Unauthorized, Forbidden, NotPermitted)):
        return "AccessDeniedException"
    named = {UnknownToken: "TaskDoesNotExist", RunIsStopped: "TaskTimedOut", TooLarge: "InvalidOutput"}
    found = next((name for kind, name in named.items() if isinstance(error, kind)), None)
    status = errors.status_of(error)
    return found or (
        "ValidationException" if status is not None and status < HTTPStatus.INTERNAL_SERVER_ERROR else None
    )


def _headers(request_id: str) -> dict[str, str]:
    return {"Content-Type": MEDIA, "x-amzn-RequestId": request_id}


ROUTES: Final = (
    Route(
        method="POST",
        path="/",
        view=call,
        group="steps",
        role=Role.ACTION,
        other_roles=(Role.CLERK,),
        error_response=as_aws_error,
    ),
)
