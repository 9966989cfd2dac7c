"""`fsl local --aws`: the AWS adapters on this machine.

By default AWS is emulated in this process by moto, which stores nothing permanently. With ECHOER_DYNAMODB_URL and
ECHOER_SQS_URL the adapters use these endpoints; the table and the queues are created if they do not exist.
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
from chalicelib.adapters.dynamodb.keys import SHARDS
from chalicelib.adapters.dynamodb.store import DynamoStore
from chalicelib.adapters.dynamodb.tables import create_tables
from chalicelib.adapters.system import SystemClock, SystemIds
from chalicelib.config import Settings
from chalicelib.hosting import Adapters
from chalicelib.service.errors import Busy, Malformed, ServiceError
from fsl.local import empty_keys

REGION: Final = "us-east-1"

_PLACEHOLDERS: Final = {"AWS_DEFAULT_REGION": REGION, "AWS_ACCESS_KEY_ID": "local", "AWS_SECRET_ACCESS_KEY": "local"}
"""Settings that botocore requires even if the endpoint ignores them."""


def adapters_for(settings: Settings) -> Adapters:
    """Return the AWS adapters for the endpoints in the settings, or for embedded moto. Raises ServiceError."""
    if settings.dynamodb_url is None and settings.sqs_url is None:
        return _embedded(settings)
    prepare(settings)
    return hosting.adapters_for(settings)


# ── at an endpoint ────────────────────────────────────────────────────────────────────────────────────────────────────


def prepare(settings: Settings) -> None:
    """Create the table and the queues at the endpoints in the settings if they do not exist. Raises ServiceError."""
    if settings.dynamodb_url is None or settings.sqs_url is None:
        raise Malformed("set both ECHOER_DYNAMODB_URL and ECHOER_SQS_URL, or neither to use embedded services")
    for name, value in _PLACEHOLDERS.items():
        os.environ.setdefault(name, value)
    try:
        _make_table(settings)
        _make_queues(settings)
    except (BotoCoreError, ClientError) as exc:
        raise Busy(f"cannot create the table and the queues: {exc}") from exc


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
    except ServiceError:  # a queue does not exist
        sqs.create_queues(client, settings.queue_prefix)


# ── in this process ───────────────────────────────────────────────────────────────────────────────────────────────────


def _embedded(settings: Settings) -> Adapters:
    stack, clock = MotoStack(settings.table, settings.queue_prefix, shards=settings.shards), SystemClock()
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
_POLL_S: Final = 0.1
"""How often a waiting receiver looks for delayed messages that have become due."""

RequestHandler = Callable[[Any], Any]


class MotoStack:
    """Emulates AWS in this process within a `with` block, with `store` and `queue` on it. One at a time.

    moto has no locks: if eight threads compare and set one item, several succeed, and threads that share a queue lose
    messages. Therefore every request to moto is handled under one lock, as by a server with one thread. A long poll
    must not hold the lock, since the message that it waits for could not be sent. moto would wait inside its handler,
    so the request is handled as a short poll, repeated after every send until its time is over. The lock is free while
    it waits.
    """

    def __init__(
        self,
        table: str = "echoer",
        queue_prefix: str = "echoer",
        visibility: int | None = None,
        max_receives: int = sqs.MAX_RECEIVES,
        shards: int = SHARDS,
    ) -> None:
        self._table = table
        self._queue_prefix = queue_prefix
        self._visibility = visibility
        self._max_receives = max_receives
        self._shards = shards
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
        """Start with an empty table and empty queues."""
        from moto import mock_aws  # takes a second to import, so it is imported late
        from moto.core.models import botocore_stubber

        self._moto = mock_aws()
        self._moto.start()
        self._stubber = botocore_stubber
        self._handler: RequestHandler = botocore_stubber.process_request
        botocore_stubber.process_request = one_at_a_time(self._handler)  # type: ignore[method-assign, assignment]
        self.store = DynamoStore(TableLocation(table=self._table, region=REGION, shards=self._shards))
        create_tables(self.store.table.client, self._table)
        urls = sqs.create_queues(sqs.connect(REGION), self._queue_prefix, self._visibility, self._max_receives)
        self.queue = sqs.SqsQueue(urls, region=REGION)

    def stop(self) -> None:
        """Stop the emulation and discard its data."""
        self._stubber.process_request = self._handler  # type: ignore[method-assign, assignment]
        self._moto.stop()


def one_at_a_time(handler: RequestHandler) -> RequestHandler:
    """Return the handler under one lock; long polls wait without holding it.

    It refuses empty strings in keys, also where it reads, as DynamoDB does and moto does not.
    """
    changed = Condition()

    def handle(request: Any) -> Any:
        operation = _operation(request)
        with changed:
            if operation == _RECEIVE:
                return _poll(handler, request, changed)
            if operation.startswith("DynamoDB_") and empty_keys.found_in(json.loads(request.body)):
                return empty_keys.REFUSAL
            response = handler(request)
            if operation.startswith("AmazonSQS."):
                changed.notify_all()
            return response

    return handle


def _poll(handler: RequestHandler, request: Any, changed: Condition) -> Any:
    """Return the first response with messages, or the last one before the poll ends. Waiting releases the lock."""
    parameters = json.loads(request.body)
    end = monotonic() + parameters.get("WaitTimeSeconds", 0)
    request.body = json.dumps({**parameters, "WaitTimeSeconds": 0}).encode()
    request.headers["Content-Length"] = str(len(request.body))
    while True:
        response = handler(request)
        left = end - monotonic()
        if left <= 0 or response is None or "Messages" in json.loads(response[2] or "{}"):
            return response
        changed.wait(min(left, _POLL_S))


def _operation(request: Any) -> str:
    target = request.headers.get("X-Amz-Target", "")
    return target.decode() if isinstance(target, bytes) else str(target)
