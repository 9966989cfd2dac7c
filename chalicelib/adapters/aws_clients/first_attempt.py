"""The first attempt of each request of a client: signed, sent and read with a quarter of botocore's work.

botocore makes a request through objects and events that serve every protocol. The services here have one protocol,
JSON, and nearly every first attempt succeeds. So a handler of the event `before-call` makes this attempt. If its result
is a success, or that a condition did not hold, this is the response of the call. With any other result the handler
returns nothing, and botocore makes the request as usual, repeats it by its rules, and raises its errors. The limit of
attempts that a client is made with counts this attempt.
"""

from __future__ import annotations

import time
from base64 import b64decode
from collections.abc import Callable
from random import random
from typing import Any, Final, TypeAlias

import msgspec
from botocore.awsrequest import AWSPreparedRequest
from botocore.exceptions import BotoCoreError

from chalicelib.adapters.aws_clients.signature import Signer

Parsed: TypeAlias = dict[str, Any]

_CONDITION_FAILED: Final = "ConditionalCheckFailedException"
_FINAL_STATUS: Final = 400
_TOO_MANY: Final = 429
_MAX_PAUSE_S: Final = 1.0
"""The longest pause before the second attempt, as in botocore's standard mode."""


def _with_blobs(item: dict[str, Any]) -> dict[str, Any]:
    """Decode the binary attributes of an item, in place. Items have no sets, lists and maps."""
    for value in item.values():
        if "B" in value:
            value["B"] = b64decode(value["B"])
    return item


def _get_item(parsed: Parsed) -> Parsed:
    if "Item" in parsed:
        _with_blobs(parsed["Item"])
    return parsed


def _as_it_is(parsed: Parsed) -> Parsed:
    return parsed


READERS: Final[dict[str, Callable[[Parsed], Parsed]]] = {
    "GetItem": _get_item,
    "PutItem": _as_it_is,
    "SendMessageBatch": _as_it_is,
}
"""The operations that are made here, and what turns JSON into what botocore returns. They are those of most steps."""


class FirstAttempt:
    """A handler of `before-call` for one client. `session` is the client's HTTP layer. Threads may share it."""

    def __init__(
        self, client: Any, credentials: Any, session: Any, sleep: Callable[[float], None] = time.sleep
    ) -> None:
        self._events = client.meta.events
        self._credentials = credentials
        self._session = session
        self._sleep = sleep
        self._service = client.meta.service_model.service_id.hyphenize()
        self._signer = Signer(client.meta.service_model.signing_name, client.meta.region_name)

    def __call__(self, model: Any, params: dict[str, Any], **_: Any) -> tuple[Any, Parsed] | None:
        """Return the response and what it holds, or None: botocore makes the request."""
        read = READERS.get(model.name)
        if read is None or "signing" in params["context"]:
            return None
        try:
            response = self._sent(model.name, params)
        except BotoCoreError:
            self._pause()
            return None
        if response.status_code == 200:
            return response, _with_metadata(read(msgspec.json.decode(response.content or b"{}")), response)
        if response.status_code >= 500 or response.status_code == _TOO_MANY:
            self._pause()
            return None
        return self._refused(response)

    def _sent(self, operation: str, params: dict[str, Any]) -> Any:
        """Send the request. Return the response of a handler of the event `before-send`, or that of the service."""
        url, body = params["url"], params["body"]
        headers = self._signer.sign(url, params["headers"], body, self._credentials.get_frozen_credentials())
        headers["Content-Length"] = str(len(body))
        request = AWSPreparedRequest("POST", url, headers, body, stream_output=False)
        for _handler, response in self._events.emit(f"before-send.{self._service}.{operation}", request=request):
            if response is not None:
                return response
        return self._session.send(request)

    def _refused(self, response: Any) -> tuple[Any, Parsed] | None:
        """Return the error of a condition that did not hold; None for all others."""
        try:
            body = msgspec.json.decode(response.content)
            code = body["__type"].rpartition("#")[2]
        except (msgspec.DecodeError, KeyError, TypeError, AttributeError):
            return None
        if code != _CONDITION_FAILED:
            if "Throttl" in code or "Exceeded" in code:
                self._pause()
            return None
        error = {"Code": code, "Message": body.get("message", body.get("Message", ""))}
        return response, _with_metadata({"Error": error}, response)

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
