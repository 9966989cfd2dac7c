"""Requests to DynamoDB as the real adapters send them, with the keys that they touch and the units that they use.

Units are those of the Developer Guide ("Capacity unit consumption"): a write of up to 1 KB is one write unit, a
consistent read of up to 4 KB one read unit, half as much if it need not be consistent. An index whose entry for an item
changes is written once for an entry that appears or disappears, and twice for one that moves.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from math import ceil
from typing import Any, Final, TypeAlias

from chalicelib.adapters.dynamodb import tables
from tests.fakes import size_of_item

TABLE: Final = "table"
_KB: Final = 1024

Raw: TypeAlias = dict[str, dict[str, Any]]


@dataclass(frozen=True)
class Access:
    """What a request uses of one partition of the table or an index. Units may be fractions of one."""

    resource: str
    partition: str
    sort: str
    reads: float = 0
    writes: int = 0


@dataclass(frozen=True)
class Request:
    operation: str
    accesses: tuple[Access, ...]

    @property
    def writes(self) -> int:
        """Write units, those of indexes included: they are billed alike."""
        return sum(access.writes for access in self.accesses)

    @property
    def reads(self) -> float:
        return sum(access.reads for access in self.accesses)


@dataclass
class Recorder:
    """Records the requests of a botocore client of DynamoDB. It must see every write from the first on."""

    client: Any
    requests: list[Request] = field(default_factory=list)
    _items: dict[tuple[str, str], Raw] = field(default_factory=dict)
    _asked: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.client.meta.events.register("before-parameter-build.dynamodb", self._ask)
        self.client.meta.events.register("after-call.dynamodb", self._answer)

    @contextmanager
    def recorded(self) -> Iterator[list[Request]]:
        """Provide the requests made within the block."""
        start, found = len(self.requests), list[Request]()
        yield found
        found += self.requests[start:]

    def _ask(self, params: Mapping[str, Any], **_: Any) -> None:
        self._asked = params

    def _answer(self, model: Any, parsed: Mapping[str, Any], **_: Any) -> None:
        accesses = tuple(self._accesses(model.name, self._asked, parsed))
        if accesses:
            self.requests.append(Request(model.name, accesses))

    def _accesses(self, operation: str, asked: Mapping[str, Any], answer: Mapping[str, Any]) -> Iterator[Access]:
        """Yield what the request uses. One of which the condition did not hold is not recorded."""
        if "Error" in answer:
            return
        match operation:
            case "GetItem":
                yield _read(asked["Key"], answer.get("Item"), consistent=asked.get("ConsistentRead", False))
            case "BatchGetItem":
                yield from _batch_read(asked, answer)
            case "Query":
                yield _query(asked, answer)
            case _:
                for put, key, times in _writes(operation, asked):
                    yield from self._put(put, times) if put is not None else self._delete(key)

    def _put(self, item: Raw, times: int = 1) -> Iterator[Access]:
        before = self._items.get(_key(item))
        size = max(size_of_item(item), size_of_item(before) if before else 0)  # the larger one counts
        yield Access(TABLE, *_key(item), writes=times * ceil(size / _KB))
        yield from _moves(before, item)
        self._items[_key(item)] = item

    def _delete(self, key: Raw) -> Iterator[Access]:
        before = self._items.pop(_key(key), None)
        yield Access(TABLE, *_key(key), writes=ceil((size_of_item(before) if before else 1) / _KB))
        yield from _moves(before, None)


def _writes(operation: str, asked: Mapping[str, Any]) -> Iterator[tuple[Raw | None, Raw, int]]:
    """Yield each item that is put, or else the key that is deleted; and how often DynamoDB bills it."""
    match operation:
        case "PutItem":
            yield asked["Item"], {}, 1
        case "DeleteItem":
            yield None, asked["Key"], 1
        case "BatchWriteItem":
            for write in (one for writes in asked["RequestItems"].values() for one in writes):
                yield write.get("PutRequest", {}).get("Item"), write.get("DeleteRequest", {}).get("Key", {}), 1
        case "TransactWriteItems":
            yield from ((one["Put"]["Item"], {}, 2) for one in asked["TransactItems"])


def _key(item: Raw) -> tuple[str, str]:
    return item[tables.HASH]["S"], item[tables.RANGE]["S"]


def _read(key: Raw, item: Any, *, consistent: bool) -> Access:
    units = ceil((size_of_item(item) if item else 1) / (4 * _KB))
    return Access(TABLE, *_key(key), reads=units if consistent else units / 2)


def _batch_read(asked: Mapping[str, Any], answer: Mapping[str, Any]) -> Iterator[Access]:
    for table, wanted in asked["RequestItems"].items():
        found = {_key(item): item for item in answer["Responses"].get(table, ())}
        for key in wanted["Keys"]:
            yield _read(key, found.get(_key(key)), consistent=wanted.get("ConsistentRead", False))


def _query(asked: Mapping[str, Any], answer: Mapping[str, Any]) -> Access:
    size = sum(size_of_item(item) for item in answer["Items"])
    units = ceil(max(size, 1) / (4 * _KB))
    values: Sequence[Any] = [value["S"] for value in asked["ExpressionAttributeValues"].values() if "S" in value]
    partition = values[0]  # PynamoDB numbers them in the order of the expression, which begins with the partition
    return Access(
        asked.get("IndexName", TABLE), partition, "", reads=units if asked.get("ConsistentRead") else units / 2
    )


def _moves(before: Raw | None, after: Raw | None) -> Iterator[Access]:
    """Yield the writes of indexes when an item changes."""
    for index in tables.INDEXES:
        old, new = _entry(index, before), _entry(index, after)
        if old != new:
            yield from (Access(index.name, *entry, writes=1) for entry in (old, new) if entry is not None)


def _entry(index: tables.Index, item: Raw | None) -> tuple[str, str] | None:
    if item is None or index.hash not in item or index.range not in item:
        return None
    return item[index.hash]["S"], next(iter(item[index.range].values()))
