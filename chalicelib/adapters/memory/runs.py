"""Runs in memory."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from itertools import islice
from operator import itemgetter
from threading import RLock

from chalicelib.adapters.store_rules import change_of, conflict_error
from chalicelib.model.flow import Flow
from chalicelib.model.history import Page, decode_page, encode_page
from chalicelib.model.json_values import decode as decode_value
from chalicelib.model.json_values import encode as encode_value
from chalicelib.model.run import Run, decode_run, encode
from chalicelib.model.times import Instant
from chalicelib.service.errors import NotFound, RunExists
from chalicelib.service.ports.cursors import Position, cursor_at, position_at
from chalicelib.service.ports.runs import (
    MAX_LISTED_BYTES,
    Counts,
    DueTimer,
    Listing,
    NewRun,
    RunQuery,
    position_in,
    position_of,
)
from chalicelib.service.runs.matching import admits, timer_of


@dataclass(frozen=True, slots=True)
class _Head:
    id: str
    version: int
    place: Position
    change: Position
    timer_at: Instant | None
    body: bytes


class MemoryRuns:
    def __init__(self, lock: RLock, forget: Callable[[Run], None] = lambda _: None) -> None:
        """`forget` removes what other stores hold of a run that is deleted."""
        self._lock = lock
        self._forget = forget
        self._heads: dict[tuple[str, str], _Head] = {}
        self._pages: dict[tuple[str, str], dict[int, bytes]] = {}
        self._own: dict[tuple[str, str], bytes] = {}
        self._blobs: dict[tuple[str, str], dict[str, bytes]] = {}

    def exists(self, namespace: str, name: str) -> bool:
        return (namespace, name) in self._heads

    def together(self) -> AbstractContextManager[None]:
        return nullcontext()

    def create(self, new: NewRun) -> None:
        run = new.run
        with self._lock:
            if self.exists(run.namespace, run.name):
                raise RunExists(run.name)
            if new.own is not None:
                self._own[run.namespace, run.id] = encode_value(new.own)
            self._put(run, new.body)

    def load(self, namespace: str, name: str) -> Run | None:
        with self._lock:
            head = self._heads.get((namespace, name))
        return decode_run(head.body) if head else None

    def own_flow(self, run: Run) -> Flow:
        with self._lock:
            body = self._own.get((run.namespace, run.id))
        if body is None:
            raise NotFound("flow of flow_run", run.name)
        return decode_value(body, Flow)

    def put_page(self, run: Run, page: Page) -> None:
        with self._lock:
            self._pages.setdefault((run.namespace, run.id), {}).setdefault(page.last, encode_page(page))

    def pages(self, run: Run, after: int) -> Iterator[Page]:
        with self._lock:
            held = sorted(self._pages.get((run.namespace, run.id), {}).items())
        return (decode_page(body) for last, body in held if last > after)

    def page_numbers(self, run: Run, limit: int) -> Sequence[int]:
        with self._lock:
            return sorted(self._pages.get((run.namespace, run.id), {}))[:limit]

    def put_blobs(self, run: Run, values: Mapping[str, bytes]) -> None:
        with self._lock:
            held = self._blobs.setdefault((run.namespace, run.id), {})
            for key, value in values.items():
                held.setdefault(key, value)

    def blobs(self, run: Run, keys: Iterable[str]) -> dict[str, bytes]:
        with self._lock:
            held = self._blobs.get((run.namespace, run.id), {})
            return {key: held[key] for key in keys if key in held}

    def save(self, run: Run, seen: int, body: bytes = b"") -> None:
        with self._lock:
            head = self._heads.get((run.namespace, run.name))
            if head is None or (head.id, head.version) != (run.id, seen):
                raise conflict_error(run)
            self._put(run, body)

    def save_relabeled(self, run: Run, before: Run, body: bytes = b"") -> None:
        self.save(run, before.version, body)

    def delete(self, run: Run) -> None:
        with self._lock:
            head = self._heads.get((run.namespace, run.name))
            if head is None:
                return
            if (head.id, head.version) != (run.id, run.version):
                raise conflict_error(run)
            for part in (self._pages, self._own, self._blobs):
                part.pop((run.namespace, run.id), None)
            del self._heads[run.namespace, run.name]
            self._forget(run)

    def list(self, namespace: str, query: RunQuery) -> Listing:
        after = position_at(namespace, query.cursor) if query.cursor else None
        found: list[Run] = []
        room = MAX_LISTED_BYTES
        for position, head in self._listed(namespace, query):
            if after is not None and (position >= after if query.due_before is None else position <= after):
                continue
            if not admits(query, run := decode_run(head.body)):
                continue
            room -= len(head.body)
            if len(found) == query.limit or (room < 0 and found):
                return Listing(tuple(found), cursor_at(namespace, position_in(query, found[-1])))
            found.append(run)
        return Listing(tuple(found))

    def count(self, namespace: str, query: RunQuery, most: int) -> Counts:
        runs = (decode_run(head.body) for _, head in self._listed(namespace, query))
        found = [run.status for run in islice((run for run in runs if admits(query, run)), most + 1)]
        return Counts(Counter(found[:most]), len(found) > most)

    def _listed(self, namespace: str, query: RunQuery) -> Sequence[tuple[Position, _Head]]:
        """Return the heads that the query may list with their positions, in its order."""
        with self._lock:
            heads = [(name, head) for (owner, name), head in self._heads.items() if owner == namespace]
        if query.due_before is None:
            return sorted(((head.place, head) for _, head in heads), key=itemgetter(0), reverse=True)
        timers = [((head.timer_at, name), head) for name, head in heads if head.timer_at is not None]
        return sorted(timers, key=itemgetter(0))

    def changed(self, namespace: str, since: Instant, limit: int) -> Sequence[Run]:
        with self._lock:
            heads = [head for (owner, _), head in self._heads.items() if owner == namespace and head.change[0] >= since]
        heads.sort(key=lambda head: head.change)
        return [decode_run(head.body) for head in heads[:limit]]

    def due(self, until: Instant, limit: int, since: Instant = 0) -> Sequence[DueTimer]:
        with self._lock:
            timers = [
                DueTimer(namespace, name, head.timer_at)
                for (namespace, name), head in self._heads.items()
                if head.timer_at is not None and since <= head.timer_at <= until
            ]
        return sorted(timers, key=lambda timer: timer.at)[:limit]

    def _put(self, run: Run, body: bytes = b"") -> None:
        head = _Head(run.id, run.version, position_of(run), change_of(run), timer_of(run), body or encode(run))
        self._heads[run.namespace, run.name] = head
