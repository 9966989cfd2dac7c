"""Fakes that behave like the real objects, with state that a test can read and set."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from math import ceil
from typing import Any

from chalicelib.adapters.virtual import START as START
from chalicelib.adapters.virtual import VirtualClock
from chalicelib.model.times import Instant

KEY = "a-key-that-seals-secrets-in-tests"


class FakeClock(VirtualClock):
    """A virtual clock that records all sleeps."""

    def __init__(self, start: Instant = START) -> None:
        super().__init__(start)
        self.slept: list[int] = []

    def sleep(self, milliseconds: int) -> None:
        self.slept.append(milliseconds)
        super().sleep(milliseconds)


@dataclass(frozen=True)
class Operation:
    """One call that reached DynamoDB."""

    name: str
    index: str | None = None
    consistent: bool = False
    conditional: bool = False
    bytes_written: int = 0
    """The size of the put items in bytes, as DynamoDB bills it."""

    @property
    def write_units(self) -> int:
        return ceil(self.bytes_written / 1024)


class Counting:
    """Records the requests of a botocore DynamoDB client, including retries, inside a `with` block."""

    def __init__(self, client: Any) -> None:
        self._events = client.meta.events
        self.operations: list[Operation] = []

    def __enter__(self) -> Counting:
        self._events.register("before-parameter-build.dynamodb", self._record)
        return self

    def __exit__(self, *_: object) -> None:
        self._events.unregister("before-parameter-build.dynamodb", self._record)

    @property
    def names(self) -> Counter[str]:
        return Counter(operation.name for operation in self.operations)

    @property
    def write_units(self) -> int:
        return sum(operation.write_units for operation in self.operations)

    def _record(self, params: dict[str, Any], model: Any, **_: Any) -> None:
        self.operations.append(
            Operation(
                name=model.name,
                index=params.get("IndexName"),
                consistent=bool(params.get("ConsistentRead")),
                conditional="ConditionExpression" in params,
                bytes_written=size_of_item(params["Item"]) if "Item" in params else 0,
            )
        )


class Sparing:
    """Makes DynamoDB process only the first `most` items of each batch inside a `with` block."""

    def __init__(self, client: Any, most: int) -> None:
        self._events = client.meta.events
        self._most = most
        self._left: Any = None

    def __enter__(self) -> Sparing:
        for operation in ("BatchGetItem", "BatchWriteItem"):
            self._events.register(f"provide-client-params.dynamodb.{operation}", self._take)
            self._events.register(f"after-call.dynamodb.{operation}", self._give_back)
        if self._most == 0:
            self._events.register_first("before-call.dynamodb", self._do_nothing)
        return self

    def __exit__(self, *_: object) -> None:
        for operation in ("BatchGetItem", "BatchWriteItem"):
            self._events.unregister(f"provide-client-params.dynamodb.{operation}", self._take)
            self._events.unregister(f"after-call.dynamodb.{operation}", self._give_back)
        self._events.unregister("before-call.dynamodb", self._do_nothing)

    def _take(self, params: dict[str, Any], **_: Any) -> dict[str, Any]:
        ((table, request),) = params["RequestItems"].items()
        if isinstance(request, list):
            self._left = {table: request[self._most :]} if request[self._most :] else {}
            return {"RequestItems": {table: request[: self._most]}}
        left = request["Keys"][self._most :]
        self._left = {table: {**request, "Keys": left}} if left else {}
        return {"RequestItems": {table: {**request, "Keys": request["Keys"][: self._most]}}}

    def _give_back(self, parsed: dict[str, Any], model: Any, **_: Any) -> None:
        parsed["UnprocessedKeys" if model.name == "BatchGetItem" else "UnprocessedItems"] = self._left

    def _do_nothing(self, **_: Any) -> tuple[Any, dict[str, Any]]:
        return _Answer(200), {"Responses": {}}


class Throttled:
    """Makes DynamoDB throttle every request inside a `with` block."""

    def __init__(self, client: Any) -> None:
        self._events = client.meta.events
        self.requests = 0

    def __enter__(self) -> Throttled:
        self._events.register_first("before-call.dynamodb", self._refuse)
        return self

    def __exit__(self, *_: object) -> None:
        self._events.unregister("before-call.dynamodb", self._refuse)

    def _refuse(self, **_: Any) -> tuple[Any, dict[str, Any]]:
        self.requests += 1
        return _Answer(400), {"Error": {"Code": "ThrottlingException", "Message": "slow down"}}


@dataclass(frozen=True)
class _Answer:
    """The part of an HTTP response that botocore reads."""

    status_code: int


def size_of_item(item: dict[str, dict[str, Any]]) -> int:
    """Return the bytes of an item without collections, as AWS counts them ("DynamoDB item sizes and formats")."""
    return sum(len(name.encode()) + _size_of(value) for name, value in item.items())


def _size_of(value: dict[str, Any]) -> int:
    match value:
        case {"S": str(text)}:
            return len(text.encode())
        case {"N": str(digits)}:
            return ceil(len(digits) / 2) + 1
        case {"B": bytes(raw)}:
            return len(raw)
        case _:
            return 1
