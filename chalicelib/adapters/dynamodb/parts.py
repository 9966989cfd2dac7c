"""Blobs: values of any size, each stored as items of at most `PART_BYTES`.

The first part holds the number of parts and is written last, so a blob that can be found is complete. The value under a
key never changes, so writing it twice is harmless.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from chalicelib.adapters.dynamodb import keys
from chalicelib.adapters.dynamodb.items import Item, Table, seconds
from chalicelib.adapters.dynamodb.keys import Key
from chalicelib.model.times import Instant

PART_BYTES: Final = 350_000
"""An item has at most 400 KB including its key (an AWS limit)."""


class Parts:
    def __init__(self, table: Table) -> None:
        self._table = table

    def put(self, values: Mapping[Key, bytes], expires_at: Instant | None = None) -> None:
        """Store each value under its key, until DynamoDB removes it some time after `expires_at`."""
        items = [list(self._items(key, value, expires_at)) for key, value in values.items()]
        self._table.put_all([item for _, *rest in items for item in rest])
        self._table.put_all([first for first, *_ in items])

    def get(self, wanted: Iterable[Key]) -> dict[Key, bytes]:
        """Return the values that exist (consistent reads)."""
        firsts = {keys.part(key, 0): key for key in wanted}
        found = self._table.get_all(firsts, consistent=True)
        positions = {firsts[at]: [keys.part(firsts[at], n) for n in range(item.n or 0)] for at, item in found.items()}
        found.update(self._table.get_all([at for _, *rest in positions.values() for at in rest], consistent=True))
        return {
            key: b"".join(found[at].r or b"" for at in parts)
            for key, parts in positions.items()
            if all(at in found for at in parts)  # one that expired may have lost some already
        }

    def _items(self, key: Key, value: bytes, expires_at: Instant | None) -> Iterator[Item]:
        count = max(1, -(-len(value) // PART_BYTES))
        for number in range(count):
            k, s = keys.part(key, number)
            part = Item(k, s, r=value[number * PART_BYTES : (number + 1) * PART_BYTES], n=None if number else count)
            part.x = None if expires_at is None else seconds(expires_at)
            yield part
