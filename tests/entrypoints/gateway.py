"""Lambda events in AWS's format, and a minimal API Gateway through which tests call the app."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs

from app import app
from chalicelib.entrypoints.http import function_url
from chalicelib.service.ports.queues import QueueName, Received


@dataclass(frozen=True)
class Context:
    """The context that Lambda passes to a function with its event."""

    aws_request_id: str = "req-1"
    function_name: str = "echoer-test"


@dataclass(frozen=True)
class Reply:
    status: int
    text: str
    headers: Mapping[str, str]

    @property
    def json(self) -> Any:
        return json.loads(self.text)

    @property
    def code(self) -> str:
        """Return the error code, and check the shape of the error."""
        body = self.json
        assert isinstance(body["message"], str), body
        assert body["message"], body
        assert isinstance(body["error"]["detail"], str), body
        code = body["error"]["code"]
        assert isinstance(code, str), body
        return code


def call(
    method: str,
    url: str,
    body: Any = None,
    *,
    headers: Mapping[str, str] | None = None,
    raw: bytes | None = None,
    arn: str | None = None,
    context: Mapping[str, str] | None = None,
) -> Reply:
    """Send a request, and return API Gateway's response.

    `body` is sent as JSON, or as text if it is a string; `raw` bytes as base64 (a binary type). `arn` is the identity
    whose AWS signature API Gateway verified. `context` holds more fields of the request context.
    """
    event = rest_event(method, url, body, headers=headers, raw=raw)
    event["requestContext"]["identity"]["userArn"] = arn
    event["requestContext"].update(context or {})
    answer = app(event, Context())
    text = answer["body"]
    return Reply(answer["statusCode"], text, answer["headers"])


def rest_event(
    method: str, url: str, body: Any = None, *, headers: Mapping[str, str] | None = None, raw: bytes | None = None
) -> dict[str, Any]:
    """Return a REST API's proxy event (API Gateway Developer Guide, "Input format of a Lambda function for proxy")."""
    path, _, query = url.partition("?")
    resource, names = _match(path)
    text = body if isinstance(body, str) or body is None else json.dumps(body)
    return {
        "resource": resource,
        "path": path,
        "httpMethod": method,
        "headers": {"Host": "api.test", **(headers or {})},
        "multiValueHeaders": {name: [value] for name, value in (headers or {}).items()},
        "queryStringParameters": None,
        "multiValueQueryStringParameters": parse_qs(query, keep_blank_values=True) if query else None,
        "pathParameters": names or None,
        "stageVariables": None,
        "requestContext": {
            "resourcePath": resource,
            "httpMethod": method,
            "path": path,
            "requestId": "gw-1",
            "stage": "api",
            "identity": {"sourceIp": "127.0.0.1"},
        },
        "body": base64.b64encode(raw).decode() if raw is not None else text,
        "isBase64Encoded": raw is not None,
    }


URL_HOST = f"{'a1' * 16}.lambda-url.eu-central-1.on.aws"
"""The host of a Function URL."""


def answer(
    method: str,
    url: str,
    body: Any = None,
    *,
    headers: Mapping[str, str] | None = None,
    raw: bytes | None = None,
    arn: str | None = None,
) -> Reply:
    """Send a request to the Function URL, as `call` sends it to API Gateway, and return its response.

    `arn` is the identity whose AWS signature Lambda verified.
    """
    event = url_event(method, url, body, headers=headers, raw=raw)
    if arn is not None:
        event["requestContext"]["authorizer"] = {"iam": {"userArn": arn}}
    made = function_url.serve(event, Context())
    assert made["isBase64Encoded"] is False
    return Reply(made["statusCode"], made["body"], made["headers"])


def url_event(
    method: str, url: str, body: Any = None, *, headers: Mapping[str, str] | None = None, raw: bytes | None = None
) -> dict[str, Any]:
    """Return an event of a Function URL (Lambda Developer Guide, "Invoking Lambda function URLs")."""
    path, _, query = url.partition("?")
    text = body if isinstance(body, str) or body is None else json.dumps(body)
    event = {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": path,
        "rawQueryString": query,
        "headers": {"host": URL_HOST, **{name.lower(): value for name, value in (headers or {}).items()}},
        "requestContext": {
            "accountId": "anonymous",
            "apiId": URL_HOST.partition(".")[0],
            "domainName": URL_HOST,
            "domainPrefix": URL_HOST.partition(".")[0],
            "http": {
                "method": method,
                "path": path,
                "protocol": "HTTP/1.1",
                "sourceIp": "127.0.0.1",
                "userAgent": "tests",
            },
            "requestId": "url-1",
            "routeKey": "$default",
            "stage": "$default",
            "time": "15/Jan/2027:08:00:00 +0000",
            "timeEpoch": 1_800_000_000_000,
        },
        "isBase64Encoded": raw is not None,
    }
    if query:
        event["queryStringParameters"] = {name: ",".join(found) for name, found in parse_qs(query).items()}
    if body is not None or raw is not None:
        event["body"] = base64.b64encode(raw).decode() if raw is not None else text
    return event


def _match(path: str) -> tuple[str, dict[str, str]]:
    parts = path.split("/")
    for resource in sorted(app.routes):
        wanted = resource.split("/")
        if len(wanted) == len(parts) and all(w == p or w.startswith("{") for w, p in zip(wanted, parts, strict=True)):
            return resource, {w[1:-1]: p for w, p in zip(wanted, parts, strict=True) if w.startswith("{")}
    raise LookupError(f"no route for {path}")


def sqs_event(queue: QueueName, received: Sequence[Received]) -> dict[str, Any]:
    """Return the event of the SQS event source (Lambda Developer Guide, "Using Lambda with Amazon SQS")."""
    return {
        "Records": [
            {
                "messageId": message.id,
                "receiptHandle": message.receipt,
                "body": message.body,
                "attributes": {
                    "ApproximateReceiveCount": str(message.count),
                    "SentTimestamp": str(message.sent_at),
                    "SenderId": "AIDAEXAMPLE",
                    "ApproximateFirstReceiveTimestamp": str(message.sent_at),
                },
                "messageAttributes": {},
                "md5OfBody": "0" * 32,
                "eventSource": "aws:sqs",
                "eventSourceARN": f"arn:aws:sqs:eu-central-1:123456789012:echoer-{queue}",
                "awsRegion": "eu-central-1",
            }
            for message in received
        ]
    }


SCHEDULE_EVENT: dict[str, Any] = {
    "version": "0",
    "id": "53dc4d37-cffa-4f76-80c9-8b7d4a4d2eaa",
    "detail-type": "Scheduled Event",
    "source": "aws.events",
    "account": "123456789012",
    "time": "2027-01-15T08:00:00Z",
    "region": "eu-central-1",
    "resources": ["arn:aws:events:eu-central-1:123456789012:rule/echoer-dev-sweep"],
    "detail": {},
}
"""Return the event that EventBridge sends for the schedule."""
