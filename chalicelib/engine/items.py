"""Items of an `each`: where they are stored."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from chalicelib.model.json_values import Json

CHUNK: Final = 100
"""How many items lie together."""


def each_item(memo: Json, index: int, read: Callable[[str], Json]) -> Json:
    """The item of an `each` whose wait remembers `memo`."""
    return read(item_key(memo["id"], index // CHUNK))[index % CHUNK]


def item_key(each: str, chunk: int) -> str:
    """Where a chunk of an each's items lies beside the head."""
    return f"{each}/items/{chunk}"
