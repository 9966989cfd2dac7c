"""Fakes: things that answer as the real ones do, as values that a test can read and set."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from hashlib import sha256
from math import ceil
from typing import Any

from chalicelib.engine.run import Instant

START: Instant = 1_800_000_000_000


@dataclass
class FakeClock:
    """A clock that stands still until a test moves it; sleeping moves it."""

    time: Instant = START
    slept: list[int] = field(default_factory=list)

    def now(self) -> Instant:
        return self.time

    def sleep(self, milliseconds: int) -> None:
        self.slept.append(milliseconds)
        self.advance(milliseconds)

    def advance(self, milliseconds: int) -> None:
        self.time += milliseconds


@dataclass
class FakeChance:
    """Nonces that look random and are the same in every test run; another `seed` gives others."""

    seed: str = ""
    given: int = 0

    def nonce(self) -> str:
        self.given += 1
        return sha256(f"{self.seed}/{self.given}".encode()).hexdigest()[:32]


@dataclass(frozen=True)
class Operation:
    """One call that reached DynamoDB."""

    name: str
    index: str | None = None
    consistent: bool = False
    conditional: bool = False
    bytes_written: int = 0
    """The size of the items that it puts, as DynamoDB counts it for billing."""

    @property
    def write_units(self) -> int:
        return ceil(self.bytes_written / 1024)


class Counting:
    """Records what a botocore DynamoDB client sends, retries included, while a `with` block runs."""

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


def size_of_item(item: dict[str, dict[str, Any]]) -> int:
    """Bytes of an item of strings, numbers and binaries, as AWS counts them ("DynamoDB item sizes and formats")."""
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
