"""States of schedules in DynamoDB: one item each, written on the condition of its version.

The index of timers has them in partitions of their own, so that a sweep reads only those that are due.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from heapq import merge
from itertools import islice

from chalicelib.adapters.dynamodb import keys, tables
from chalicelib.adapters.dynamodb.conditions import AL, K, V
from chalicelib.adapters.dynamodb.items import Item, Table
from chalicelib.adapters.dynamodb.sharded import begun
from chalicelib.adapters.store_rules import schedule_conflict
from chalicelib.model import formats
from chalicelib.model.times import Instant
from chalicelib.service.ports.schedules import DueSchedule, ScheduleState


class DynamoSchedules:
    def __init__(self, table: Table) -> None:
        self._table = table

    def load(self, namespace: str, names: Iterable[str]) -> dict[str, ScheduleState]:
        wanted = {keys.schedule(namespace, name) for name in names}
        if len(wanted) == 1:
            one = self._table.get(*wanted)
            items = [one] if one else []
        else:
            items = list(self._table.get_all(wanted, consistent=True).values())
        states = [formats.SCHEDULE.decode(item.text, ScheduleState) for item in items]
        return {state.name: state for state in states}

    def save(self, namespace: str, state: ScheduleState, seen: int | None) -> None:
        unchanged = K.is_absent() if seen is None else V.equals(seen)
        self._table.put(self._item_of(namespace, state), unchanged, schedule_conflict(state.name))

    def delete(self, namespace: str, state: ScheduleState) -> None:
        unchanged = K.is_absent() | V.equals(state.version)
        self._table.delete(keys.schedule(namespace, state.name), unchanged, schedule_conflict(state.name))

    def due(self, until: Instant, limit: int, since: Instant = 0) -> Sequence[DueSchedule]:
        if since > until:
            return []
        shards = [self._due_in(number, until, limit, since) for number in range(self._table.shards)]
        return list(islice(merge(*begun(shards), key=lambda due: due.at), limit))

    def _due_in(self, number: int, until: Instant, limit: int, since: Instant) -> Iterator[DueSchedule]:
        for found in self._table.query(
            keys.schedule_timers(number),
            AL.between(since, until),
            index=tables.TIMERS.name,
            at_once=limit,
        ):
            yield DueSchedule(*keys.of_schedule(found.k), found.at)

    def _item_of(self, namespace: str, state: ScheduleState) -> Item:
        k, s = keys.schedule(namespace, state.name)
        item = Item(k, s, v=state.version, b=formats.SCHEDULE.encode(state).decode())
        if state.wake_at is not None:
            item.ap = keys.schedule_timers(keys.shard(namespace, state.name, self._table.shards))
            item.al = state.wake_at
        return item
