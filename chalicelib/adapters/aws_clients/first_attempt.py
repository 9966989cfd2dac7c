"""The first attempt of a request: made, signed, sent and read without a client of botocore.

botocore makes a client from the models of its service, and a request through objects and events that serve every
protocol. The services here have one protocol, JSON, and nearly every first attempt succeeds. If the result of this
attempt is a success, or that a condition did not hold, this is the response. With any other result there is none, and a
client of botocore makes the request as usual, repeats it by its rules, and raises its errors.
"""

from __future__ import annotations

import time
from base64 import b64decode
from collections.abc import Callable
from random import random
from typing import Any, Final, TypeAlias

import msgspec
from botocore.awsrequest import AWSPreparedRequest
from botocore.exceptions import BotoCoreError, ClientError

from chalicelib.adapters.aws_clients.signature import Signer

Parsed: TypeAlias = dict[str, Any]

_CONDITION_FAILED: Final = "ConditionalCheckFailedException"
_TOO_MANY: Final = 429
_MAX_PAUSE_S: Final = 1.0
"""The longest pause before the second attempt, as in botocore's standard mode."""

_TARGETS: Final = {"dynamodb": "DynamoDB_20120810", "sqs": "AmazonSQS"}
"""The prefix of `X-Amz-Target` of each service."""

_HEADERS: Final[dict[str, dict[str, str]]] = {
    "dynamodb": {"Content-Type": "application/x-amz-json-1.0"},
    "sqs": {"Content-Type": "application/x-amz-json-1.0", "x-amzn-query-mode": "true"},
}


def _with_blobs(items: list[dict[str, Any]]) -> None:
    """Decode the binary attributes of items, in place. Items have no sets, lists and maps."""
    for item in items:
        for value in item.values():
            if "B" in value:
                value["B"] = b64decode(value["B"])


def _item(parsed: Parsed) -> None:
    if "Item" in parsed:
        _with_blobs([parsed["Item"]])


def _queried(parsed: Parsed) -> None:
    _with_blobs(parsed.get("Items", []))


def _batch(parsed: Parsed) -> None:
    for items in parsed.get("Responses", {}).values():
        _with_blobs(items)


def _as_it_is(parsed: Parsed) -> None:
    """Change nothing: the JSON is what botocore returns."""


READERS: Final[dict[str, Callable[[Parsed], None]]] = {
    "GetItem": _item,
    "PutItem": _as_it_is,
    "Query": _queried,
    "BatchGetItem": _batch,
    "SendMessageBatch": _as_it_is,
    "GetQueueUrl": _as_it_is,
}
"""The operations that are made here, and what turns JSON into what botocore returns. They are those of most steps, and
of the first request of a new function."""


class FirstAttempt:
    """Makes first attempts at `url` for one service in one region. Threads may share it.

    `session` is a session of botocore, whose events, credentials and name of the program are used; `http` sends.
    """

    def __init__(
        self, service: str, url: str, region: str, session: Any, http: Any, sleep: Callable[[float], None] = time.sleep
    ) -> None:
        self._service = service
        self._url = url
        self._events = session.get_component("event_emitter")
        self._credentials = session.get_credentials()
        self._http = http
        self._sleep = sleep
        self._signer = Signer(service, region)
        self._headers = {**_HEADERS[service], "User-Agent": session.user_agent()}

    def __call__(self, operation: str, parameters: Parsed) -> Parsed | None:
        """Return what the response holds, or None: botocore makes the request. Raises ClientError if a condition did
        not hold."""
        read = READERS.get(operation)
        if read is None:
            return None
        try:
            response = self._sent(operation, msgspec.json.encode(parameters))
        except BotoCoreError:
            self._pause()
            return None
        if response.status_code == 200:
            parsed: Parsed = msgspec.json.decode(response.content or b"{}")
            read(parsed)
            return _with_metadata(parsed, response)
        if response.status_code >= 500 or response.status_code == _TOO_MANY:
            self._pause()
            return None
        self._refused(response, operation)
        return None

    def _sent(self, operation: str, body: bytes) -> Any:
        """Send the request. Return the response of a handler of the event `before-send`, or that of the service."""
        headers = {**self._headers, "X-Amz-Target": f"{_TARGETS[self._service]}.{operation}"}
        signed = self._signer.sign(self._url, headers, body, self._credentials.get_frozen_credentials())
        signed["Content-Length"] = str(len(body))
        request = AWSPreparedRequest("POST", self._url, signed, body, stream_output=False)
        for _handler, response in self._events.emit(f"before-send.{self._service}.{operation}", request=request):
            if response is not None:
                return response
        return self._http.send(request)

    def _refused(self, response: Any, operation: str) -> None:
        """Raise the error of a condition that did not hold. Pause if there were too many requests."""
        try:
            body = msgspec.json.decode(response.content)
            code = body["__type"].rpartition("#")[2]
        except (msgspec.DecodeError, KeyError, TypeError, AttributeError):
            return
        if code == _CONDITION_FAILED:
            error = {"Code": code, "Message": body.get("message", body.get("Message", ""))}
            raise ClientError(_with_metadata({"Error": error}, response), operation)
        if "Throttl" in code or "Exceeded" in code:
            self._pause()

    def _pause(self) -> None:
        self._sleep(random() * _MAX_PAUSE_S)  # noqa: S311 - no secret


def _with_metadata(parsed: Parsed, response: Any) -> Parsed:
    headers = {name.lower(): value for name, value in response.headers.items()}
    parsed["ResponseMetadata"] = {
        "RequestId": headers.get("x-amzn-requestid", ""),
        "HTTPStatusCode": response.status_code,
        "HTTPHeaders": headers,
        "RetryAttempts": 0,
    }
    return parsed
