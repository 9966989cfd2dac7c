"""AWS in this process: moto, made exact. For tests, and for `fsl local --aws`.

moto has no locks. Eight threads that compare and set one item have several winners, and threads that share a queue
lose messages. Here every request to moto is handled under one lock, which is what a server with one thread would do.

A long poll must not hold that lock: whoever waits for a message would keep it from being sent. moto would wait inside
its handler, so the request is handled as a short poll, again after every send, until its time is over; while it waits
the lock is free.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from threading import Condition
from time import monotonic
from types import TracebackType
from typing import Any, Final

from moto import mock_aws
from moto.core.models import botocore_stubber

from chalicelib.adapters.dynamodb.items import Place
from chalicelib.adapters.dynamodb.store import DynamoStore
from chalicelib.adapters.dynamodb.tables import create_tables
from chalicelib.adapters.sqs import MAX_RECEIVES, VISIBILITY_SECONDS, SqsQueue, connect, create_queues

REGION: Final = "us-east-1"

_RECEIVE: Final = "AmazonSQS.ReceiveMessage"
_POLL: Final = 0.1
"""Seconds after which a waiting receiver looks for messages that came due by themselves."""

Handler = Callable[[Any], Any]


class MotoStack:
    """Within a `with` block AWS is in this process, and `store` and `queue` are on it. One at a time."""

    def __init__(
        self, table: str = "echoer", visibility: int = VISIBILITY_SECONDS, max_receives: int = MAX_RECEIVES
    ) -> None:
        self._table = table
        self._visibility = visibility
        self._max_receives = max_receives
        self._moto = mock_aws()
        self.store: DynamoStore
        self.queue: SqsQueue

    def __enter__(self) -> MotoStack:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start(self) -> None:
        """AWS is empty but for the table and the queues."""
        self._moto.start()
        self._handler: Handler = botocore_stubber.process_request
        botocore_stubber.process_request = one_at_a_time(self._handler)  # type: ignore[method-assign, assignment]
        self.store = DynamoStore(Place(table=self._table, region=REGION))
        create_tables(self.store.table.client, self._table)
        urls = create_queues(connect(REGION), visibility=self._visibility, max_receives=self._max_receives)
        self.queue = SqsQueue(urls, region=REGION)

    def stop(self) -> None:
        """AWS is not in this process any more; what was kept there is gone."""
        botocore_stubber.process_request = self._handler  # type: ignore[method-assign, assignment]
        self._moto.stop()


def one_at_a_time(handler: Handler) -> Handler:
    """The handler under one lock, with long polls that wait outside of it."""
    changed = Condition()

    def handle(request: Any) -> Any:
        operation = _operation(request)
        with changed:
            if operation == _RECEIVE:
                return _poll(handler, request, changed)
            response = handler(request)
            if operation.startswith("AmazonSQS."):
                changed.notify_all()
            return response

    return handle


def _poll(handler: Handler, request: Any, changed: Condition) -> Any:
    """The first response that has messages, or the last before the poll's time is over. Waiting frees the lock."""
    asked = json.loads(request.body)
    end = monotonic() + asked.get("WaitTimeSeconds", 0)
    request.body = json.dumps({**asked, "WaitTimeSeconds": 0}).encode()
    request.headers["Content-Length"] = str(len(request.body))
    while True:
        response = handler(request)
        left = end - monotonic()
        if left <= 0 or response is None or "Messages" in json.loads(response[2] or "{}"):
            return response
        changed.wait(min(left, _POLL))


def _operation(request: Any) -> str:
    target = request.headers.get("X-Amz-Target", "")
    return target.decode() if isinstance(target, bytes) else str(target)
