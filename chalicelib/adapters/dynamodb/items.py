"""Items as PynamoDB sees them, the connection to the table, and DynamoDB's errors in the service's words."""

from __future__ import annotations

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
from chalicelib.adapters.dynamodb.keys import Key
from chalicelib.model.formats import MEMBER, Format
from chalicelib.model.times import Instant
from chalicelib.service.errors import Busy, ServiceError, TooLarge

_MAX_BATCH_GETS: Final = 100
_MAX_BATCH_WRITES: Final = 25
"""As many as one batch takes (AWS limits)."""

_FIRST_PAUSE_S: Final = 0.05
"""Seconds before the rest of a batch is asked for, at first."""

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
"""Codes after which trying again helps. A transaction cancelled by a condition is told apart before."""


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
    """A part of a value of any size, or what a cell holds."""
    n = NumberAttribute(null=True)
    """On the first of such parts: how many there are."""
    v = NumberAttribute(null=True)
    """The version of a head, a newest definition or a cell."""
    t = BooleanAttribute(null=True)
    """Set on the tombstone of a deleted definition."""
    u = NumberAttribute(null=True)
    """Until when a key, a signal or a subscription counts, in milliseconds."""
    x = NumberAttribute(null=True)
    """When DynamoDB may remove it, in seconds."""
    f = NumberAttribute(null=True)
    """The format of the item's layout; absent: 1."""
    ap = UnicodeAttribute(null=True)
    al = NumberAttribute(null=True)
    lp = UnicodeAttribute(null=True)
    fp = UnicodeAttribute(null=True)
    c = UnicodeAttribute(null=True)
    cp = UnicodeAttribute(null=True)
    ca = NumberAttribute(null=True)

    timers = TimersIndex()
    listed = ListedIndex()
    by_flow = ByFlowIndex()
    changed = ChangedIndex()

    @classmethod
    def from_raw_data(cls, data: dict[str, Any]) -> Self:
        """Return an item in the current layout; the next save stores it so. Raises NewerFormat."""
        written = int(data[MEMBER]["N"]) if MEMBER in data else 1
        return super().from_raw_data(cls.layout.upgrade(data, written))


@dataclass(frozen=True, slots=True, kw_only=True)
class TableLocation:
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
    """The table at a place. Connects at the first request; threads may share it.

    Where DynamoDB leaves a part of a batch undone, the rest is asked for again, after a pause that grows while nothing
    is done at all; after `place.retries` such answers in a row it counts as busy. `sleep` takes seconds.
    """

    def __init__(
        self, place: TableLocation, sleep: Callable[[float], None] = time.sleep, layout: Format = LAYOUT
    ) -> None:
        self._name = place.table
        self._retries = place.retries
        self._sleep = sleep
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
        members: dict[str, Any] = {"Meta": type("Meta", (), meta), "layout": layout}
        if layout.current > 1:
            members["f"] = NumberAttribute(null=True, default=layout.current)
        self.item = cast(type[Item], type("Item", (Item,), members))

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
        found: dict[Key, Item] = {}

        def read(wanted: list[Any]) -> list[Any]:
            request = {self._name: {"Keys": wanted, "ConsistentRead": consistent}}
            answer = self.client.batch_get_item(RequestItems=request)
            for raw in answer["Responses"].get(self._name, ()):
                item = self.item.from_raw_data(raw)
                found[item.k, item.s] = item
            undone: list[Any] = answer["UnprocessedKeys"].get(self._name, {}).get("Keys", [])
            return undone

        self._in_batches([_raw(key) for key in dict.fromkeys(keys)], _MAX_BATCH_GETS, read)
        return found

    def put(self, item: Item) -> None:
        with translated():
            item.save()

    def put_all(self, items: Sequence[Item]) -> None:
        """The items are there. One by one: whoever is interrupted may have written some of them."""
        if len(items) == 1:
            self.put(items[0])
        else:
            self._in_batches(
                [{"PutRequest": {"Item": item.serialize()}} for item in items], _MAX_BATCH_WRITES, self._write
            )

    def remove(self, keys: Iterable[Key]) -> None:
        """None of the items exists."""
        self._in_batches(
            [{"DeleteRequest": {"Key": _raw(key)}} for key in dict.fromkeys(keys)], _MAX_BATCH_WRITES, self._write
        )

    def _write(self, wanted: list[Any]) -> list[Any]:
        answer = self.client.batch_write_item(RequestItems={self._name: wanted})
        undone: list[Any] = answer["UnprocessedItems"].get(self._name, [])
        return undone

    def _in_batches(self, requests: list[Any], size: int, send: Callable[[list[Any]], list[Any]]) -> None:
        """All requests are carried out; `send` says which ones are not yet. Raises Busy."""
        for start in range(0, len(requests), size):
            wanted, fruitless = requests[start : start + size], 0
            while wanted:
                with translated():
                    undone = send(wanted)
                fruitless = fruitless + 1 if len(undone) == len(wanted) else 0
                if fruitless > self._retries:
                    raise Busy(f"DynamoDB leaves {len(undone)} of a batch undone")
                if undone:
                    self._sleep(_FIRST_PAUSE_S * 2**fruitless)
                wanted = undone


def _raw(key: Key) -> dict[str, dict[str, str]]:
    return {tables.HASH: {"S": key[0]}, tables.RANGE: {"S": key[1]}}


@contextmanager
def translated(refused: ServiceError | None = None) -> Iterator[None]:
    """PynamoDB's and botocore's errors in the service's words; `refused` is raised if the condition did not hold."""
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
    """DynamoDB's TTL counts in seconds; never before the moment."""
    return -(-at // 1000)
