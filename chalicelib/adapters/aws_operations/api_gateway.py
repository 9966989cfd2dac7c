"""`apigateway:invoke`: requests to APIs of API Gateway, as AWS Step Functions makes them. No other host is called."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any, Final, TypeAlias
from urllib.parse import quote, urlencode

import msgspec
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSPreparedRequest, AWSRequest
from botocore.httpsession import URLLib3Session

from chalicelib.adapters.aws_operations.arguments import DoesNotFit
from chalicelib.adapters.aws_operations.clients import CONNECT_TIMEOUT_S, ForeignHost
from chalicelib.adapters.aws_operations.gateway_model import METHODS, OPERATION, SERVICE
from chalicelib.model.json_values import Json
from chalicelib.service.ports.actions import MAX_ANSWER_BYTES, NotTaken, Raised, Reply, Returned

MAX_EXCERPT_CHARS: Final = 1000
"""The part of a refusal's body that is stored."""

Send: TypeAlias = Callable[[AWSPreparedRequest, float], Any]

_HOST: Final = re.compile(r"[a-z0-9-]+\.execute-api\.([a-z0-9-]+)\.amazonaws\.com(\.cn)?")
_EXAMPLE_HOST: Final = "abc123.execute-api.eu-west-1.amazonaws.com"
_STAGE: Final = re.compile(r"[A-Za-z0-9_$-]*")
_OWN_HEADERS: Final = re.compile(
    r"authorization|connection|content-(length|md5)|date|expect|host|max-forwards|proxy-.*|server|te|trailer|via"
    r"|transfer-encoding|upgrade|www-authenticate|x-amz-.*|x-forwarded-for",
    re.IGNORECASE,
)
"""Headers that Step Functions does not let a request have."""


def send(request: AWSPreparedRequest, seconds: float) -> Any:
    """Send a request, and return botocore's response. Redirects are not followed. Raises what botocore raises."""
    session = URLLib3Session(timeout=(CONNECT_TIMEOUT_S, seconds))
    try:
        return session.send(request)
    finally:
        session.close()


def invoke(parameters: Mapping[str, Any], credentials: Callable[[], Any], seconds: float, send: Send = send) -> Reply:
    """Send the request, signed with the credentials if its AuthType is IAM_ROLE.

    Raises DoesNotFit, ForeignHost, and what botocore raises.
    """
    request, region = request_of(parameters)
    if parameters.get("AuthType") == "IAM_ROLE":
        SigV4Auth(credentials(), "execute-api", region).add_auth(request)
    response = send(request.prepare(), seconds)
    return reply_of(response.status_code, response.headers, response.content)


def request_of(parameters: Mapping[str, Any]) -> tuple[AWSRequest, str]:
    """Return the request, and the region of its host."""
    host = str(parameters["ApiEndpoint"]).removeprefix("https://").rstrip("/").lower()
    found = _HOST.fullmatch(host)
    if found is None:
        raise ForeignHost(f"{host[:200]} is not a host of API Gateway, such as {_EXAMPLE_HOST}")
    method = parameters["Method"]
    if method not in METHODS:
        raise DoesNotFit(f"{SERVICE}:{OPERATION}: Method {method!r} is not one of {', '.join(METHODS)}")
    stage = str(parameters.get("Stage", ""))
    if not _STAGE.fullmatch(stage):
        raise DoesNotFit(f"{SERVICE}:{OPERATION}: Stage {stage!r} is no name of a stage")
    headers = {name: ", ".join(values) for name, values in parameters.get("Headers", {}).items()}
    refused = next(filter(_OWN_HEADERS.fullmatch, headers), None)
    if refused is not None:
        raise DoesNotFit(f"{SERVICE}:{OPERATION}: the header {refused!r} cannot be set")
    path = quote("/".join(filter(None, (stage, str(parameters.get("Path", "")).lstrip("/")))), safe="/%@~")
    query = urlencode(parameters.get("QueryParameters", {}), doseq=True, quote_via=quote)
    url = f"https://{host}/{path}" + (f"?{query}" if query else "")
    body = _body(parameters)
    if body and not any(name.lower() == "content-type" for name in headers):
        headers["Content-Type"] = "application/json"
    return AWSRequest(method=method, url=url, headers=headers, data=body), found[1]


def reply_of(status: int, headers: Mapping[str, str], body: bytes) -> Reply:
    """Return the response as Step Functions shows it; a status that is no 2xx is an error, named `ApiGateway.403`."""
    if not 200 <= status < 300:
        name, cause = f"ApiGateway.{status}", body.decode("utf-8", "replace")[:MAX_EXCERPT_CHARS]
        if status != 429 and status < 500:
            return Raised(name, cause)
        text = f"{SERVICE}:{OPERATION} was answered with {status}: {cause}"[:MAX_EXCERPT_CHARS]
        brief = f"{SERVICE}:{OPERATION} was refused with status {status}"
        return NotTaken(text, final=False, status=status, name=name, brief=brief)
    if len(body) > MAX_ANSWER_BYTES:
        return Returned(too_large=f"the answer of {SERVICE}:{OPERATION} is larger than {MAX_ANSWER_BYTES} bytes")
    shown: dict[str, Json] = {name: [value] for name, value in headers.items()}
    words = next((known.phrase for known in HTTPStatus if known == status), "")
    return Returned({"Headers": shown, "ResponseBody": _json_or_text(body), "StatusCode": status, "StatusText": words})


def _json_or_text(body: bytes) -> Json:
    try:
        value: Json = msgspec.json.decode(body) if body.strip() else ""
    except (msgspec.DecodeError, RecursionError):
        return body.decode("utf-8", "replace")
    return value


def _body(parameters: Mapping[str, Any]) -> bytes:
    if "RequestBody" not in parameters:
        return b""
    given = parameters["RequestBody"]
    return msgspec.json.encode(given if parameters.get("AllowNullValues") else _without_nulls(given))


def _without_nulls(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_nulls(one) for key, one in value.items() if one is not None}
    return [_without_nulls(one) for one in value] if isinstance(value, list) else value
