"""The events that AWS passes to a Lambda function, built from requests, messages and schedules on this machine.

Sources: AWS, "Lambda proxy integrations in API Gateway" (REST), "Using Lambda with Amazon SQS", "EventBridge scheduled
events". Path parameters stay percent-encoded and query parameters are decoded, as a REST API does both.
"""

from __future__ import annotations

import base64
import hashlib
import itertools
import time
import uuid
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final, TypeAlias
from urllib.parse import parse_qsl

from chalicelib.service.ports.queues import QueueName, Received

LambdaEvent: TypeAlias = dict[str, Any]
LambdaHandler: TypeAlias = Callable[[LambdaEvent, "LambdaContext"], Any]

ACCOUNT: Final = "000000000000"
REGION: Final = "local"


_PROCESS: Final = str(uuid.uuid4())[:24]
_NUMBERS: Final = itertools.count()


def _new_id() -> str:
    """Return an id in the form of a UUID that no other invocation has. It asks the system for no random bytes."""
    return f"{_PROCESS}{next(_NUMBERS):012x}"


@dataclass(frozen=True, slots=True)
class LambdaContext:
    """The context of a function that a handler can read. `seconds` is the timeout of the function."""

    function_name: str
    seconds: float = 900
    memory_limit_in_mb: int = 512
    function_version: str = "$LATEST"
    aws_request_id: str = field(default_factory=_new_id)
    _begun: float = field(default_factory=time.monotonic)

    @property
    def invoked_function_arn(self) -> str:
        return f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{self.function_name}"

    def get_remaining_time_in_millis(self) -> int:
        return max(0, int((self._begun + self.seconds - time.monotonic()) * 1000))


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """A request as it was received; `path` is percent-encoded and without the query."""

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    body: bytes
    client: str = "127.0.0.1"
    protocol: str = "HTTP/1.0"


def api_event(
    request: HttpRequest, method: str, resource: str, captured: Mapping[str, str], request_id: str
) -> LambdaEvent:
    """Return the proxy event of a REST API for the route `resource` with the path parameters `captured`."""
    query: dict[str, list[str]] = {}
    if request.query:
        for name, value in parse_qsl(request.query, keep_blank_values=True):
            query.setdefault(name, []).append(value)
    body, encoded = _body(request.body)
    return {
        "resource": resource,
        "path": request.path,
        "httpMethod": method,
        "headers": dict(request.headers),
        "multiValueHeaders": {name: [value] for name, value in request.headers.items()},
        "queryStringParameters": {name: values[-1] for name, values in query.items()} or None,
        "multiValueQueryStringParameters": query or None,
        "pathParameters": dict(captured) or None,
        "stageVariables": None,
        "requestContext": {
            "accountId": ACCOUNT,
            "apiId": "local",
            "stage": "local",
            "protocol": request.protocol,
            "httpMethod": method,
            "path": request.path,
            "resourcePath": resource,
            "requestId": request_id,
            "requestTimeEpoch": time.time_ns() // 1_000_000,
            "identity": {"sourceIp": request.client, "userAgent": request.headers.get("User-Agent", "")},
        },
        "body": body,
        "isBase64Encoded": encoded,
    }


def _body(raw: bytes) -> tuple[str | None, bool]:
    """Return the body as text if it is text, else in base64, and whether it is base64."""
    if not raw:
        return None, False
    try:
        return raw.decode(), False
    except UnicodeDecodeError:
        return base64.b64encode(raw).decode(), True


def queue_event(queue: QueueName, messages: Iterable[Received]) -> LambdaEvent:
    """Return the event of an SQS event source mapping."""
    return {"Records": [_record(queue, message) for message in messages]}


def _record(queue: QueueName, message: Received) -> LambdaEvent:
    return {
        "messageId": message.id,
        "receiptHandle": message.receipt,
        "body": message.body,
        "attributes": {
            "ApproximateReceiveCount": str(message.count),
            "ApproximateFirstReceiveTimestamp": str(time.time_ns() // 1_000_000),
            "SenderId": ACCOUNT,
            "SentTimestamp": str(message.sent_at),
        },
        "messageAttributes": {},
        "md5OfBody": hashlib.md5(message.body.encode(), usedforsecurity=False).hexdigest(),
        "eventSource": "aws:sqs",
        "eventSourceARN": f"arn:aws:sqs:{REGION}:{ACCOUNT}:echoer-{queue}",
        "awsRegion": REGION,
    }


def failed_in(answer: Any, messages: Iterable[Received]) -> frozenset[str]:
    """Return the ids of the messages that a handler reports as failed; all ids if it names an unknown one."""
    ids = frozenset(message.id for message in messages)
    failures = answer.get("batchItemFailures") if isinstance(answer, Mapping) else None
    named = frozenset(str(failure.get("itemIdentifier")) for failure in failures or ())
    return named if named <= ids else ids


def schedule_event(rule: str) -> LambdaEvent:
    """Return the event of a schedule's rule."""
    return {
        "version": "0",
        "id": str(uuid.uuid4()),
        "detail-type": "Scheduled Event",
        "source": "aws.events",
        "account": ACCOUNT,
        "time": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "region": REGION,
        "resources": [f"arn:aws:events:{REGION}:{ACCOUNT}:rule/{rule}"],
        "detail": {},
    }
