"""Runs newest first, or by change of status, from many partitions of an index.

Every partition is sorted by position (creation time, then name), and a run has the same position in all of them. So
the partitions can be merged, and a cursor is one position. An index lags behind and knows classes of statuses only:
the head is read, and a run that no longer matches is skipped. In the list by change a run has many positions during
its life, and an entry may be an earlier one; again the head decides.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from heapq import merge
from itertools import groupby, islice
from typing import Final

from msgspec.structs import replace

from chalicelib.adapters.dynamodb import keys, tables
from chalicelib.adapters.dynamodb.conditions import AL, CA, C, S
from chalicelib.adapters.dynamodb.heads import run_of, sized_run_of
from chalicelib.adapters.dynamodb.items import Table
from chalicelib.adapters.dynamodb.keys import StatusClass
from chalicelib.adapters.dynamodb.sharded import begun
from chalicelib.adapters.store_rules import change_of
from chalicelib.engine.steps.call import child_prefixes
from chalicelib.model.run import Run
from chalicelib.model.status import Status
from chalicelib.model.times import Instant
from chalicelib.service.ports.cursors import Position, cursor_at, position_at
from chalicelib.service.ports.runs import MAX_LISTED_BYTES, Counts, Listing, RunQuery, position_in
from chalicelib.service.runs.matching import admits

_HEADS_AT_ONCE: Final = 100
"""The most items that a BatchGetItem takes (an AWS limit)."""

_ROUNDS: Final = 10
"""The most batches of heads that are read for one page; its cursor continues from there."""

_MAX_KEYS: Final = 10_000
"""The most index entries that are read for one page: some filters need no more than the name of a run."""

_KEYS_AT_ONCE: Final = 1_000
"""The most index entries that one request for them returns."""

_FAILED: Final = frozenset({StatusClass.FAILED, StatusClass.CANCELED})


def listing(table: Table, namespace: str, query: RunQuery) -> Listing:
    """Return one page of the runs that match the query."""
    after = position_at(namespace, query.cursor) if query.cursor else None
    positions = _Positions(table, namespace, query, after)
    found: list[Run] = []
    room = MAX_LISTED_BYTES
    for _ in range(_ROUNDS):
        wanted = min(_HEADS_AT_ONCE, query.limit - len(found) + 1)
        some = positions.take(wanted)
        for position, run, size in _heads(table, namespace, some):
            if position != position_in(query, run) or not admits(query, run):
                continue
            if len(found) == query.limit or (room < size and found):
                return Listing(tuple(found), cursor_at(namespace, position_in(query, found[-1])))
            room -= size
            found.append(run)
        if positions.are_all_read:
            return Listing(tuple(found))
        if len(some) < wanted:
            break
    return Listing(tuple(found), cursor_at(namespace, positions.last))


def count(table: Table, namespace: str, query: RunQuery, most: int) -> Counts:
    """Count the runs that match by status. Runs of which the index knows the status are counted by its entries.

    At most `most` entries are counted, and at most _ROUNDS batches of heads read.
    """
    found: Counter[Status] = Counter()
    more = False
    for status_class in _classes(query):
        part = replace(
            query, limit=_KEYS_AT_ONCE, statuses=keys.STATUSES_OF[status_class] & (query.statuses or frozenset(Status))
        )
        counted = _count_entries if _is_known_by_index(part, status_class) else _count_heads
        numbers, is_cut = counted(table, namespace, part, most)
        found.update(numbers)
        more = more or is_cut
    return Counts(found, more)


def _is_known_by_index(query: RunQuery, status_class: StatusClass) -> bool:
    """Return whether every entry that the query reads in the index is of a run that matches, with a known status."""
    is_plain = not query.labels and not query.undo_failed and query.version is None and query.error is None
    return is_plain and query.parent is None and query.due_before is None and len(keys.STATUSES_OF[status_class]) == 1


def _count_entries(table: Table, namespace: str, query: RunQuery, most: int) -> tuple[Mapping[Status, int], bool]:
    read = len(_Positions(table, namespace, query, None).take(most + 1))
    return dict.fromkeys(query.statuses or () if read else (), min(read, most)), read > most


def _count_heads(table: Table, namespace: str, query: RunQuery, most: int) -> tuple[Mapping[Status, int], bool]:
    positions = _Positions(table, namespace, query, None)
    found: Counter[Status] = Counter()
    for _ in range(_ROUNDS):
        some = positions.take(_HEADS_AT_ONCE)
        found.update(
            run.status
            for position, run, _ in _heads(table, namespace, some)
            if position == position_in(query, run) and admits(query, run)
        )
        if positions.are_all_read or found.total() > most:
            break
    return found, not positions.are_all_read


def changed(table: Table, namespace: str, since: Instant, limit: int) -> Sequence[Run]:
    """Return the first runs with a status change at `since` or later, ordered by its time."""
    shards = [_changes_in(table, namespace, number, since, limit) for number in range(table.shards)]
    found: dict[str, Run] = {}
    at_once = min(_HEADS_AT_ONCE, limit + 1)
    positions = merge(*begun(shards))
    while True:
        some = list(islice(positions, at_once))
        found.update((run.name, run) for _, run, _ in _heads(table, namespace, some) if run.status_at >= since)
        runs = sorted(found.values(), key=change_of)
        if len(some) < at_once:
            return runs[:limit]
        runs = [run for run in runs if run.status_at < some[-1][0]]  # others may come before those beyond
        if len(runs) >= limit:
            return runs[:limit]


def _changes_in(table: Table, namespace: str, number: int, since: Instant, limit: int) -> Iterator[Position]:
    for found in table.query(
        keys.changed(namespace, number),
        CA.at_least(since),
        index=tables.CHANGED.name,
        at_once=min(_HEADS_AT_ONCE, limit + 1),
    ):
        yield found.at, keys.of_head(found.k)[1]


def _heads(table: Table, namespace: str, positions: Sequence[Position]) -> Iterator[tuple[Position, Run, int]]:
    """Return, for each position, the current run of that name, if it exists, and the length of its head as JSON."""
    wanted = {position: keys.head(namespace, position[1]) for position in positions}
    items = table.get_all(wanted.values(), consistent=False)
    return ((at, *sized_run_of(items[key])) for at, key in wanted.items() if key in items)


class _Positions:
    """The positions at which a query may find runs, each once, in the order of the list.

    `last` is the last position that was read, and `are_all_read` says whether it was the last there is.
    """

    def __init__(self, table: Table, namespace: str, query: RunQuery, after: Position | None) -> None:
        self._left = _MAX_KEYS
        self._prefixes = () if query.parent is None else child_prefixes(query.parent)
        self._name_prefix = query.name_prefix
        self._positions = _positions(table, namespace, query, after)
        self.last = after or (0, "")
        self.are_all_read = False

    def take(self, count: int) -> list[Position]:
        """Return the next positions: fewer than `count` at the end, or where too many entries were passed over."""
        found: list[Position] = []
        while len(found) < count and self._left:
            position = next(self._positions, None)
            if position is None:
                self.are_all_read = True
                break
            self._left -= 1
            self.last = position
            name = position[1]
            if name.startswith(self._name_prefix) and (not self._prefixes or name.startswith(self._prefixes)):
                found.append(position)
        return found


def _positions(table: Table, namespace: str, query: RunQuery, after: Position | None) -> Iterator[Position]:
    if query.due_before is not None:
        shards = [_timers_in(table, namespace, query, query.due_before, n, after) for n in range(table.shards)]
        yield from merge(*begun(shards))
        return
    query = _since_parent(table, namespace, query)
    sources = [_labelled(table, namespace, query, after, *label) for label in query.labels]
    partitions = [
        _positions_in(table, query, after, *partition) for partition in _partitions(namespace, query, table.shards)
    ]
    if partitions or not sources:
        sources.insert(0, _distinct(partitions))
    for text in _common(sources):
        yield keys.of_sort_key(text)


def _labelled(
    table: Table, namespace: str, query: RunQuery, after: Position | None, name: str, value: str
) -> Iterator[str]:
    """Yield the positions of the runs with the label, the greatest first."""
    shards = [keys.label(namespace, name, value, number) for number in range(keys.label_shards(table.shards))]
    return _distinct([_positions_in(table, query, after, None, partition) for partition in shards])


def _distinct(partitions: Sequence[Iterator[str]]) -> Iterator[str]:
    """Yield what the sorted partitions hold, each once, the greatest first."""
    return (text for text, _ in groupby(merge(*begun(partitions), reverse=True)))


def _common(sorted_texts: Sequence[Iterator[str]]) -> Iterator[str]:
    """Yield what all of them hold, the greatest first. Each is sorted like that."""
    first, *others = sorted_texts
    heads = [next(other, None) for other in others]
    for text in first:
        for number, other in enumerate(others):
            while (head := heads[number]) is not None and head > text:
                heads[number] = next(other, None)
        if None in heads:
            return
        if all(head == text for head in heads):
            yield text


def _since_parent(table: Table, namespace: str, query: RunQuery) -> RunQuery:
    """Return the query of a parent's children without the runs that are older than the parent."""
    parent = None if query.parent is None else table.get_all([keys.head(namespace, query.parent)], consistent=False)
    if not parent:
        return query
    return replace(query, since=max(query.since or 0, *(run_of(head).created_at for head in parent.values())))


def _classes(query: RunQuery) -> list[StatusClass]:
    """Return the classes of the runs that the query may find."""
    classes = {keys.CLASS_OF[status] for status in (keys.CLASS_OF if query.statuses is None else query.statuses)}
    return sorted(classes if query.error is None else classes & _FAILED)


def _partitions(namespace: str, query: RunQuery, shards: int) -> Iterator[tuple[tables.Index, str]]:
    """Return the partitions of an index that hold such runs. Runs with a label are found by their labels alone."""
    if query.undo_failed:
        for shard in range(shards):
            yield tables.UNDO_FAILED, keys.undo_failed(namespace, shard)
        return
    if query.labels:
        return
    for status in _classes(query):
        for shard in range(shards):
            if query.flow is not None:
                yield tables.BY_FLOW, keys.by_flow(namespace, query.flow, status, shard)
            else:
                yield tables.LISTED, keys.listed(namespace, status, shard)


def _positions_in(
    table: Table, query: RunQuery, before: Position | None, index: tables.Index | None, partition: str
) -> Iterator[str]:
    """Yield the sort keys below `before` in a partition of an index (None: of the table), the greatest first."""
    sort = C if index else S
    lower, upper = keys.sort_key(query.since or 0), keys.sort_key(*before) if before else None
    newest = None if query.until is None else keys.sort_key(query.until + 1)
    bounds = [bound for bound in (upper, newest) if bound is not None]
    if bounds and min(bounds) < lower:
        return
    for found in table.query(
        partition,
        sort.between(lower, min(bounds)) if bounds else sort.at_least(lower),
        index=index.name if index else None,
        downwards=True,
        at_once=_page_size(query),
    ):
        text = found.c or "" if index else found.s
        if text not in bounds:
            yield text


def _page_size(query: RunQuery) -> int:
    """Return how many entries of an index are read at once: many, if the query passes over some by their keys."""
    passes_over = query.name_prefix or query.parent is not None or len(query.labels) > 1
    return _KEYS_AT_ONCE if passes_over else min(_KEYS_AT_ONCE, query.limit + 1)


def _timers_in(
    table: Table, namespace: str, query: RunQuery, before: Instant, number: int, after: Position | None
) -> Iterator[Position]:
    """Yield the timers of a shard that are set for a time before `before`, the next one first."""
    first = after or (0, "")
    for found in table.query(
        keys.timers(number),
        AL.between(first[0], before - 1),
        index=tables.TIMERS.name,
        at_once=_page_size(query),
    ):
        owner, name = keys.of_head(found.k)
        if owner == namespace and (found.at, name) > first:
            yield found.at, name
