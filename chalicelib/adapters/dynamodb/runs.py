"""Runs in DynamoDB: a head is one item, and every save one conditional write of it.

The run's other items (its own flow, labels, history pages, blobs) are written first, under keys that make writing them
twice harmless; they take effect with the write of the head. If that write is refused, they are deleted again.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from heapq import merge
from itertools import islice
from typing import Final

from chalicelib.adapters.dynamodb import keys, tables
from chalicelib.adapters.dynamodb.conditions import AL, B, Condition, K, S, V
from chalicelib.adapters.dynamodb.heads import beginning, page_of, put_head, put_page, run_of
from chalicelib.adapters.dynamodb.items import Item, Table
from chalicelib.adapters.dynamodb.keys import Key
from chalicelib.adapters.dynamodb.listing import changed, count, listing
from chalicelib.adapters.dynamodb.parts import Parts
from chalicelib.adapters.dynamodb.sharded import begun
from chalicelib.adapters.store_rules import conflict_error
from chalicelib.model.flow import Flow
from chalicelib.model.history import Page
from chalicelib.model.json_values import decode as decode_value
from chalicelib.model.json_values import encode as encode_value
from chalicelib.model.run import Run
from chalicelib.model.times import Instant
from chalicelib.service.errors import Conflict, NotFound, RunExists
from chalicelib.service.ports.runs import Counts, DueTimer, Listing, NewRun, RunQuery, position_of
from chalicelib.service.runs.matching import flow_of, labels_of, timer_of, undo_failed

_PAGES_AT_ONCE: Final = 32


class DynamoRuns:
    def __init__(self, table: Table) -> None:
        self._table = table
        self._values = Parts(table)

    def together(self) -> AbstractContextManager[None]:
        return nullcontext()

    def create(self, new: NewRun) -> None:
        self.write_blobs(new)
        try:
            self._table.put(self.head_of(new.run, new.body), K.is_absent(), RunExists(new.run.name))
        except RunExists:
            self.take_back_blobs(new)
            raise

    def load(self, namespace: str, name: str) -> Run | None:
        found = self._table.get(keys.head(namespace, name))
        return run_of(found) if found else None

    def own_flow(self, run: Run) -> Flow:
        found = self._table.get(keys.own_flow(run.namespace, run.id))
        if found is None:
            raise NotFound("flow of flow_run", run.name)
        return decode_value(found.text, Flow)

    def put_page(self, run: Run, page: Page) -> None:
        k, s = keys.page(run.namespace, run.id, page.last)
        item = Item(k, s)
        put_page(item, page)
        self._table.put(item)

    def pages(self, run: Run, after: int) -> Iterator[Page]:
        for found in self._table.query(
            keys.parts(run.namespace, run.id),
            S.between(*keys.pages_above(after)),
            consistent=True,
            at_once=_PAGES_AT_ONCE,
        ):
            yield page_of(found)

    def page_numbers(self, run: Run, limit: int) -> Sequence[int]:
        found = self._table.query(
            keys.parts(run.namespace, run.id),
            S.between(*keys.pages_above(0)),
            keys_only=True,
            at_once=limit,
        )
        return [keys.of_page(item.s) for item in islice(found, limit)]

    def put_blobs(self, run: Run, values: Mapping[str, bytes]) -> None:
        self._values.put({_blob_key(run, key): value for key, value in values.items()})

    def blobs(self, run: Run, keys: Iterable[str]) -> dict[str, bytes]:
        wanted = {_blob_key(run, key): key for key in keys}
        return {wanted[place]: value for place, value in self._values.get(wanted).items()}

    def save(self, run: Run, seen: int, body: bytes = b"") -> None:
        self._table.put(self.head_of(run, body), self._is_still(run, seen), conflict_error(run))

    def save_relabeled(self, run: Run, before: Run, body: bytes = b"") -> None:
        old, new = set(self._labels(before)), set(self._labels(run))
        self._table.put_all([Item(*place) for place in sorted(new - old)])
        try:
            self.save(run, before.version, body)
        except Conflict:
            there = self.load(run.namespace, run.name)
            self._table.remove(sorted(new - (set(self._labels(there)) if there else set())))
            raise
        self._table.remove(sorted(set(self._label_homes(before)) - new))

    def delete(self, run: Run) -> None:
        found = self._table.get(keys.head(run.namespace, run.name))
        if found is None:
            return
        there = run_of(found)
        if (there.id, there.version) != (run.id, run.version):
            raise conflict_error(run)
        self._table.remove([*self._parts(run), *self._label_homes(run)])
        self._table.delete(found.key, self._is_still(run, run.version), conflict_error(run))

    def list(self, namespace: str, query: RunQuery) -> Listing:
        return listing(self._table, namespace, query)

    def count(self, namespace: str, query: RunQuery, most: int) -> Counts:
        return count(self._table, namespace, query, most)

    def changed(self, namespace: str, since: Instant, limit: int) -> Sequence[Run]:
        return changed(self._table, namespace, since, limit)

    def due(self, until: Instant, limit: int, since: Instant = 0) -> Sequence[DueTimer]:
        if since > until:
            return []
        shards = [self._due_in(number, until, limit, since) for number in range(self._table.shards)]
        return list(islice(merge(*begun(shards), key=lambda timer: timer.at), limit))

    def _due_in(self, number: int, until: Instant, limit: int, since: Instant) -> Iterator[DueTimer]:
        for found in self._table.query(
            keys.timers(number),
            AL.between(since, until),
            index=tables.TIMERS.name,
            at_once=limit,
        ):
            yield DueTimer(*keys.of_head(found.k), found.at)

    def head_of(self, run: Run, body: bytes = b"") -> Item:
        """Return the head as an item. `body` is `encode(run)` if known."""
        k, s = keys.head(run.namespace, run.name)
        shard = keys.shard(run.namespace, run.name, self._table.shards)
        status = keys.CLASS_OF[run.status]
        item = Item(k, s, v=run.version)
        put_head(item, run, body)
        item.c = keys.sort_key(*position_of(run))
        item.lp = keys.listed(run.namespace, status, shard)
        item.fp = keys.by_flow(run.namespace, flow_of(run), status, shard)
        item.cp, item.ca = keys.changed(run.namespace, shard), run.status_at
        if undo_failed(run):
            item.up = keys.undo_failed(run.namespace, shard)
        if (timer := timer_of(run)) is not None:
            item.ap, item.al = keys.timers(shard), timer
        return item

    def _is_still(self, run: Run, version: int) -> Condition:
        """Return the condition that the head has that version and is of this run.

        The version alone is not enough: a run that was deleted and started again counts from 1. The body of a head
        begins with the run's id, so the id needs no attribute of its own.
        """
        return V.equals(version) & B.begins_with(beginning(run))

    def write_blobs(self, new: NewRun) -> None:
        """Write the other items of a new run. They take effect once the head is written."""
        if new.own is not None:
            k, s = keys.own_flow(new.run.namespace, new.run.id)
            self._table.put(Item(k, s, b=encode_value(new.own).decode()))
        for place in self._labels(new.run):
            self._table.put(Item(*place))

    def take_back_blobs(self, new: NewRun) -> None:
        """Delete the items of a run whose head was refused, except those that the existing run shares."""
        there = self.load(new.run.namespace, new.run.name)
        if there is not None and there.id == new.run.id:
            return
        labels = self._labels(new.run) if there is None or position_of(there) != position_of(new.run) else []
        self._table.remove([*self._parts(new.run), *labels])

    def _parts(self, run: Run) -> Sequence[Key]:
        """Return the keys of all items of the run except its head and labels."""
        found = self._table.query(keys.parts(run.namespace, run.id), consistent=True, keys_only=True)
        return [item.key for item in found]

    def _labels(self, run: Run) -> Sequence[Key]:
        """Return the keys of the items by which the run is found by its labels."""
        return self._labels_in(run, keys.label_shards(self._table.shards))

    def _label_homes(self, run: Run) -> Sequence[Key]:
        """Return these keys, and those that the items have if they were written when the table had fewer shards."""
        numbers = keys.label_shards_before(self._table.shards)
        return list(dict.fromkeys(key for number in numbers for key in self._labels_in(run, number)))

    def _labels_in(self, run: Run, shards: int) -> Sequence[Key]:
        place, number = keys.sort_key(*position_of(run)), keys.shard(run.namespace, run.name, shards)
        return [(keys.label(run.namespace, *label, number), place) for label in labels_of(run).items()]


def _blob_key(run: Run, key: str) -> Key:
    return keys.blobs(run.namespace, run.id, key)
