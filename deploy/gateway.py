"""API Gateway's own responses, in the form of the API's errors (docs/http-api.md, 4), and the form of tokens that it
accepts before it calls the authorizer.

Source: API Gateway Developer Guide, "Gateway response types for API Gateway". A REST API answers 403 if no route
matches, and also, where requests are signed, to a request that is not. A policy that denies is a 403, too; where tokens
are required it means that the token is unknown, which the API answers with 401.

A page of another origin can read these responses if exactly one origin is configured (ECHOER_ORIGINS), because their
headers are fixed texts. With several origins it can read those of the API only; ECHOER_AUTHORIZER=off leaves all
refusals of tokens to the API.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from chalicelib.config import Access
from chalicelib.entrypoints import authorizer
from chalicelib.entrypoints.http import cors
from deploy.stages import AUTHORIZE, Document, Stage

KEY: Final = "x-amazon-apigateway-gateway-responses"

_AUTHORIZER: Final = "x-amazon-apigateway-authorizer"

_PASSED_ON: Final = "$context.error.messageString"
"""API Gateway's own message, in quotation marks."""

_RESPONSES: Final[dict[str, tuple[int | None, str, str]]] = {
    "MISSING_AUTHENTICATION_TOKEN": (404, "not-found", '"there is no such call; GET /docs lists all calls"'),
    "RESOURCE_NOT_FOUND": (404, "not-found", _PASSED_ON),
    "REQUEST_TOO_LARGE": (413, "too-large", _PASSED_ON),
    "UNSUPPORTED_MEDIA_TYPE": (415, "unsupported-media-type", _PASSED_ON),
    "THROTTLED": (429, "over-limit", '"too many requests at once; try again"'),
    "QUOTA_EXCEEDED": (429, "over-limit", _PASSED_ON),
    "UNAUTHORIZED": (401, "unauthorized", _PASSED_ON),
    "ACCESS_DENIED": (403, "forbidden", _PASSED_ON),
    "AUTHORIZER_FAILURE": (503, "busy", '"the token cannot be checked now; try again"'),
    "AUTHORIZER_CONFIGURATION_ERROR": (503, "busy", '"the token cannot be checked now; try again"'),
    "INTEGRATION_TIMEOUT": (504, "timeout", '"the request took too long; try again"'),
    "INTEGRATION_FAILURE": (502, "internal", '"the API did not answer; try again"'),
    "DEFAULT_4XX": (None, "refused", _PASSED_ON),
    "DEFAULT_5XX": (None, "internal", _PASSED_ON),
}
"""For each kind: the status (None: unchanged), the error code, and the message as JSON text."""

_BY_ACCESS: Final[dict[Access, dict[str, tuple[int | None, str, str]]]] = {
    Access.OPEN: {},
    Access.TOKEN: {
        "UNAUTHORIZED": (401, "unauthorized", '"a token is required: Authorization: Bearer ech_..."'),
        "ACCESS_DENIED": (401, "unauthorized", '"the token is unknown, has expired, or was revoked"'),
    },
    Access.IAM: {
        "MISSING_AUTHENTICATION_TOKEN": (
            401,
            "unauthorized",
            '"the request is not signed (AWS SigV4), or there is no such call; GET /docs lists all calls"',
        ),
        "INVALID_SIGNATURE": (401, "unauthorized", _PASSED_ON),
        "EXPIRED_TOKEN": (401, "unauthorized", _PASSED_ON),
    },
}
"""Other responses, by the authentication that API Gateway requires."""

_RETRY: Final = frozenset(
    {"THROTTLED", "INTEGRATION_TIMEOUT", "INTEGRATION_FAILURE", "AUTHORIZER_FAILURE", "AUTHORIZER_CONFIGURATION_ERROR"}
)


def extensions(stage: Stage) -> Document:
    """Return additions to Chalice's OpenAPI document."""
    made: Document = {KEY: responses(stage.gate, stage.origins)}
    if stage.gate is Access.TOKEN:
        made["securityDefinitions"] = {
            AUTHORIZE: {_AUTHORIZER: {"identityValidationExpression": authorizer.TOKEN_PATTERN}}
        }
    return made


def merged(document: Document, more: Document) -> Document:
    """Merge `more` into the document, as Chalice merges templates: dicts are merged, other values replaced."""
    made = dict(document)
    for key, value in more.items():
        known = made.get(key)
        made[key] = merged(known, value) if isinstance(known, dict) and isinstance(value, dict) else value
    return made


def responses(access: Access, origins: Sequence[str] = ()) -> Document:
    """Return the OpenAPI extension with the gateway responses."""
    responses_ = {**_RESPONSES, **_BY_ACCESS[access]}
    made = {kind: _response(kind, *one) for kind, one in responses_.items()}
    for response in made.values():
        if response.get("statusCode") == "401":
            challenge = "AWS4-HMAC-SHA256" if access is Access.IAM else "Bearer"
            response["responseParameters"] = {"gatewayresponse.header.WWW-Authenticate": f"'{challenge}'"}
        if len(origins) == 1:
            readable = cors.headers(origins, origins[0])
            named = {f"gatewayresponse.header.{name}": f"'{value}'" for name, value in readable.items()}
            response["responseParameters"] = {**response.get("responseParameters", {}), **named}
    return made


def _response(kind: str, status: int | None, code: str, message: str) -> Document:
    body = f'{{"message": {message}, "error": {{"code": "{code}", "detail": {message}}}}}'
    made: Document = {"responseTemplates": {"application/json": body}}
    if status is not None:
        made["statusCode"] = str(status)
    if kind in _RETRY:
        made["responseParameters"] = {"gatewayresponse.header.Retry-After": "'1'"}
    return made
