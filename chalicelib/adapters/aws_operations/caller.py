"""Calls of AWS's operations: one request, and what became of it.

called ──> answered                 Returned
       ├─> a job was started        Unfinished: it is looked at until it has ended
       ├─> refused by the service   Raised, with the service's own name of the error
       └─> throttled, 5xx, no answer  NotTaken: delivered again
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import partial
from typing import Any, Final

import msgspec
from botocore import xform_name
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    NoCredentialsError,
    NoRegionError,
    ParamValidationError,
    PartialCredentialsError,
)

from chalicelib.adapters.actions.aws_caller import advice
from chalicelib.adapters.aws_operations import api_gateway, gateway_model, results
from chalicelib.adapters.aws_operations.allowed import AllowedCalls, OwnResources
from chalicelib.adapters.aws_operations.arguments import DoesNotFit, parameters_of
from chalicelib.adapters.aws_operations.clients import Clients, ForeignHost
from chalicelib.adapters.aws_operations.jobs import JOBS, Job, question, search
from chalicelib.adapters.aws_operations.models import Models, Operation
from chalicelib.engine.values.secret_values import is_posing
from chalicelib.language import UnknownOperation
from chalicelib.model.json_values import Json, is_shallow
from chalicelib.model.run_error import ErrorName
from chalicelib.service.ports.actions import (
    MAX_ANSWER_BYTES,
    Call,
    NotTaken,
    Raised,
    Reply,
    Returned,
    Unfinished,
)

MAX_EXCERPT_CHARS: Final = 1000
"""The part of an error message that is stored."""

JOB_FAILED: Final = "TaskFailed"
"""The name of the error of a job that failed. AWS Step Functions calls it `States.TaskFailed`."""

MISSED_LOOK_MS: Final = 10_000
"""When a job is looked at again after a look that failed."""

_THROTTLED: Final = re.compile(
    r".*Throttl.*|ProvisionedThroughputExceededException|RequestLimitExceeded|RequestThrottled.*|TooManyRequestsException"
    r"|SlowDown|BandwidthLimitExceeded|PriorRequestNotComplete|TransactionInProgressException|RequestTimeout.*"
    r"|ExpiredToken.*|InternalServerError|InternalError|InternalFailure|ServiceUnavailable.*"
)
"""Error codes after which a delivery is repeated, as after every 429 and 5xx (botocore, `retryhandler`)."""

_FINAL_ERRORS: Final = (NoCredentialsError, PartialCredentialsError, NoRegionError, ParamValidationError, ValueError)
"""Errors that occur before anything is sent and would occur again."""


class OperationCaller:
    """Implements `ports.Caller` for `method = aws`. Threads may share it."""

    def __init__(
        self,
        models: Models,
        clients: Clients,
        allowed: AllowedCalls,
        own: OwnResources,
        send: api_gateway.Send = api_gateway.send,
    ) -> None:
        self._send = send
        self._models = models
        self._clients = clients
        self._allowed = allowed
        self._own = own

    def post(self, call: Call) -> Reply:
        """Call the operation, or look at the job that it started, if the address says which one."""
        address, _, look = call.addresses[0].partition(" ")
        try:
            operation = self._models.operation(address)
            if not self._allowed.allows(call.namespace, operation.action):
                return _forbidden(f"{operation.action} is not among ECHOER_AWS_CALLS of namespace {call.namespace!r}")
            if operation.model.service_model is gateway_model.MODEL:
                return self._invoke(operation, call)
            client = self._clients.client(operation.service, call.role, call.namespace, call.timeout)
            if look:
                return self._look(client, operation, address, msgspec.json.decode(look))
            return self._call(client, operation, address, call)
        except UnknownOperation as exc:
            return NotTaken.own(f"{address} {exc}", final=True)
        except DoesNotFit as exc:
            text, name = str(exc)[:MAX_EXCERPT_CHARS], ErrorName.EXPRESSION_FAILED
            return NotTaken(text, final=True, name=name, brief=f"the args do not fit {address}")
        except ForeignHost as exc:
            return _forbidden(f"{address}: {exc}")
        except ClientError as exc:  # of STS
            return _refusal("STS", f"the role {call.role} cannot be assumed", exc)
        except _FINAL_ERRORS as exc:
            text = f"{address} cannot be called{advice(exc)}"
            return NotTaken(f"{text}: {exc}"[:MAX_EXCERPT_CHARS], final=True, brief=text)
        except BotoCoreError as exc:
            text = f"{address} could not be reached"
            return NotTaken(f"{text}: {exc}"[:MAX_EXCERPT_CHARS], final=False, brief=text)

    def _invoke(self, operation: Operation, call: Call) -> Reply:
        parameters = parameters_of(operation, msgspec.json.decode(call.body or b"{}"), call.uuid)
        seconds = call.timeout / 1000
        signer = partial(self._clients.credentials, call.role, call.namespace, seconds)
        reply = api_gateway.invoke(parameters, signer, seconds, self._send)
        is_unfit = isinstance(reply, Returned) and not (is_shallow(reply.value) and not is_posing(reply.value))
        return Returned(too_large=_unfit(operation)) if is_unfit else reply

    def _call(self, client: Any, operation: Operation, address: str, call: Call) -> Reply:
        parameters = parameters_of(operation, msgspec.json.decode(call.body or b"{}"), call.uuid)
        owner = self._own.named_by(operation.service, parameters)
        if owner:
            return _forbidden(f"{operation.action} on {owner}: Echoer stores its own data there")
        try:
            response = _send(client, operation.name, parameters)
        except ClientError as exc:
            return _refusal(operation.error_prefix, operation.action, exc)
        job = JOBS.get(operation.action) if operation.sync else None
        if job is None:
            return _answer(operation, response)
        refusal = search(job.refusal, response)
        if refusal:
            return Raised(JOB_FAILED, str(refusal)[:MAX_EXCERPT_CHARS])
        looked_at = msgspec.json.encode(question(job, parameters, response)).decode()
        return Unfinished(f"{address} {looked_at}", job.every)

    def _look(self, client: Any, operation: Operation, address: str, asked: dict[str, Json]) -> Reply:
        job = JOBS[operation.action]
        describing = self._models.operation(f"{operation.service}:{job.describe}")
        try:
            response = _send(client, describing.name, asked)
        except ClientError as exc:
            refusal = _refusal(describing.error_prefix, describing.action, exc)
            is_passing = isinstance(refusal, NotTaken)
            return Unfinished(f"{address} {_text(asked)}", MISSED_LOOK_MS) if is_passing else refusal
        state = str(search(job.state, response))
        if state not in job.succeeded | job.failed:
            return Unfinished(f"{address} {_text(asked)}", job.every)
        answer = _answer(describing, response)
        if not isinstance(answer, Returned):
            return answer
        result = _result(job, answer.value, parsed=operation.sync.endswith(":2"))
        if state in job.succeeded:
            return Returned(result, answer.too_large)
        reason = search(job.reason, response) or f"the job has ended in state {state}"
        return Raised(JOB_FAILED, str(reason)[:MAX_EXCERPT_CHARS], result)


def _send(client: Any, name: str, parameters: Mapping[str, Any]) -> dict[str, Any]:
    response: dict[str, Any] = getattr(client, xform_name(name))(**parameters)
    return response


def _text(value: Json) -> str:
    return msgspec.json.encode(value).decode()


def _result(job: Job, description: Json, *, parsed: bool) -> Json:
    result = search(job.result, description) if isinstance(description, dict) else None
    if not parsed or not isinstance(result, dict):
        return result
    return {**result, **{name: _json(result[name]) for name in job.parsed if isinstance(result.get(name), str)}}


def _json(text: str) -> Json:
    try:
        value = msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError):
        return text
    return value if is_shallow(value) and not is_posing(value) else text


def _answer(operation: Operation, response: Mapping[str, Any]) -> Reply:
    """Return the answer; a Lambda function that failed ends with its own error."""
    try:
        value = results.value_of(operation, response, MAX_ANSWER_BYTES)
    except results.TooMuch as exc:
        return Returned(too_large=str(exc))
    if not is_shallow(value) or is_posing(value):
        return Returned(too_large=_unfit(operation))
    if operation.action != "lambda:Invoke" or "FunctionError" not in value:
        return Returned(value)
    payload = value.get("Payload")
    fields = payload if isinstance(payload, dict) else {}
    cause = fields.get("errorMessage") or payload or ""
    return Raised(str(fields.get("errorType") or "Lambda.Unknown"), str(cause)[:MAX_EXCERPT_CHARS], payload)


def _unfit(operation: Operation) -> str:
    return f"the answer of {operation.action} is nested too deeply, or looks like a secret"


def _forbidden(text: str) -> NotTaken:
    return NotTaken.own(text, final=True, name=ErrorName.FORBIDDEN)


def _refusal(prefix: str, what: str, error: ClientError) -> NotTaken | Raised:
    """Return the service's error by its own name, such as `DynamoDB.ConditionalCheckFailedException`."""
    said, meta = error.response.get("Error", {}), error.response.get("ResponseMetadata", {})
    code, status = str(said.get("Code", "Unknown")).rpartition(".")[2], int(meta.get("HTTPStatusCode", 0))
    name, cause = f"{prefix}.{code}", str(said.get("Message", ""))[:MAX_EXCERPT_CHARS]
    if status != 429 and status < 500 and not _THROTTLED.fullmatch(code):
        return Raised(name, cause)
    wait = str(meta.get("HTTPHeaders", {}).get("retry-after", ""))
    pause = int(wait) * 1000 if re.fullmatch(r"[0-9]{1,5}", wait) else 0
    text = f"{what} was answered with {code}: {cause}"[:MAX_EXCERPT_CHARS]
    brief = f"{what} was refused" + (f" with status {status}" if status else "")
    return NotTaken(text, final=False, retry_after=pause, status=status or None, name=name, brief=brief)
