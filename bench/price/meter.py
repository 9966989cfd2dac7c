"""Counts requests to DynamoDB as it bills them (on-demand mode: "Read and write operations" of its developer guide).

A write takes a unit per KB of the larger of the item before and after, and one per entry of an index that is put or
deleted: an entry whose keys change is both. A consistent read takes a unit per 4 KB, another one half of that. What is
read together by a query is rounded up as a whole. In a transaction a write of an item counts twice.

Not counted is what a container reads every ten seconds, because it is of no run.
"""

from __future__ import annotations

from typing import Any, Final, TypeAlias

from chalicelib.adapters.dynamodb.tables import HASH, INDEXES, RANGE, Index
from chalicelib.service.observability.prices import Requests, read_units, write_units
from tests.fakes import size_of_item

Item: TypeAlias = dict[str, dict[str, Any]]

_SEEN: Final = "echoer-meter"


class Meter:
    """Counts what the requests of a botocore client consume. It knows the items from the writes that it sees."""

    def __init__(self, client: Any, requests: Requests) -> None:
        self.requests = requests
        self._items: dict[tuple[str, str], Item] = {}
        events = client.meta.events
        events.register("before-parameter-build.dynamodb", self._before, unique_id=f"{_SEEN}-before")
        events.register("after-call.dynamodb", self._after, unique_id=f"{_SEEN}-after")

    def _before(self, params: dict[str, Any], context: dict[str, Any], **_: Any) -> None:
        context[_SEEN] = dict(params)

    def _after(self, parsed: dict[str, Any], model: Any, context: dict[str, Any], http_response: Any, **_: Any) -> None:
        params, is_refused = context[_SEEN], http_response.status_code >= 300
        match model.name:
            case "GetItem" | "BatchGetItem" | "Query":
                self._read(params, parsed)
            case "PutItem":
                self._write(_key(params["Item"]), None if is_refused else params["Item"])
            case "DeleteItem":
                self._write(_key(params["Key"]), {})
            case "BatchWriteItem":
                for asked in (one for written in params["RequestItems"].values() for one in written):
                    put = asked.get("PutRequest", {}).get("Item")
                    self._write(_key(put or asked["DeleteRequest"]["Key"]), put or {})
            case "TransactWriteItems":
                for asked in params["TransactItems"]:
                    put = asked["Put"]["Item"]
                    self._write(_key(put), None if is_refused else put, times=2)
            case other:
                raise ValueError(f"requests of the kind {other} are not counted; add what DynamoDB bills for them")

    def _read(self, params: dict[str, Any], parsed: dict[str, Any]) -> None:
        is_consistent = params.get("ConsistentRead", False)
        if "Items" in parsed:
            whole = sum(self._stored_size(item, params.get("IndexName")) for item in parsed["Items"])
            self._count_read(whole, consistent=is_consistent)
        elif "RequestItems" not in params and not _is_by_time(params["Key"]):
            self._count_read(size_of_item(parsed.get("Item", {})), consistent=is_consistent)
        for table, asked in params.get("RequestItems", {}).items():
            found = parsed["Responses"].get(table, [])
            missing: list[Item] = [{}] * (len(asked["Keys"]) - len(found))
            for item in (*found, *missing):
                self._count_read(size_of_item(item), consistent=asked.get("ConsistentRead", False))

    def _count_read(self, size: int, *, consistent: bool) -> None:
        self.requests.read_units += read_units(size) / (1 if consistent else 2)

    def _stored_size(self, item: Item, index: str | None) -> int:
        """Return how many bytes the query read for an item that it returned, of which it may show a part."""
        if index is not None:
            return size_of_item(item)
        return size_of_item(self._items.get(_key(item), item))

    def _write(self, key: tuple[str, str], after: Item | None, times: int = 1) -> None:
        """Count a write. `after` is None if a condition refused it, and empty if it deletes the item."""
        before = self._items.get(key, {})
        self.requests.write_units += times * max(
            write_units(size_of_item(before)), write_units(size_of_item(after or {}))
        )
        if after is None:
            return
        for index in INDEXES:
            old, new = _entry(index, before), _entry(index, after)
            if old != new:
                self.requests.index_writes += bool(old) + bool(new)
        self._items[key] = after


def _is_by_time(key: Item) -> bool:
    """Return whether a container reads the item every ten seconds in which it works, however much that is: the pauses
    and the hooks of the namespace."""
    return key[RANGE] == {"S": "cell"} and key[HASH]["S"].endswith(("#holds", "#hooks"))


def _key(item: Item) -> tuple[str, str]:
    return item[HASH]["S"], item[RANGE]["S"]


def _entry(index: Index, item: Item) -> tuple[Any, ...]:
    """Return the keys of the item's entry in the index; empty if it has none."""
    return (item[index.hash], item[index.range]) if index.hash in item and index.range in item else ()
