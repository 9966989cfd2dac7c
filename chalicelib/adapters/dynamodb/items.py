"""Items as PynamoDB models them, the connection to the table, and the translation of DynamoDB's errors."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, ClassVar, Final, Self, cast

from botocore.exceptions import BotoCoreError, ClientError
from pynamodb.attributes import BinaryAttribute, BooleanAttribute, NumberAttribute, UnicodeAttribute
from pynamodb.connection import Connection
from pynamodb.exceptions import DoesNotExist, PynamoDBException
from pynamodb.indexes import GlobalSecondaryIndex, KeysOnlyProjection
from pynamodb.models import Model

from chalicelib.adapters.dynamodb import tables
from chalicelib.adapters.dynamodb.keys import SHARDS, Key
from chalicelib.model.formats import MEMBER, Format
from chalicelib.model.times import Instant
from chalicelib.service.errors import Busy, ServiceError, TooLarge

_MAX_BATCH_GETS: Final = 100
_MAX_BATCH_WRITES: Final = 25
"""The most requests that a batch takes (AWS limits)."""

_FIRST_PAUSE_S: Final = 0.05
"""The longest first pause before the rest of a batch is requested again."""

CONDITION_FAILED: Final = "ConditionalCheckFailed"

_TRANSIENT_CODES: Final = frozenset(
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
"""Error codes after which a retry helps. A transaction that a condition cancelled is handled separately."""


class TimersIndex(GlobalSecondaryIndex["Item"]):  # type: ignore[no-untyped-call]  # an untyped hook
    class Meta:
        index_name = tables.TIMERS.name
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


class ChangedIndex(GlobalSecondaryIndex["Item"]):  # type: ignore[no-untyped-call]  # an untyped hook
    class Meta:
        index_name = tables.CHANGED.name
        projection = KeysOnlyProjection()

    cp = UnicodeAttribute(hash_key=True)
    ca = NumberAttribute(range_key=True)


class UndoFailedIndex(GlobalSecondaryIndex["Item"]):  # type: ignore[no-untyped-call]  # an untyped hook
    class Meta:
        index_name = tables.UNDO_FAILED.name
        projection = KeysOnlyProjection()

    up = UnicodeAttribute(hash_key=True)
    c = UnicodeAttribute(range_key=True)


LAYOUT: Final = Format("DynamoDB item")
"""Which attributes an item has. An upgrade gets and returns the raw attributes of an item, as the low-level API has
them. It must not change keys or attributes of indexes: an entry of an index holds nothing else, not even its format.
"""


class Item(Model):
    """Any item: its key, a body, and what conditions and indexes need. Names are short because they are billed."""

    layout: ClassVar[Format] = LAYOUT

    k = UnicodeAttribute(hash_key=True)
    s = UnicodeAttribute(range_key=True)
    b = UnicodeAttribute(null=True)
    """The value as JSON text."""
    r = BinaryAttribute(null=True, legacy_encoding=False)
    """A part of a blob, or a versioned value."""
    n = NumberAttribute(null=True)
    """In the first part of a blob: the number of parts."""
    v = NumberAttribute(null=True)
    """The version of a head, a newest definition or a versioned value."""
    t = BooleanAttribute(null=True)
    """Set on the tombstone of a deleted definition."""
    u = NumberAttribute(null=True)
    """When a key, a signal or a subscription expires, in milliseconds."""
    x = NumberAttribute(null=True)
    """When DynamoDB may remove the item, in seconds."""
    f = NumberAttribute(null=True)
    """The format of the item's layout; absent: 1."""
    ap = UnicodeAttribute(null=True)
    al = NumberAttribute(null=True)
    lp = UnicodeAttribute(null=True)
    fp = UnicodeAttribute(null=True)
    c = UnicodeAttribute(null=True)
    cp = UnicodeAttribute(null=True)
    ca = NumberAttribute(null=True)
    up = UnicodeAttribute(null=True)

    timers = TimersIndex()
    listed = ListedIndex()
    by_flow = ByFlowIndex()
    changed = ChangedIndex()
    undo_failed = UndoFailedIndex()

    @classmethod
    def from_raw_data(cls, data: dict[str, Any]) -> Self:
        """Return an item in the current layout; the next save stores it so. Raises NewerFormat."""
        written = int(data[MEMBER]["N"]) if MEMBER in data else 1
        return super().from_raw_data(cls.layout.upgrade(data, written))


@dataclass(frozen=True, slots=True, kw_only=True)
class TableLocation:
    """The table's name, region and endpoint, and limits for requests to it.

    `region` None is that of the environment, `endpoint` None that of AWS. Timeouts are in seconds; a failed request is
    repeated up to `retries` times. `shards` is a power of two that never decreases (`keys`).
    """

    table: str = "echoer"
    region: str | None = None
    endpoint: str | None = None
    connect_timeout: float = 2
    read_timeout: float = 5
    retries: int = 3
    connections: int = 25
    shards: int = SHARDS


class Table:
    """A table. It connects at the first request, and threads may share it.

    When DynamoDB processes only a part of a batch, the rest is requested again. The pause before it is drawn from a
    range that grows while nothing is processed; after `location.retries` such responses in a row, Busy is raised.
    `sleep` takes seconds, `draw` returns a random number from 0 to 1.
    """

    def __init__(
        self,
        location: TableLocation,
        sleep: Callable[[float], None] = time.sleep,
        layout: Format = LAYOUT,
        draw: Callable[[], float] = random.random,
    ) -> None:
        self._name = location.table
        self._retries = location.retries
        self.shards = location.shards
        self._sleep = sleep
        self._draw = draw
        meta = {
            "table_name": location.table,
            "region": location.region,
            "host": location.endpoint,
            "connect_timeout_seconds": location.connect_timeout,
            "read_timeout_seconds": location.read_timeout,
            "max_retry_attempts": location.retries,
            "max_pool_connections": location.connections,
        }
        # PynamoDB ties a model class to one table and connection, so every Table has a class of its own.
        members: dict[str, Any] = {"Meta": type("Meta", (), meta), "layout": layout}
        if layout.current > 1:
            members["f"] = NumberAttribute(null=True, default=layout.current)
        self.item = cast(type[Item], type("Item", (Item,), members))

    @property
    def connection(self) -> Connection:
        """The connection that items and transactions use: one client per process."""
        return self.item._get_connection().connection  # PynamoDB has no public name for it

    @property
    def client(self) -> Any:
        """The botocore client."""
        return self.connection.client

    def get(self, key: Key) -> Item | None:
        """Return the item (a consistent read), or None. DynamoDB refuses keys with an empty part, which no item has."""
        if not all(key):
            return None
        with translated():
            try:
                return self.item.get(*key, consistent_read=True)
            except DoesNotExist:
                return None

    def get_all(self, keys: Iterable[Key], *, consistent: bool) -> dict[Key, Item]:
        """Return the items that exist. A key with an empty part is of none."""
        found: dict[Key, Item] = {}

        def read(wanted: list[Any]) -> list[Any]:
            request = {self._name: {"Keys": wanted, "ConsistentRead": consistent}}
            answer = self.client.batch_get_item(RequestItems=request)
            for raw in answer["Responses"].get(self._name, ()):
                item = self.item.from_raw_data(raw)
                found[item.k, item.s] = item
            unprocessed: list[Any] = answer["UnprocessedKeys"].get(self._name, {}).get("Keys", [])
            return unprocessed

        self._in_batches([_raw(key) for key in dict.fromkeys(keys) if all(key)], _MAX_BATCH_GETS, read)
        return found

    def put(self, item: Item) -> None:
        with translated():
            item.save()

    def put_all(self, items: Sequence[Item]) -> None:
        """Write the items, not atomically: after a crash some of them may be written."""
        if len(items) == 1:
            self.put(items[0])
        else:
            self._in_batches(
                [{"PutRequest": {"Item": item.serialize()}} for item in items], _MAX_BATCH_WRITES, self._write
            )

    def remove(self, keys: Iterable[Key]) -> None:
        """Delete the items that exist."""
        self._in_batches(
            [{"DeleteRequest": {"Key": _raw(key)}} for key in dict.fromkeys(keys)], _MAX_BATCH_WRITES, self._write
        )

    def _write(self, wanted: list[Any]) -> list[Any]:
        answer = self.client.batch_write_item(RequestItems={self._name: wanted})
        unprocessed: list[Any] = answer["UnprocessedItems"].get(self._name, [])
        return unprocessed

    def _in_batches(self, requests: list[Any], size: int, send: Callable[[list[Any]], list[Any]]) -> None:
        """Send all requests; `send` returns those that were not processed. Raises Busy."""
        for start in range(0, len(requests), size):
            wanted, failures = requests[start : start + size], 0
            while wanted:
                with translated():
                    unprocessed = send(wanted)
                failures = failures + 1 if len(unprocessed) == len(wanted) else 0
                if failures > self._retries:
                    raise Busy(f"DynamoDB does not process {len(unprocessed)} requests of a batch")
                if unprocessed:
                    self._sleep(self._draw() * _FIRST_PAUSE_S * 2**failures)
                wanted = unprocessed


def _raw(key: Key) -> dict[str, dict[str, str]]:
    return {tables.HASH: {"S": key[0]}, tables.RANGE: {"S": key[1]}}


@contextmanager
def translated(refused: ServiceError | None = None) -> Iterator[None]:
    """Turn PynamoDB's and botocore's errors into the service's. `refused` is raised if a condition did not hold."""
    try:
        yield
    except PynamoDBException as exc:
        # Not exc.cause_response_code: it fails on botocore's read time-outs, which have a `response` that is None.
        if not isinstance(exc.cause, ClientError):
            raise Busy(f"DynamoDB did not answer: {exc}") from exc
        raise _service_error(exc.cause, refused) from exc
    except ClientError as exc:
        raise _service_error(exc, refused) from exc
    except BotoCoreError as exc:
        raise Busy(f"DynamoDB cannot be reached: {exc}") from exc


def _service_error(error: ClientError, refused: ServiceError | None) -> ServiceError:
    code, message = error.response["Error"]["Code"], error.response["Error"].get("Message", "")
    if refused is not None and code == f"{CONDITION_FAILED}Exception":
        return refused
    if code in _TRANSIENT_CODES:
        return Busy(f"DynamoDB: {code}")
    if code == "ValidationException" and ("size" in message.lower() or "exceed" in message.lower()):
        return TooLarge(f"DynamoDB takes items of 400 KB and keys of 1,024 bytes at most: {message}")
    return ServiceError(f"DynamoDB refused: {code}: {message}")


def seconds(at: Instant) -> int:
    """Return the time in seconds, rounded up: the unit of DynamoDB's time to live."""
    return -(-at // 1000)
