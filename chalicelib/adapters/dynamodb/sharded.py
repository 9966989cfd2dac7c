"""Read the shards of a list: the first page of each side by side, if there are many."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import chain
from typing import Final, TypeVar

MAX_IN_TURN: Final = 20
"""How many partitions are read one after the other: as many as a list of runs has with the default number of shards."""

AT_ONCE: Final = 16
"""How many requests are made at a time; a client has 25 connections."""

_T = TypeVar("_T")


def begun(shards: Sequence[Iterator[_T]]) -> list[Iterator[_T]]:
    """Return the iterators, each of which has read its first page if there are more than MAX_IN_TURN."""
    if len(shards) <= MAX_IN_TURN:
        return list(shards)
    with ThreadPoolExecutor(AT_ONCE) as pool:
        return list(pool.map(_begun, shards))


def _begun(shard: Iterator[_T]) -> Iterator[_T]:
    first = next(shard, None)
    return iter(()) if first is None else chain([first], shard)
