"""Errors as HTTP responses.

Every error response has the body `{"message", "error": {"code", "detail", ...}}`. An error class names its public code
in its attribute `code`; `CODES` lists every code with its HTTP status. An exception without a listed code is a defect
of the server: it is logged, and the client gets a 500 with the id of the request.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from http import HTTPStatus
from typing import TYPE_CHECKING, Final, NamedTuple, TypeAlias

import msgspec
from chalice.app import Response
from msgspec.structs import asdict

from chalicelib.engine.errors import DoesNotFit, Fit, InputRefused, Unsigned
from chalicelib.model.errors import EchoerError
from chalicelib.model.json_values import Json
from chalicelib.model.times import rfc3339
from chalicelib.service.errors import Changed, NotInAsl
from chalicelib.service.events.event_types import EventRefused
from chalicelib.service.security.rate_limits import TooManyRequests

if TYPE_CHECKING:
    from chalicelib.asl.export import Placed

Headers: TypeAlias = dict[str, str | list[str]]

LOG = logging.getLogger("echoer.api")


class ErrorCode(NamedTuple):
    """The HTTP status of a public error code, and its meaning for the documentation."""

    status: int
    meaning: str


CODES: Final[dict[str, ErrorCode]] = {
    "malformed": ErrorCode(400, "The body, a parameter or a name does not have the documented form."),
    "fsl-malformed": ErrorCode(400, "The FSL text has syntax errors; `diagnostics` lists them."),
    "bad-request-error": ErrorCode(400, "The HTTP request cannot be read."),
    "unauthorized": ErrorCode(401, "The token is missing, unknown, expired or revoked."),
    "unsigned": ErrorCode(401, "The action is declared with `callback = signed` and the signature is not valid."),
    "forbidden": ErrorCode(403, "The role, the namespace or the origin does not permit the request."),
    "not-found": ErrorCode(404, "The resource does not exist."),
    "never-issued": ErrorCode(
        404, "The run never issued this uuid for this step, or no step was ever given this token."
    ),
    "method-not-allowed": ErrorCode(405, "The path does not support this method."),
    "request-timeout": ErrorCode(408, "The request did not arrive completely in time. Only the local server sends it."),
    "conflict": ErrorCode(409, "Another request changed the resource at the same time. Send the request again."),
    "changed": ErrorCode(409, "Definitions do not have the versions in `expect`; `found` lists their newest ones."),
    "limit-reached": ErrorCode(409, "The flow has as many runs as its limit allows, and others do not start."),
    "run-exists": ErrorCode(409, "A run with this name exists already."),
    "still-referred": ErrorCode(409, "The resource cannot be deleted because another one refers to it."),
    "key-taken": ErrorCode(409, "The idempotency key, or the id of an event, was used for another one."),
    "run-is-stopped": ErrorCode(409, "The run was stopped before the answer arrived."),
    "no-callback": ErrorCode(409, "The action is declared with `callback = none`: only its HTTP response answers it."),
    "order-refused": ErrorCode(409, "The run's status does not permit this command."),
    "was-undone": ErrorCode(409, "The work of the run was undone: `retry` needs a `step`."),
    "no-failed-undo": ErrorCode(409, "No undo of the run has failed."),
    "link-expired": ErrorCode(410, "The signed link has expired: the deadline of its task has passed."),
    "too-large": ErrorCode(413, "A value is too large; the message names the limit."),
    "unsupported-media-type": ErrorCode(415, "The content type of the request is not supported."),
    "invalid": ErrorCode(422, "The request is well formed, but a value in it is not valid."),
    "fsl-refused": ErrorCode(422, "The FSL text is syntactically correct but not valid; `diagnostics` lists why."),
    "unreadable": ErrorCode(422, "The flow has syntax errors, so it is not edited; `diagnostics` lists them."),
    "too-long": ErrorCode(422, "The play has too many moves, or its flow goes round in circles."),
    "cannot-replay": ErrorCode(422, "What is recorded of the run does not suffice to decide it again."),
    "no-test": ErrorCode(422, "No test for `fsl test` gives the run of the play."),
    "wrong-statement": ErrorCode(422, "The path takes FSL statements of one kind, and the text has another kind."),
    "secrets-off": ErrorCode(422, "The server has no key to encrypt secrets with."),
    "state-not-routed": ErrorCode(422, "The step has no route for this state; the step keeps waiting."),
    "no-such-step": ErrorCode(422, "The flow has no such step at which the run could continue."),
    "no-such-token": ErrorCode(422, "The run has no token, or not exactly one, that can enter the step."),
    "does-not-fit": ErrorCode(
        409, "The run cannot move to this version; `tokens` says what fits, `problems` the rest."
    ),
    "start-failed": ErrorCode(422, "The run of the schedule's slot cannot be started."),
    "not-in-asl": ErrorCode(422, "The flow uses what AWS Step Functions has not; `problems` lists what, and where."),
    "input-refused": ErrorCode(422, "The input does not match the declaration in the flow; `fields` lists where."),
    "event-refused": ErrorCode(422, "The data does not fit the declared event; `fields` lists where."),
    "expression-failed": ErrorCode(422, "An expression could not be evaluated or had no value."),
    "too-many-requests": ErrorCode(429, "The token or namespace exceeded its rate. Wait `Retry-After` seconds."),
    "internal": ErrorCode(500, "An unexpected error. The server logs the details with the `request_id`."),
    "service-error": ErrorCode(500, "The operation failed on the server."),
    "bad-setting": ErrorCode(500, "A setting of the server is not valid."),
    "bad-key": ErrorCode(500, "The encryption key in the server's settings is not valid."),
    "lost-key": ErrorCode(500, "A stored secret cannot be decrypted: its key is missing, or the data was changed."),
    "no-secret": ErrorCode(500, "A reference in the server's settings leads to no secret."),
    "newer-format": ErrorCode(503, "A newer version of the server wrote the data. Try again after the update."),
    "stopping": ErrorCode(503, "The server is stopping. Only the local server sends it."),
    "timeout": ErrorCode(504, "The request took too long; it may still take effect. Only the local server sends it."),
    "busy": ErrorCode(503, "The store or the queue is overloaded. Send the request again after `Retry-After` seconds."),
}
"""Every value of `error.code`. Clients depend on these names: never rename or remove one."""

UNEXPECTED: Final = EchoerError.code

CODE_OF_STATUS: Final = {
    HTTPStatus.BAD_REQUEST: "bad-request-error",
    HTTPStatus.FORBIDDEN: "forbidden",
    HTTPStatus.NOT_FOUND: "not-found",
    HTTPStatus.METHOD_NOT_ALLOWED: "method-not-allowed",
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE: "unsupported-media-type",
}
"""The codes of errors that Chalice itself responds with."""

RETRY_AFTER: Final[Headers] = {"Retry-After": "1"}
CHALLENGE: Final[Headers] = {"WWW-Authenticate": "Bearer"}
SIGN: Final[Headers] = {"WWW-Authenticate": "StandardWebhooks"}
"""Every 401 has such a header (RFC 9110, 15.5.2; RFC 6750, 3). API Gateway renames it to
`x-amzn-Remapped-WWW-Authenticate` (Developer Guide, "Important notes")."""


def response_to(error: Exception, request_id: str) -> Response:
    """Return the error as a response. An unexpected error is logged under the request's id."""
    status = status_of(error)
    if status is None:
        LOG.error("request %s failed", request_id, exc_info=error)
        message = f"an unexpected error occurred; search the server's log for request {request_id}"
        return _response(HTTPStatus.INTERNAL_SERVER_ERROR, message, UNEXPECTED, request_id=request_id)
    diagnostics = getattr(error, "diagnostics", None)
    more: dict[str, Json] = {} if diagnostics is None else {"diagnostics": diagnostics}
    if isinstance(error, DoesNotFit):
        more["tokens"] = [fit_of(fit) for fit in error.fits]
        more["problems"] = list(error.problems)
    if isinstance(error, EventRefused):
        more["fields"] = [{"path": path, "problem": problem} for path, problem in error.invalid_fields.items()]
    if isinstance(error, InputRefused):
        more["fields"] = [{"path": name, "problem": problem} for name, problem in error.problems.items()]
    if isinstance(error, Changed):
        more["found"] = [{**asdict(one), "at": None if one.at is None else rfc3339(one.at)} for one in error.found]
    beside: dict[str, Json] = (
        {"problems": [asl_problem(one) for one in error.problems]} if isinstance(error, NotInAsl) else {}
    )
    return _response(status, str(error), _code_of(error), _headers(error, status), beside=beside, **more)


def asl_problem(found: Placed) -> dict[str, Json]:
    """Return a problem of a flow as a machine of Step Functions."""
    problem = found.problem
    return {
        "level": str(problem.level),
        "message": problem.message,
        "pointer": problem.pointer,
        "step": found.step,
        "line": found.line,
    }


def fit_of(fit: Fit) -> dict[str, Json]:
    """Return what another version means for a token."""
    shown: dict[str, Json] = {"token": fit.token, "step": fit.step, "to": fit.target, "fits": not fit.problem}
    return {**shown, "why": fit.problem} if fit.problem else shown


def _headers(error: Exception, status: HTTPStatus) -> Headers:
    if isinstance(error, TooManyRequests):
        return {"Retry-After": str(error.retry_after)}
    if isinstance(error, Unsigned):
        return SIGN
    if status is HTTPStatus.UNAUTHORIZED:
        return CHALLENGE
    return RETRY_AFTER if status is HTTPStatus.SERVICE_UNAVAILABLE else {}


def status_of(error: Exception) -> HTTPStatus | None:
    """Return the status of an expected error; None for an unexpected one."""
    code = _code_of(error)
    return None if code == UNEXPECTED else HTTPStatus(CODES[code].status)


def _code_of(error: Exception) -> str:
    code = error.code if isinstance(error, EchoerError) else UNEXPECTED
    return code if code in CODES else UNEXPECTED


def in_shape(response: Response) -> Response:
    """Return the response; an error of Chalice's own (`{"Code", "Message"}`) in the shape of all other errors."""
    body = response.body
    if response.status_code < HTTPStatus.BAD_REQUEST or not isinstance(body, dict) or "Code" not in body:
        return response
    status = HTTPStatus(response.status_code)
    code = CODE_OF_STATUS.get(status, UNEXPECTED)
    return _response(status, str(body.get("Message", status.phrase)), code, dict(response.headers))


def _response(
    status: HTTPStatus,
    message: str,
    code: str,
    headers: Headers | None = None,
    *,
    beside: Mapping[str, Json] | None = None,
    **more: Json,
) -> Response:
    body = {"message": message, "error": {"code": code, "detail": message, **more}, **(beside or {})}
    all_headers: Headers = {"Content-Type": "application/json", **(headers or {})}
    return Response(msgspec.json.encode(body).decode(), headers=all_headers, status_code=int(status))
