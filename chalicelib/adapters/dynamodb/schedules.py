"""States of schedules in DynamoDB: one item each, written on the condition of its version.

The index of timers has them in partitions of their own, so that a sweep reads only those that are due.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from heapq import merge
from itertools import islice

from chalicelib.adapters.dynamodb import keys, tables
from chalicelib.adapters.dynamodb.items import Item, Table, translated
from chalicelib.adapters.store_rules import schedule_conflict
from chalicelib.model import formats
from chalicelib.model.times import Instant
from chalicelib.service.ports.schedules import DueSchedule, ScheduleState


class DynamoSchedules:
    def __init__(self, table: Table) -> None:
        self._table = table
        self._item = table.item

    def load(self, namespace: str, names: Iterable[str]) -> dict[str, ScheduleState]:
        wanted = {keys.schedule(namespace, name) for name in names}
        if len(wanted) == 1:
            one = self._table.get(*wanted)
            items = [one] if one else []
        else:
            items = list(self._table.get_all(wanted, consistent=True).values())
        states = [formats.SCHEDULE.decode(item.b, ScheduleState) for item in items]
        return {state.name: state for state in states}

    def save(self, namespace: str, state: ScheduleState, seen: int | None) -> None:
        unchanged = self._item.k.does_not_exist() if seen is None else self._item.v == seen
        with translated(refused=schedule_conflict(state.name)):
            self._item_of(namespace, state).save(unchanged)

    def delete(self, namespace: str, state: ScheduleState) -> None:
        with translated(refused=schedule_conflict(state.name)):
            self._item(*keys.schedule(namespace, state.name)).delete(
                self._item.k.does_not_exist() | (self._item.v == state.version)
            )

    def due(self, until: Instant, limit: int, since: Instant = 0) -> Sequence[DueSchedule]:
        if since > until:
            return []
        shards = [self._due_in(number, until, limit, since) for number in range(self._table.shards)]
        with translated():
            return list(islice(merge(*shards, key=lambda due: due.at), limit))

    def _due_in(self, number: int, until: Instant, limit: int, since: Instant) -> Iterator[DueSchedule]:
        for found in self._item.query(
            keys.schedule_timers(number),
            self._item.al.between(since, until),
            index_name=tables.TIMERS.name,
            page_size=limit,
        ):
            yield DueSchedule(*keys.of_schedule(found.k), int(found.al))

    def _item_of(self, namespace: str, state: ScheduleState) -> Item:
        k, s = keys.schedule(namespace, state.name)
        item = self._item(k, s, v=state.version, b=formats.SCHEDULE.encode(state).decode())
        if state.wake_at is not None:
            item.ap = keys.schedule_timers(keys.shard(namespace, state.name, self._table.shards))
            item.al = state.wake_at
        return item
