"""`fsl local --aws`: the adapters that run on AWS, on this machine.

Without endpoints AWS itself is embedded (moto): it keeps nothing. With ECHOER_DYNAMODB_URL and ECHOER_SQS_URL the
adapters speak to what listens there; the table and the queues are made if they are not there.
"""

from __future__ import annotations

import os
from typing import Final

from botocore.exceptions import BotoCoreError, ClientError

from chalicelib import bootstrap
from chalicelib.adapters import sqs
from chalicelib.adapters.dynamodb.items import Place
from chalicelib.adapters.dynamodb.store import DynamoStore
from chalicelib.adapters.dynamodb.tables import create_tables
from chalicelib.adapters.http import HttpCaller
from chalicelib.adapters.system import SystemChance, SystemClock
from chalicelib.bootstrap import World
from chalicelib.config import Settings
from chalicelib.service.errors import Busy, Malformed, ServiceError

_ANY: Final = {"AWS_DEFAULT_REGION": "us-east-1", "AWS_ACCESS_KEY_ID": "local", "AWS_SECRET_ACCESS_KEY": "local"}
"""What botocore wants to be told even where nobody asks for it."""


def world(settings: Settings) -> World:
    """The AWS adapters on what the settings name. Raises ServiceError."""
    if settings.dynamodb_url is None and settings.sqs_url is None:
        return _embedded(settings)
    if settings.dynamodb_url is None or settings.sqs_url is None:
        raise Malformed("ECHOER_DYNAMODB_URL and ECHOER_SQS_URL go together: set both, or neither for embedded ones")
    for name, value in _ANY.items():
        os.environ.setdefault(name, value)
    try:
        _make_table(settings)
        _make_queues(settings)
    except (BotoCoreError, ClientError) as exc:
        raise Busy(f"cannot make the table and the queues: {exc}") from exc
    return bootstrap.world(settings)


def _embedded(settings: Settings) -> World:
    from chalicelib.adapters.moto_stack import MotoStack  # it loads moto, which takes a second

    stack, clock = MotoStack(settings.table), SystemClock()
    stack.start()
    return World(
        store=stack.store,
        queue=stack.queue,
        caller=HttpCaller(clock.now),
        clock=clock,
        chance=SystemChance(),
        close=stack.stop,
    )


def _make_table(settings: Settings) -> None:
    client = DynamoStore(Place(table=settings.table, endpoint=settings.dynamodb_url)).table.client
    try:
        client.describe_table(TableName=settings.table)
    except client.exceptions.ResourceNotFoundException:
        create_tables(client, settings.table)


def _make_queues(settings: Settings) -> None:
    client = sqs.connect(endpoint=settings.sqs_url)
    try:
        sqs.find_queues(client, settings.queue_prefix)
    except ServiceError:
        sqs.create_queues(client, settings.queue_prefix)
