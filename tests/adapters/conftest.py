from __future__ import annotations

from collections.abc import Iterator

import pytest

from chalicelib.adapters.dynamodb.store import DynamoStore
from chalicelib.adapters.dynamodb.tables import create_tables
from fsl.local.aws import MotoStack
from tests.adapters.queue_contract import MAX_RECEIVES, VISIBILITY


@pytest.fixture(scope="module")
def stack() -> Iterator[MotoStack]:
    """Provide AWS in this process, once per module, since its clients are slow to create."""
    with MotoStack(visibility=VISIBILITY // 1000, max_receives=MAX_RECEIVES) as stack:
        yield stack


@pytest.fixture
def dynamo(stack: MotoStack) -> DynamoStore:
    """Provide an empty table."""
    client = stack.store.table.client
    client.delete_table(TableName="echoer")
    create_tables(client, "echoer")
    return stack.store
