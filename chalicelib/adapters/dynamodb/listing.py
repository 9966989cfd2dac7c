"""Runs newest first, or by change of status, from many partitions of an index.

Every partition is sorted by position (creation time, then name), and a run has the same position in all of them. So
the partitions can be merged, and a cursor is one position. An index lags behind and knows classes of statuses only:
the head is read, and a run that no longer matches is skipped. In the list by change a run has many positions during
its life, and an entry may be an earlier one; again the head decides.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from heapq import merge
from itertools import groupby, islice
from typing import Any, Final

from chalicelib.adapters.dynamodb import keys, tables
from chalicelib.adapters.dynamodb.heads import run_of
from chalicelib.adapters.dynamodb.items import Table, translated
from chalicelib.adapters.store_rules import admits, change_of
from chalicelib.model.run import Run
from chalicelib.model.times import Instant
from chalicelib.service.ports.cursors import Position, cursor_at, position_at
from chalicelib.service.ports.runs import Listing, RunQuery, position_of

_HEADS_AT_ONCE: Final = 100
"""The most items that a BatchGetItem takes (an AWS limit)."""

_ROUNDS: Final = 10
"""The most batches of heads that are read for one page; its cursor continues from there."""


def listing(table: Table, namespace: str, query: RunQuery) -> Listing:
    """Return one page of the runs that match the query."""
    before = position_at(namespace, query.cursor) if query.cursor else None
    with translated():
        positions = _positions(table, namespace, query, before)
        found: list[Run] = []
        for _ in range(_ROUNDS):
            wanted = min(_HEADS_AT_ONCE, query.limit - len(found) + 1)
            some = list(islice(positions, wanted))
            for position, run in _heads(table, namespace, some):
                if position != position_of(run) or not admits(query, run):
                    continue
                if len(found) == query.limit:
                    return Listing(tuple(found), cursor_at(namespace, position_of(found[-1])))
                found.append(run)
            if len(some) < wanted:
                return Listing(tuple(found))
    return Listing(tuple(found), cursor_at(namespace, some[-1]))


def changed(table: Table, namespace: str, since: Instant, limit: int) -> Sequence[Run]:
    """Return the first runs with a status change at `since` or later, ordered by its time."""
    shards = [_changes_in(table, namespace, number, since, limit) for number in range(keys.SHARDS)]
    found: dict[str, Run] = {}
    at_once = min(_HEADS_AT_ONCE, limit + 1)
    with translated():
        positions = merge(*shards)
        while True:
            some = list(islice(positions, at_once))
            found.update((run.name, run) for _, run in _heads(table, namespace, some) if run.status_at >= since)
            runs = sorted(found.values(), key=change_of)
            if len(some) < at_once:
                return runs[:limit]
            runs = [run for run in runs if run.status_at < some[-1][0]]  # others may come before those beyond
            if len(runs) >= limit:
                return runs[:limit]


def _changes_in(table: Table, namespace: str, number: int, since: Instant, limit: int) -> Iterator[Position]:
    for found in table.item.query(
        keys.changed(namespace, number),
        table.item.ca >= since,
        index_name=tables.CHANGED.name,
        page_size=min(_HEADS_AT_ONCE, limit + 1),
    ):
        yield int(found.ca), keys.of_head(found.k)[1]


def _heads(table: Table, namespace: str, positions: Sequence[Position]) -> Iterator[tuple[Position, Run]]:
    """Return, for each position, the current run of that name, if it exists."""
    wanted = {position: keys.head(namespace, position[1]) for position in positions}
    items = table.get_all(wanted.values(), consistent=False)
    return ((position, run_of(items[key])) for position, key in wanted.items() if key in items)


def _positions(table: Table, namespace: str, query: RunQuery, before: Position | None) -> Iterator[Position]:
    """Return the positions below `before` at which the query may find runs, each once."""
    partitions = [_positions_in(table, query, before, *partition) for partition in _partitions(namespace, query)]
    for text, _ in groupby(merge(*partitions, reverse=True)):
        yield keys.of_sort_key(text)


def _partitions(namespace: str, query: RunQuery) -> Iterator[tuple[tables.Index | None, str]]:
    """Return the partitions that hold such runs, each with its index (None: the table itself)."""
    if query.label is not None:
        yield None, keys.label(namespace, *query.label)
        return
    if query.undo_failed:
        for shard in range(keys.SHARDS):
            yield tables.UNDO_FAILED, keys.undo_failed(namespace, shard)
        return
    classes = {keys.CLASS_OF[status] for status in (keys.CLASS_OF if query.statuses is None else query.statuses)}
    for status in sorted(classes):
        for shard in range(keys.SHARDS):
            if query.flow is not None:
                yield tables.BY_FLOW, keys.by_flow(namespace, query.flow, status, shard)
            else:
                yield tables.LISTED, keys.listed(namespace, status, shard)


def _positions_in(
    table: Table, query: RunQuery, before: Position | None, index: tables.Index | None, partition: str
) -> Iterator[str]:
    sort: Any = table.item.c if index else table.item.s
    upper = keys.sort_key(*before) if before else None
    lower = keys.sort_key(query.since or 0)
    if upper is not None and upper < lower:
        return
    for found in table.item.query(
        partition,
        sort.between(lower, upper) if upper else sort >= lower,
        index_name=index.name if index else None,
        scan_index_forward=False,
        page_size=min(_HEADS_AT_ONCE, query.limit + 1),
    ):
        text = found.c if index else found.s
        if text != upper:
            yield text
