"""What API Gateway answers by itself, in the shape that all of the API's errors have (API.md, 4).

Source: API Gateway Developer Guide, "Gateway response types for API Gateway". A REST API answers 403 where no route
is meant, and says nothing else of it.
"""

from __future__ import annotations

from typing import Final

from deploy.stages import Document

KEY: Final = "x-amazon-apigateway-gateway-responses"

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
    "INTEGRATION_TIMEOUT": (504, "timeout", '"no answer within the time that a request has; try again"'),
    "INTEGRATION_FAILURE": (502, "internal", '"no answer could be had; try again"'),
    "DEFAULT_4XX": (None, "refused", _PASSED_ON),
    "DEFAULT_5XX": (None, "internal", _PASSED_ON),
}
"""Kind: the status (None: as it is), our code, and what is said, as JSON text."""

_RETRY: Final = frozenset({"THROTTLED", "INTEGRATION_TIMEOUT", "INTEGRATION_FAILURE"})


def responses() -> Document:
    """The OpenAPI extension that makes API Gateway say so."""
    return {kind: _response(kind, *said) for kind, said in _SAID.items()}


def _response(kind: str, status: int | None, code: str, message: str) -> Document:
    body = f'{{"message": {message}, "error": {{"code": "{code}", "detail": {message}}}}}'
    made: Document = {"responseTemplates": {"application/json": body}}
    if status is not None:
        made["statusCode"] = str(status)
    if kind in _RETRY:
        made["responseParameters"] = {"gatewayresponse.header.Retry-After": "'1'"}
    return made
