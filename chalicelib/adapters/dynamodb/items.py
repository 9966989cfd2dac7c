"""Items as PynamoDB sees them, the connection to the table, and DynamoDB's errors in the service's words."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final, cast

from botocore.exceptions import BotoCoreError, ClientError
from pynamodb.attributes import BooleanAttribute, NumberAttribute, UnicodeAttribute
from pynamodb.connection import Connection
from pynamodb.exceptions import DoesNotExist, PynamoDBException
from pynamodb.indexes import GlobalSecondaryIndex, KeysOnlyProjection
from pynamodb.models import Model

from chalicelib.adapters.dynamodb import tables
from chalicelib.adapters.dynamodb.keys import Key
from chalicelib.service.errors import Busy, ServiceError, TooLarge

CONDITION_FAILED: Final = "ConditionalCheckFailed"

_PASSING: Final = frozenset(
    {
        "ProvisionedThroughputExceededException",
        "ThrottlingException",
        "Throttling",
        "RequestLimitExceeded",
        "LimitExceededException",
        "TransactionConflictException",
        "TransactionInProgressException",
        "TransactionCanceledException",
        "ReplicatedWriteConflictException",
        "InternalServerError",
        "InternalFailure",
        "ServiceUnavailable",
        "ServiceUnavailableException",
        "RequestTimeout",
        "ExpiredTokenException",
    }
)
"""Codes after which trying again helps. A transaction cancelled by a condition is told apart before."""


class AlarmsIndex(GlobalSecondaryIndex["Item"]):  # type: ignore[no-untyped-call]  # an untyped hook
    class Meta:
        index_name = tables.ALARMS.name
        projection = KeysOnlyProjection()

    ap = UnicodeAttribute(hash_key=True)
    al = NumberAttribute(range_key=True)


class ListedIndex(GlobalSecondaryIndex["Item"]):  # type: ignore[no-untyped-call]  # an untyped hook
    class Meta:
        index_name = tables.LISTED.name
        projection = KeysOnlyProjection()

    lp = UnicodeAttribute(hash_key=True)
    c = UnicodeAttribute(range_key=True)


class ByFlowIndex(GlobalSecondaryIndex["Item"]):  # type: ignore[no-untyped-call]  # an untyped hook
    class Meta:
        index_name = tables.BY_FLOW.name
        projection = KeysOnlyProjection()

    fp = UnicodeAttribute(hash_key=True)
    c = UnicodeAttribute(range_key=True)


class Item(Model):
    """Any item: its key, a body, and what conditions and indexes need. Names are short because they are paid for."""

    k = UnicodeAttribute(hash_key=True)
    s = UnicodeAttribute(range_key=True)
    b = UnicodeAttribute(null=True)
    """The value as JSON text."""
    v = NumberAttribute(null=True)
    """A head's or a newest definition's version."""
    t = BooleanAttribute(null=True)
    """Set on the tombstone of a deleted definition."""
    u = NumberAttribute(null=True)
    """Until when a key or signal counts, in milliseconds."""
    x = NumberAttribute(null=True)
    """When DynamoDB may remove it, in seconds."""
    ap = UnicodeAttribute(null=True)
    al = NumberAttribute(null=True)
    lp = UnicodeAttribute(null=True)
    fp = UnicodeAttribute(null=True)
    c = UnicodeAttribute(null=True)

    alarms = AlarmsIndex()
    listed = ListedIndex()
    by_flow = ByFlowIndex()


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where the table is, and how patient to be. `endpoint` None: AWS's own, of `region` or the environment's.

    Timeouts are in seconds; a request is tried `retries` times more.
    """

    table: str = "echoer"
    region: str | None = None
    endpoint: str | None = None
    connect_timeout: float = 2
    read_timeout: float = 5
    retries: int = 3
    connections: int = 25


class Table:
    """The table at a place. Connects at the first request; threads may share it."""

    def __init__(self, place: Place) -> None:
        meta = {
            "table_name": place.table,
            "region": place.region,
            "host": place.endpoint,
            "connect_timeout_seconds": place.connect_timeout,
            "read_timeout_seconds": place.read_timeout,
            "max_retry_attempts": place.retries,
            "max_pool_connections": place.connections,
        }
        # PynamoDB ties a model class to one table and connection, so every Table has a class of its own.
        self.item = cast(type[Item], type("Item", (Item,), {"Meta": type("Meta", (), meta)}))

    @property
    def connection(self) -> Connection:
        """The connection that the items use; transactions go over it too, so there is one client per process."""
        return self.item._get_connection().connection  # PynamoDB has no public name for it

    @property
    def client(self) -> Any:
        """The botocore client."""
        return self.connection.client

    def get(self, key: Key) -> Item | None:
        """The item as it is now."""
        with translated():
            try:
                return self.item.get(*key, consistent_read=True)
            except DoesNotExist:
                return None

    def get_all(self, keys: Iterable[Key], *, consistent: bool) -> dict[Key, Item]:
        """Those of the items that exist."""
        with translated():
            return {(found.k, found.s): found for found in self.item.batch_get(list(keys), consistent_read=consistent)}

    def put(self, item: Item) -> None:
        with translated():
            item.save()

    def remove(self, items: Iterable[Item]) -> None:
        """None of the items exists."""
        with translated(), self.item.batch_write() as batch:
            for item in items:
                batch.delete(item)


@contextmanager
def translated(refused: ServiceError | None = None) -> Iterator[None]:
    """PynamoDB's and botocore's errors in the service's words; `refused` is raised if the condition did not hold."""
    try:
        yield
    except PynamoDBException as exc:
        # Not exc.cause_response_code: it fails on botocore's read time-outs, which have a `response` that is None.
        if not isinstance(exc.cause, ClientError):
            raise Busy(f"DynamoDB did not answer: {exc}") from exc
        raise _in_our_words(exc.cause, refused) from exc
    except ClientError as exc:
        raise _in_our_words(exc, refused) from exc
    except BotoCoreError as exc:
        raise Busy(f"DynamoDB cannot be reached: {exc}") from exc


def _in_our_words(error: ClientError, refused: ServiceError | None) -> ServiceError:
    code, message = error.response["Error"]["Code"], error.response["Error"].get("Message", "")
    if refused is not None and code == f"{CONDITION_FAILED}Exception":
        return refused
    if code in _PASSING:
        return Busy(f"DynamoDB: {code}")
    if code == "ValidationException" and ("size" in message.lower() or "exceed" in message.lower()):
        return TooLarge(f"DynamoDB takes items of 400 KB and keys of 1,024 bytes at most: {message}")
    return ServiceError(f"DynamoDB refused: {code}: {message}")
