"""What API Gateway answers by itself, in the shape that all of the API's errors have (API.md, 4); and what it looks at
before it asks whose a token is.

Source: API Gateway Developer Guide, "Gateway response types for API Gateway". A REST API answers 403 where no route
is meant, and says nothing else of it; where calls are signed, it answers the same to one that is not. A policy that
denies is a 403 too: where tokens are asked for, it means that the token is nobody's, which the door calls a 401.
"""

from __future__ import annotations

from typing import Final

from chalicelib.config import Access
from chalicelib.entrypoints import authorizer
from deploy.stages import AUTHORIZE, Document, Stage

KEY: Final = "x-amazon-apigateway-gateway-responses"

_AUTHORIZER: Final = "x-amazon-apigateway-authorizer"

_PASSED_ON: Final = "$context.error.messageString"
"""API Gateway's own words, in quotation marks."""

_SAID: Final[dict[str, tuple[int | None, str, str]]] = {
    "MISSING_AUTHENTICATION_TOKEN": (404, "not-found", '"there is no such call here; GET /docs lists what there is"'),
    "RESOURCE_NOT_FOUND": (404, "not-found", _PASSED_ON),
    "REQUEST_TOO_LARGE": (413, "too-large", _PASSED_ON),
    "UNSUPPORTED_MEDIA_TYPE": (415, "unsupported-media-type", _PASSED_ON),
    "THROTTLED": (429, "over-limit", '"too many requests at once; try again"'),
    "QUOTA_EXCEEDED": (429, "over-limit", _PASSED_ON),
    "UNAUTHORIZED": (401, "unauthorized", _PASSED_ON),
    "ACCESS_DENIED": (403, "forbidden", _PASSED_ON),
    "AUTHORIZER_FAILURE": (503, "busy", '"whose the token is cannot be told now; try again"'),
    "AUTHORIZER_CONFIGURATION_ERROR": (503, "busy", '"whose the token is cannot be told now; try again"'),
    "INTEGRATION_TIMEOUT": (504, "timeout", '"no answer within the time that a request has; try again"'),
    "INTEGRATION_FAILURE": (502, "internal", '"no answer could be had; try again"'),
    "DEFAULT_4XX": (None, "refused", _PASSED_ON),
    "DEFAULT_5XX": (None, "internal", _PASSED_ON),
}
"""Kind: the status (None: as it is), our code, and what is said, as JSON text."""

_UNDER: Final[dict[Access, dict[str, tuple[int | None, str, str]]]] = {
    Access.OPEN: {},
    Access.TOKEN: {
        "UNAUTHORIZED": (401, "unauthorized", '"a token is needed: Authorization: Bearer ech_..."'),
        "ACCESS_DENIED": (401, "unauthorized", '"the token is not known here, has expired, or was revoked"'),
    },
    Access.IAM: {
        "MISSING_AUTHENTICATION_TOKEN": (
            401,
            "unauthorized",
            '"the request is not signed (AWS SigV4), or there is no such call here; GET /docs lists what there is"',
        ),
        "INVALID_SIGNATURE": (401, "unauthorized", _PASSED_ON),
        "EXPIRED_TOKEN": (401, "unauthorized", _PASSED_ON),
    },
}
"""What is said otherwise, by what API Gateway asks for."""

_RETRY: Final = frozenset(
    {"THROTTLED", "INTEGRATION_TIMEOUT", "INTEGRATION_FAILURE", "AUTHORIZER_FAILURE", "AUTHORIZER_CONFIGURATION_ERROR"}
)


def extensions(stage: Stage) -> Document:
    """What Chalice's OpenAPI document lacks."""
    made: Document = {KEY: responses(stage.gate)}
    if stage.gate is Access.TOKEN:
        made["securityDefinitions"] = {
            AUTHORIZE: {_AUTHORIZER: {"identityValidationExpression": authorizer.TOKEN_PATTERN}}
        }
    return made


def merged(document: Document, more: Document) -> Document:
    """The document with more in it, as Chalice merges a template: a dict into a dict, all else in its place."""
    made = dict(document)
    for key, value in more.items():
        known = made.get(key)
        made[key] = merged(known, value) if isinstance(known, dict) and isinstance(value, dict) else value
    return made


def responses(asked_for: Access) -> Document:
    """The OpenAPI extension that makes API Gateway say so."""
    said = {**_SAID, **_UNDER[asked_for]}
    made = {kind: _response(kind, *one) for kind, one in said.items()}
    for response in made.values():
        if response.get("statusCode") == "401":
            challenge = "AWS4-HMAC-SHA256" if asked_for is Access.IAM else "Bearer"
            response["responseParameters"] = {"gatewayresponse.header.WWW-Authenticate": f"'{challenge}'"}
    return made


def _response(kind: str, status: int | None, code: str, message: str) -> Document:
    body = f'{{"message": {message}, "error": {{"code": "{code}", "detail": {message}}}}}'
    made: Document = {"responseTemplates": {"application/json": body}}
    if status is not None:
        made["statusCode"] = str(status)
    if kind in _RETRY:
        made["responseParameters"] = {"gatewayresponse.header.Retry-After": "'1'"}
    return made
