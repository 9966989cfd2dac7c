"""Signals and subscriptions in DynamoDB.

A signal lies with those of its name, key and run, so that one query gives all that a wait may take; an index lists it
with those of its namespace. One too large to be read by the dozen lies in parts, and its item stands for it only.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from heapq import merge
from itertools import islice
from typing import Final

import msgspec

from chalicelib.adapters.dynamodb import keys, tables
from chalicelib.adapters.dynamodb.items import Item, Table, seconds, translated
from chalicelib.adapters.dynamodb.parts import Parts
from chalicelib.model.times import Instant
from chalicelib.service.ports.events import Signal, Subscription

_IN_PLACE: Final = 16 * 1024
"""Bytes. A query reads a megabyte at a time (an AWS limit): sixty-four signals of this size, or more."""

_AT_ONCE: Final = 100
_FIRST: Final = 20
"""How many signals are read at a time for a wait, which takes one: it knows the last 16 that its run took."""


class DynamoSignals:
    def __init__(self, table: Table) -> None:
        self._table = table
        self._item = table.item
        self._parts = Parts(table)

    def put(self, namespace: str, signal: Signal) -> None:
        text = msgspec.json.encode(signal)
        k, s = keys.signal(namespace, signal)
        item = self._item(k, s, u=signal.expires_at, x=seconds(signal.expires_at))
        item.lp, item.c = keys.listed_signals(namespace, keys.shard(namespace, signal.id)), s
        if len(text) <= _IN_PLACE:
            item.b = text.decode()
        else:
            self._parts.put({keys.signal_body(namespace, signal.id): text}, signal.expires_at)
        self._table.put(item)

    def stored(
        self, namespace: str, name: str, key: str, run: str, now: Instant, since: Instant = 0
    ) -> Iterator[Signal]:
        found = self._item.query(
            keys.signals(namespace, name, key, run),
            self._item.s >= keys.place(since),
            filter_condition=self._item.u > now,
            consistent_read=True,
            page_size=_FIRST,
        )
        while True:
            with translated():
                items = list(islice(found, _FIRST))
                signals = self._read(namespace, items)
            yield from signals
            if len(items) < _FIRST:
                return

    def list(self, namespace: str, now: Instant, limit: int) -> Sequence[Signal]:
        shards = [self._listed(namespace, number, limit) for number in range(keys.SHARDS)]
        found: list[Signal] = []
        with translated():
            entries = merge(*shards, key=lambda entry: entry[1], reverse=True)
            while some := list(islice(entries, min(_AT_ONCE, limit - len(found)))):
                items = self._table.get_all(some, consistent=False)
                found += self._read(namespace, [items[key] for key in some if key in items and items[key].u > now])
        return found

    def subscribe(self, namespace: str, subscription: Subscription) -> None:
        k, s = keys.subscription(namespace, subscription)
        text = msgspec.json.encode(subscription).decode()
        self._table.put(self._item(k, s, b=text, x=seconds(subscription.until)))

    def unsubscribe(self, namespace: str, subscription: Subscription) -> None:
        k, s = keys.subscription(namespace, subscription)
        with translated():
            self._item(k, s).delete()

    def subscriptions(self, namespace: str, name: str, key: str) -> Sequence[Subscription]:
        with translated():
            found = self._item.query(keys.subscriptions(namespace, name, key), consistent_read=True)
            return [msgspec.json.decode(item.b, type=Subscription) for item in found]

    def _listed(self, namespace: str, number: int, limit: int) -> Iterator[keys.Key]:
        for found in self._item.query(
            keys.listed_signals(namespace, number),
            index_name=tables.LISTED.name,
            scan_index_forward=False,
            page_size=min(_AT_ONCE, limit),
        ):
            yield found.k, found.s

    def _read(self, namespace: str, items: Sequence[Item]) -> Sequence[Signal]:
        """The signals that these items stand for, in this order; one whose body has expired already is left out."""
        places = {item.s: keys.signal_body(namespace, keys.of_place(item.s)[1]) for item in items if item.b is None}
        bodies = self._parts.get(places.values())
        texts = [bodies.get(places[item.s]) if item.b is None else item.b for item in items]
        return [msgspec.json.decode(text, type=Signal) for text in texts if text is not None]
