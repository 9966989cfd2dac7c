"""Signals and subscriptions in DynamoDB.

Signals of the same name, key and run share a partition, so that one query finds all that a wait may take. An index
lists the signals of a namespace. A large signal is stored as a blob, and its item only refers to it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from heapq import merge
from itertools import islice
from typing import Final

from chalicelib.adapters.dynamodb import keys, tables
from chalicelib.adapters.dynamodb.conditions import C, S, U
from chalicelib.adapters.dynamodb.items import Item, Table, seconds
from chalicelib.adapters.dynamodb.parts import Parts
from chalicelib.adapters.dynamodb.sharded import begun
from chalicelib.model import formats
from chalicelib.model.times import Instant
from chalicelib.service.ports.events import Signal, Subscription

_MAX_INLINE_BYTES: Final = 16 * 1024
"""A query reads a megabyte at a time (an AWS limit): 64 signals of this size."""

_MAX_BATCH_GETS: Final = 100
_SIGNALS_AT_ONCE: Final = 20
"""The number of signals read at a time for a wait, which takes one. The run knows the last 16 that it took."""


class DynamoSignals:
    def __init__(self, table: Table) -> None:
        self._table = table
        self._parts = Parts(table)

    def put(self, namespace: str, signal: Signal) -> None:
        text = formats.SIGNAL.encode(signal)
        k, s = keys.signal(namespace, signal)
        item = Item(k, s, u=signal.expires_at, x=seconds(signal.expires_at))
        item.lp, item.c = keys.listed_signals(namespace, keys.shard(namespace, signal.id, self._table.shards)), s
        if len(text) <= _MAX_INLINE_BYTES:
            item.b = text.decode()
        else:
            self._parts.put({keys.signal_body(namespace, signal.id): text}, signal.expires_at)
        self._table.put(item)

    def stored(
        self, namespace: str, name: str, key: str, run: str, now: Instant, since: Instant = 0
    ) -> Iterator[Signal]:
        found = self._table.query(
            keys.signals(namespace, name, key, run),
            S.at_least(keys.sort_key(since)),
            only=U.above(now),
            consistent=True,
            at_once=_SIGNALS_AT_ONCE,
        )
        while True:
            items = list(islice(found, _SIGNALS_AT_ONCE))
            yield from self._read(namespace, items)
            if len(items) < _SIGNALS_AT_ONCE:
                return

    def list(
        self, namespace: str, now: Instant, limit: int, before: tuple[Instant, str] | None = None
    ) -> Sequence[Signal]:
        shards = [self._listed(namespace, number, limit, before) for number in range(self._table.shards)]
        found: list[Signal] = []
        entries = merge(*begun(shards), key=lambda entry: entry[1], reverse=True)
        while some := list(islice(entries, min(_MAX_BATCH_GETS, limit - len(found)))):
            items = self._table.get_all(some, consistent=False)
            there = [items[key] for key in some if key in items]
            found += self._read(namespace, [item for item in there if item.u is not None and item.u > now])
        return found

    def subscribe(self, namespace: str, subscription: Subscription) -> None:
        k, s = keys.subscription(namespace, subscription)
        text = formats.SUBSCRIPTION.encode(subscription).decode()
        self._table.put(Item(k, s, b=text, x=seconds(subscription.until)))

    def unsubscribe(self, namespace: str, subscription: Subscription) -> None:
        self._table.delete(keys.subscription(namespace, subscription))

    def subscriptions(self, namespace: str, name: str, key: str) -> Sequence[Subscription]:
        found = self._table.query(keys.subscriptions(namespace, name, key), consistent=True)
        return [formats.SUBSCRIPTION.decode(item.text, Subscription) for item in found]

    def _listed(
        self, namespace: str, number: int, limit: int, before: tuple[Instant, str] | None
    ) -> Iterator[keys.Key]:
        for found in self._table.query(
            keys.listed_signals(namespace, number),
            None if before is None else C.below(keys.sort_key(*before)),
            index=tables.LISTED.name,
            downwards=True,
            at_once=min(_MAX_BATCH_GETS, limit),
        ):
            yield found.key

    def _read(self, namespace: str, items: Sequence[Item]) -> Sequence[Signal]:
        """Return the signals of these items, in order, without those of which the blob has expired."""
        positions = {
            item.s: keys.signal_body(namespace, keys.of_sort_key(item.s)[1]) for item in items if item.b is None
        }
        bodies = self._parts.get(positions.values())
        texts = [bodies.get(positions[item.s]) if item.b is None else item.b for item in items]
        return [formats.SIGNAL.decode(text, Signal) for text in texts if text is not None]
