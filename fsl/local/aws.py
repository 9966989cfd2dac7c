"""`fsl local --aws`: the adapters that run on AWS, on this machine.

Without endpoints AWS itself is in this process: moto, made exact. It keeps nothing. With ECHOER_DYNAMODB_URL and
ECHOER_SQS_URL the adapters speak to what listens there; the table and the queues are made if they are not there.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from threading import Condition
from time import monotonic
from types import TracebackType
from typing import Any, Final

from botocore.exceptions import BotoCoreError, ClientError

from chalicelib import hosting
from chalicelib.adapters import sqs
from chalicelib.adapters.actions.dispatch import Dispatcher
from chalicelib.adapters.dynamodb.items import TableLocation
from chalicelib.adapters.dynamodb.store import DynamoStore
from chalicelib.adapters.dynamodb.tables import create_tables
from chalicelib.adapters.system import SystemClock, SystemIds
from chalicelib.config import Settings
from chalicelib.hosting import Adapters
from chalicelib.service.errors import Busy, Malformed, ServiceError

REGION: Final = "us-east-1"

_ANY: Final = {"AWS_DEFAULT_REGION": REGION, "AWS_ACCESS_KEY_ID": "local", "AWS_SECRET_ACCESS_KEY": "local"}
"""What botocore wants to be told even where nobody asks for it."""


def adapters_for(settings: Settings) -> Adapters:
    """The AWS adapters on what the settings name. Raises ServiceError."""
    if settings.dynamodb_url is None and settings.sqs_url is None:
        return _embedded(settings)
    prepare(settings)
    return hosting.adapters_for(settings)


# ── at an endpoint ───────────────────────────────────────────────────────────────────────────────────────────────────


def prepare(settings: Settings) -> None:
    """The table and the queues are there, at the endpoints that the settings name. Raises ServiceError."""
    if settings.dynamodb_url is None or settings.sqs_url is None:
        raise Malformed("ECHOER_DYNAMODB_URL and ECHOER_SQS_URL go together: set both, or neither for embedded ones")
    for name, value in _ANY.items():
        os.environ.setdefault(name, value)
    try:
        _make_table(settings)
        _make_queues(settings)
    except (BotoCoreError, ClientError) as exc:
        raise Busy(f"cannot make the table and the queues: {exc}") from exc


def _make_table(settings: Settings) -> None:
    client = DynamoStore(TableLocation(table=settings.table, endpoint=settings.dynamodb_url)).table.client
    try:
        client.describe_table(TableName=settings.table)
    except client.exceptions.ResourceNotFoundException:
        create_tables(client, settings.table)


def _make_queues(settings: Settings) -> None:
    client = sqs.connect(endpoint=settings.sqs_url)
    try:
        sqs.find_queues(client, settings.queue_prefix)
    except Busy:
        raise
    except ServiceError:  # one of them is not there
        sqs.create_queues(client, settings.queue_prefix)


# ── in this process ──────────────────────────────────────────────────────────────────────────────────────────────────


def _embedded(settings: Settings) -> Adapters:
    stack, clock = MotoStack(settings.table, settings.queue_prefix), SystemClock()
    stack.start()
    return Adapters(
        store=stack.store,
        queue=stack.queue,
        caller=Dispatcher(clock.now),
        clock=clock,
        ids=SystemIds(),
        observer=hosting.observer(settings, clock),
        close=stack.stop,
    )


_RECEIVE: Final = "AmazonSQS.ReceiveMessage"
_POLL: Final = 0.1
"""Seconds after which a waiting receiver looks for messages that came due by themselves."""

Handler = Callable[[Any], Any]


class MotoStack:
    """Within a `with` block AWS is in this process, and `store` and `queue` are on it. One at a time.

    moto has no locks. Eight threads that compare and set one item have several winners, and threads that share a queue
    lose messages. Here every request to moto is handled under one lock, which is what a server with one thread would
    do. A long poll must not hold that lock: whoever waits for a message would keep it from being sent. moto would wait
    inside its handler, so the request is handled as a short poll, again after every send, until its time is over;
    while it waits the lock is free.
    """

    def __init__(
        self,
        table: str = "echoer",
        queue_prefix: str = "echoer",
        visibility: int = sqs.VISIBILITY_TIMEOUT_S,
        max_receives: int = sqs.MAX_RECEIVES,
    ) -> None:
        self._table = table
        self._queue_prefix = queue_prefix
        self._visibility = visibility
        self._max_receives = max_receives
        self.store: DynamoStore
        self.queue: sqs.SqsQueue

    def __enter__(self) -> MotoStack:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start(self) -> None:
        """AWS is empty but for the table and the queues."""
        from moto import mock_aws  # it takes a second: those who have an endpoint need not wait
        from moto.core.models import botocore_stubber

        self._moto = mock_aws()
        self._moto.start()
        self._stubber = botocore_stubber
        self._handler: Handler = botocore_stubber.process_request
        botocore_stubber.process_request = one_at_a_time(self._handler)  # type: ignore[method-assign, assignment]
        self.store = DynamoStore(TableLocation(table=self._table, region=REGION))
        create_tables(self.store.table.client, self._table)
        urls = sqs.create_queues(sqs.connect(REGION), self._queue_prefix, self._visibility, self._max_receives)
        self.queue = sqs.SqsQueue(urls, region=REGION)

    def stop(self) -> None:
        """AWS is not in this process any more; what was kept there is gone."""
        self._stubber.process_request = self._handler  # type: ignore[method-assign, assignment]
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
