"""Values of any size, each as items of at most PART_BYTES bytes.

The first part says how many there are and is written last, so a value that is there is there whole. A value never
changes under its key: whoever writes it again writes the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from chalicelib.adapters.dynamodb import keys
from chalicelib.adapters.dynamodb.items import Item, Table, seconds
from chalicelib.adapters.dynamodb.keys import Key
from chalicelib.model.times import Instant

PART_BYTES: Final = 350_000
"""Bytes; an item may have 400 KB with its key (an AWS limit)."""


class Parts:
    def __init__(self, table: Table) -> None:
        self._table = table
        self._item = table.item

    def put(self, values: Mapping[Key, bytes], expires_at: Instant | None = None) -> None:
        """The values are there, each under its key, until DynamoDB removes them some time after `expires_at`."""
        items = [list(self._items(key, value, expires_at)) for key, value in values.items()]
        self._table.put_all([item for _, *rest in items for item in rest])
        self._table.put_all([first for first, *_ in items])

    def get(self, wanted: Iterable[Key]) -> dict[Key, bytes]:
        """Those of the values that are there. Consistent."""
        firsts = {keys.part(key, 0): key for key in wanted}
        found = self._table.get_all(firsts, consistent=True)
        places = {firsts[at]: [keys.part(firsts[at], n) for n in range(int(item.n))] for at, item in found.items()}
        found.update(self._table.get_all([at for _, *rest in places.values() for at in rest], consistent=True))
        return {
            key: b"".join(found[at].r for at in parts)
            for key, parts in places.items()
            if all(at in found for at in parts)  # one that expired may have lost some already
        }

    def _items(self, key: Key, value: bytes, expires_at: Instant | None) -> Iterator[Item]:
        count = max(1, -(-len(value) // PART_BYTES))
        for number in range(count):
            k, s = keys.part(key, number)
            part = self._item(
                k, s, r=value[number * PART_BYTES : (number + 1) * PART_BYTES], n=None if number else count
            )
            part.x = None if expires_at is None else seconds(expires_at)
            yield part
