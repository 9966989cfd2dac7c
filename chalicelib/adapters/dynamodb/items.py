"""Items, the table that holds them, and the translation of DynamoDB's errors.

Requests go through PynamoDB's `Connection`, and items are plain: PynamoDB's models took a tenth of the CPU of a step
and of a cold start (`bench/README.md`).
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from threading import Lock
from typing import Any, ClassVar, Final

import msgspec
from botocore.exceptions import BotoCoreError, ClientError
from pynamodb.connection.base import Connection

from chalicelib.adapters.aws_clients.clients import Clients
from chalicelib.adapters.dynamodb import tables
from chalicelib.adapters.dynamodb.conditions import Attribute, Condition, Raw, in_request
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

_PARTITION_OF: Final[dict[str | None, Attribute]] = {
    None: Attribute(tables.HASH, "S"),
    **{index.name: Attribute(index.hash, "S") for index in tables.INDEXES},
}
"""The partition key of each index; None: of the table."""

LAYOUT: Final = Format("DynamoDB item")
"""Which attributes an item has. An upgrade gets and returns the raw attributes of an item, as the low-level API has
them. It must not change keys or attributes of indexes: an entry of an index holds nothing else, not even its format.
The number of the layout is the attribute `f`; absent: 1.
"""


class Item(msgspec.Struct):
    """Any item: its key, a body, and what conditions and indexes need. Names are short because they are billed."""

    k: str
    s: str
    b: str | None = None
    """The value as JSON text."""
    r: bytes | None = None
    """A part of a blob, a versioned value, or the compressed body of a head or a page."""
    n: int | None = None
    """In the first part of a blob: the number of parts."""
    v: int | None = None
    """The version of a head, a newest definition or a versioned value."""
    t: bool | None = None
    """Set on the tombstone of a deleted definition."""
    u: int | None = None
    """When a key, a signal or a subscription expires, in milliseconds."""
    x: int | None = None
    """When DynamoDB may remove the item, in seconds."""
    ap: str | None = None
    al: int | None = None
    lp: str | None = None
    fp: str | None = None
    c: str | None = None
    cp: str | None = None
    ca: int | None = None
    up: str | None = None

    kinds: ClassVar[dict[str, str]]
    """The type of each attribute: `S`, `B`, `N` or `BOOL`."""

    @property
    def key(self) -> Key:
        return self.k, self.s

    @property
    def text(self) -> str:
        """The body. Every item has one that is asked for it."""
        return self.b or ""

    @property
    def version(self) -> int:
        """The version. Every item has one that is asked for it."""
        return self.v or 0

    @property
    def at(self) -> Instant:
        """The sort key of an entry in an index by time."""
        return (self.ca if self.al is None else self.al) or 0

    def raw(self, layout: Format) -> Raw:
        """Return the attributes as requests have them."""
        found: Raw = {}
        for name, kind in _KINDS:
            value = getattr(self, name)
            if value is not None:
                found[name] = {kind: str(value) if kind == "N" else value}
        if layout.current > 1:
            found[MEMBER] = {"N": str(layout.current)}
        return found

    @classmethod
    def of(cls, raw: Raw, layout: Format) -> Item:
        """Return an item in the current layout; the next save stores it so. Raises NewerFormat."""
        written = int(raw[MEMBER]["N"]) if MEMBER in raw else 1
        made = cls("", "")
        for name, value in layout.upgrade(raw, written).items():
            kind = cls.kinds.get(name)
            if kind is not None:
                setattr(made, name, int(value[kind]) if kind == "N" else value[kind])
        return made


Item.kinds = {
    **dict.fromkeys(("k", "s", "b", "ap", "lp", "fp", "c", "cp", "up"), "S"),
    **dict.fromkeys(("n", "v", "u", "x", "al", "ca"), "N"),
    "r": "B",
    "t": "BOOL",
}
_KINDS: Final = tuple(Item.kinds.items())


class TableLocation(msgspec.Struct, frozen=True, kw_only=True):
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


class _Connection(Connection):
    """PynamoDB's connection, with a client that is made for it at the first request."""

    def __init__(self, location: TableLocation, clients: Clients) -> None:
        super().__init__(region=location.region, host=location.endpoint)
        self._location = location
        self._clients = clients
        self._connecting = Lock()
        self._made: Any = None

    @property
    def client(self) -> Any:
        if self._made is None:
            with self._connecting:
                location = self._location
                self._made = self._made or self._clients.connect(
                    "dynamodb",
                    location.region,
                    location.endpoint,
                    connect_timeout=location.connect_timeout,
                    read_timeout=location.read_timeout,
                    attempts=1 + location.retries,
                    connections=location.connections,
                )
        return self._made


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
        clients: Clients | None = None,
    ) -> None:
        self.name = location.table
        self.connection = _Connection(location, clients or Clients())
        self._layout = layout
        self._retries = location.retries
        self.shards = location.shards
        self._sleep = sleep
        self._draw = draw

    @property
    def client(self) -> Any:
        """The botocore client."""
        return self.connection.client

    # ── one item ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def get(self, key: Key) -> Item | None:
        """Return the item (a consistent read), or None. DynamoDB refuses keys with an empty part, which no item has."""
        if not all(key):
            return None
        with translated():
            found = self._request("GetItem", TableName=self.name, Key=_raw(key), ConsistentRead=True).get("Item")
        return None if found is None else Item.of(found, self._layout)

    def put(self, item: Item, condition: Condition | None = None, refused: ServiceError | None = None) -> None:
        """Write the item. Raises `refused` if the condition does not hold."""
        with translated(refused):
            self._request("PutItem", **self.put_request(item, condition))

    def put_request(self, item: Item, condition: Condition | None) -> dict[str, Any]:
        """Return the parameters of a PutItem, or of a Put in a transaction."""
        expression = in_request(ConditionExpression=condition) if condition else {}
        return {"TableName": self.name, "Item": item.raw(self._layout), **expression}

    def put_together(self, requests: Sequence[dict[str, Any]]) -> None:
        """Write what `put_request` returned in one transaction. Raises PynamoDB's error, which has the reasons."""
        self._request("TransactWriteItems", TransactItems=[{"Put": request} for request in requests])

    def delete(self, key: Key, condition: Condition | None = None, refused: ServiceError | None = None) -> None:
        """Delete the item if it exists. Raises `refused` if the condition does not hold."""
        expression = in_request(ConditionExpression=condition) if condition else {}
        with translated(refused):
            self._request("DeleteItem", TableName=self.name, Key=_raw(key), **expression)

    # ── many items ───────────────────────────────────────────────────────────────────────────────────────────────────

    def query(
        self,
        partition: str,
        sort: Condition | None = None,
        *,
        index: str | None = None,
        only: Condition | None = None,
        downwards: bool = False,
        consistent: bool = False,
        at_once: int | None = None,
        keys_only: bool = False,
    ) -> Iterator[Item]:
        """Yield the items of a partition of the table or of an index, in the order of their sort keys.

        `sort` restricts the sort key, and `only` what is returned of the items that are read. A request reads `at_once`
        items, or a megabyte.
        """
        first = _PARTITION_OF[index].equals(partition)
        request = {
            "TableName": self.name,
            **in_request(KeyConditionExpression=first & sort if sort else first, FilterExpression=only),
        }
        request.update({"IndexName": index} if index else {})
        request.update({"ScanIndexForward": False} if downwards else {})
        request.update({"ConsistentRead": True} if consistent else {})
        request.update({"Limit": at_once} if at_once else {})
        if keys_only:
            request["ProjectionExpression"] = f"#{tables.HASH}, #{tables.RANGE}"
            request["ExpressionAttributeNames"] |= {f"#{name}": name for name in (tables.HASH, tables.RANGE)}
        while True:
            with translated():
                answer = self._request("Query", **request)
            yield from (Item.of(found, self._layout) for found in answer["Items"])
            if not answer.get("LastEvaluatedKey"):
                return
            request["ExclusiveStartKey"] = answer["LastEvaluatedKey"]

    def get_all(self, keys: Iterable[Key], *, consistent: bool) -> dict[Key, Item]:
        """Return the items that exist. A key with an empty part is of none."""
        found: dict[Key, Item] = {}

        def read(wanted: list[Any]) -> list[Any]:
            request = {self.name: {"Keys": wanted, "ConsistentRead": consistent}}
            answer = self._request("BatchGetItem", RequestItems=request)
            for raw in answer["Responses"].get(self.name, ()):
                item = Item.of(raw, self._layout)
                found[item.key] = item
            unprocessed: list[Any] = answer["UnprocessedKeys"].get(self.name, {}).get("Keys", [])
            return unprocessed

        self._in_batches([_raw(key) for key in dict.fromkeys(keys) if all(key)], _MAX_BATCH_GETS, read)
        return found

    def put_all(self, items: Sequence[Item]) -> None:
        """Write the items, not atomically: after a crash some of them may be written."""
        if len(items) == 1:
            self.put(items[0])
        else:
            puts = [{"PutRequest": {"Item": item.raw(self._layout)}} for item in items]
            self._in_batches(puts, _MAX_BATCH_WRITES, self._write)

    def remove(self, keys: Iterable[Key]) -> None:
        """Delete the items that exist."""
        self._in_batches(
            [{"DeleteRequest": {"Key": _raw(key)}} for key in dict.fromkeys(keys)], _MAX_BATCH_WRITES, self._write
        )

    def _write(self, wanted: list[Any]) -> list[Any]:
        answer = self._request("BatchWriteItem", RequestItems={self.name: wanted})
        unprocessed: list[Any] = answer["UnprocessedItems"].get(self.name, [])
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

    def _request(self, operation: str, **parameters: Any) -> Any:
        return self.connection.dispatch(operation, {**parameters, "ReturnConsumedCapacity": "NONE"})


def _raw(key: Key) -> Raw:
    return {tables.HASH: {"S": key[0]}, tables.RANGE: {"S": key[1]}}


@contextmanager
def translated(refused: ServiceError | None = None) -> Iterator[None]:
    """Turn botocore's errors into the service's. `refused` is raised if a condition did not hold."""
    try:
        yield
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
