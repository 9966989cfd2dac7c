"""Errors as answers: the only place that knows HTTP codes of errors.

400 malformed · 401 nobody known · 403 not allowed · 404 not there · 409 the state of things forbids it ·
413 too large · 422 well formed, but refused · 429 over a rate · 503 try again. Every answer that is no success has the
shape `{"message", "error": {"code", "detail", ...}}`.
"""

from __future__ import annotations

import logging
import re
from http import HTTPStatus
from typing import Final, TypeAlias

import msgspec
from chalice.app import Response

from chalicelib.config import BadSetting
from chalicelib.engine import errors as engine
from chalicelib.model.errors import EchoerError
from chalicelib.model.formats import NewerFormat
from chalicelib.model.json_values import Json
from chalicelib.service import errors as service
from chalicelib.service.security import rate_limits, roles

Headers: TypeAlias = dict[str, str | list[str]]

LOG = logging.getLogger("echoer.api")

STATUS: Final[dict[type[EchoerError], HTTPStatus]] = {
    roles.Unauthorized: HTTPStatus.UNAUTHORIZED,
    roles.Forbidden: HTTPStatus.FORBIDDEN,
    rate_limits.TooManyRequests: HTTPStatus.TOO_MANY_REQUESTS,
    engine.Unsigned: HTTPStatus.UNAUTHORIZED,
    service.Malformed: HTTPStatus.BAD_REQUEST,
    service.NotFound: HTTPStatus.NOT_FOUND,
    engine.NeverIssued: HTTPStatus.NOT_FOUND,
    service.Conflict: HTTPStatus.CONFLICT,
    service.RunExists: HTTPStatus.CONFLICT,
    service.StillReferred: HTTPStatus.CONFLICT,
    service.KeyTaken: HTTPStatus.CONFLICT,
    engine.RunIsStopped: HTTPStatus.CONFLICT,
    engine.CommandRefused: HTTPStatus.CONFLICT,
    service.TooLarge: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    engine.TooLarge: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    service.Invalid: HTTPStatus.UNPROCESSABLE_ENTITY,
    engine.StateNotRouted: HTTPStatus.UNPROCESSABLE_ENTITY,
    engine.NoSuchStep: HTTPStatus.UNPROCESSABLE_ENTITY,
    engine.InputRefused: HTTPStatus.UNPROCESSABLE_ENTITY,
    engine.ExpressionFailed: HTTPStatus.UNPROCESSABLE_ENTITY,
    service.Busy: HTTPStatus.SERVICE_UNAVAILABLE,
    NewerFormat: HTTPStatus.SERVICE_UNAVAILABLE,
    BadSetting: HTTPStatus.INTERNAL_SERVER_ERROR,
    service.ServiceError: HTTPStatus.INTERNAL_SERVER_ERROR,
}
"""What an error, and whatever derives from it, is answered with. A test holds that no error is left out."""

CODES: Final = {
    HTTPStatus.FORBIDDEN: "forbidden",
    HTTPStatus.NOT_FOUND: "not-found",
    HTTPStatus.METHOD_NOT_ALLOWED: "method-not-allowed",
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE: "unsupported-media-type",
}

RETRY_AFTER: Final[Headers] = {"Retry-After": "1"}
CHALLENGE: Final[Headers] = {"WWW-Authenticate": "Bearer"}
SIGN: Final[Headers] = {"WWW-Authenticate": "StandardWebhooks"}
"""RFC 6750, 3; every 401 bears one (RFC 9110, 15.5.2). API Gateway hands it on as `x-amzn-Remapped-WWW-Authenticate`
(Developer Guide, "Important notes")."""


def answer_to(error: Exception, request_id: str) -> Response:
    """The answer to a request that ended in `error`. What nobody expected is logged under the request's id."""
    status = status_of(error)
    if status is None:
        LOG.error("request %s failed", request_id, exc_info=error)
        told = f"something went wrong here; the log tells more under request {request_id}"
        return _answer(HTTPStatus.INTERNAL_SERVER_ERROR, told, "internal", request_id=request_id)
    told = str(error)
    diagnostics = getattr(error, "diagnostics", None)
    more: dict[str, Json] = {} if diagnostics is None else {"diagnostics": diagnostics}
    return _answer(status, told, _code(error), _headers(error, status), **more)


def _headers(error: Exception, status: HTTPStatus) -> Headers:
    if isinstance(error, rate_limits.TooManyRequests):
        return {"Retry-After": str(error.retry_after)}
    if isinstance(error, engine.Unsigned):
        return SIGN
    if status is HTTPStatus.UNAUTHORIZED:
        return CHALLENGE
    return RETRY_AFTER if status is HTTPStatus.SERVICE_UNAVAILABLE else {}


def status_of(error: Exception) -> HTTPStatus | None:
    """The status of an expected error; None for any other."""
    found = (STATUS[kind] for kind in type(error).__mro__ if kind in STATUS)
    return next(found, None)


def in_shape(response: Response) -> Response:
    """The response; one that Chalice made of an error (`{"Code", "Message"}`) in the shape of all the others."""
    body = response.body
    if response.status_code < HTTPStatus.BAD_REQUEST or not isinstance(body, dict) or "Code" not in body:
        return response
    status = HTTPStatus(response.status_code)
    code = CODES.get(status, _dashed(str(body["Code"])))
    return _answer(status, str(body.get("Message", status.phrase)), code, dict(response.headers))


def _answer(status: HTTPStatus, message: str, code: str, headers: Headers | None = None, **more: Json) -> Response:
    body = {"message": message, "error": {"code": code, "detail": message, **more}}
    said: Headers = {"Content-Type": "application/json", **(headers or {})}
    return Response(msgspec.json.encode(body).decode(), headers=said, status_code=int(status))


def _code(error: Exception) -> str:
    return str(getattr(error, "code", "")) or _dashed(type(error).__name__)


def _dashed(name: str) -> str:
    """`RunExists` as `run-exists`."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "-", name).lower()
