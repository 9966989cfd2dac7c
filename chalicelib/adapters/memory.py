"""The ports in their plainest form: what tests and the simulator run on, and what the other adapters are held to.

Everything is kept encoded and decoded again on the way out, so no two callers ever share an object. One lock holds it
all. What a query, a label and a cursor mean is said here once; the other stores use the same functions.
"""

from __future__ import annotations

import hashlib
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from threading import Condition, Lock, RLock
from time import monotonic
from typing import TypeAlias

import msgspec
from msgspec.structs import replace

from chalicelib.definition import Flow, Json
from chalicelib.definition import decode as decode_value
from chalicelib.definition import encode as encode_value
from chalicelib.engine.lifecycle import MOVING
from chalicelib.engine.run import Instant, Page, Run, decode_page, decode_run, encode
from chalicelib.service.errors import Conflict, Malformed, NotFound, RunExists
from chalicelib.service.ports import (
    Alarm,
    Clock,
    Definition,
    Kind,
    Listing,
    NewRun,
    QueueName,
    Received,
    RunQuery,
    Signal,
)

Place: TypeAlias = tuple[Instant, str]
"""Where a run stands in a listing: when it was created, then its name. The newest run has the greatest place."""

VISIBILITY = 90_000
MAX_RECEIVES = 100


# ── what the words of a query mean ───────────────────────────────────────────────────────────────────────────────────


def place_of(run: Run) -> Place:
    """The run's place in every listing, for all its life."""
    return run.created_at, run.name


def flow_of(run: Run) -> str:
    """The flow by which a run is found: a run that brought its own steps is found by its own name."""
    return run.definition.flow or run.name


def alarm_of(run: Run) -> Instant | None:
    """When somebody must look at the run if nobody did. None if it has ended or is paused."""
    return run.alarm_at if run.status in MOVING else None


def labels_of(run: Run) -> dict[str, str]:
    """The run's labels by which it can be found: scalars, as text; lists and maps are kept but not found."""
    texts = {key: _label_text(value) for key, value in run.labels.items()}
    return {key: text for key, text in texts.items() if text is not None}


def _label_text(value: Json) -> str | None:
    match value:
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case str() | int() | float():
            return str(value)
        case _:
            return None


def admits(query: RunQuery, run: Run) -> bool:
    """Whether the query asks for this run."""
    return (
        (query.statuses is None or run.status in query.statuses)
        and (query.flow is None or flow_of(run) == query.flow)
        and (query.since is None or run.created_at >= query.since)
        and (query.label is None or labels_of(run).get(query.label[0]) == query.label[1])
    )


def cursor_at(namespace: str, place: Place) -> str:
    """An opaque word for `place` that is worth something in `namespace` only. It goes into a URL as it is."""
    text = msgspec.json.encode(place)
    return urlsafe_b64encode(_seal(namespace, text) + text).decode().rstrip("=")


def place_at(namespace: str, cursor: str) -> Place:
    """The place for which `cursor_at` gave this cursor. Raises Malformed for any other text."""
    try:
        raw = urlsafe_b64decode(cursor.encode("ascii") + b"=" * (-len(cursor) % 4))
        if raw[:8] == _seal(namespace, raw[8:]):
            at, name = msgspec.json.decode(raw[8:], type=tuple[Instant, str])
            return at, name
    except (ValueError, msgspec.DecodeError):
        pass
    raise Malformed("the cursor is not one that a listing of this namespace gave")


def _seal(namespace: str, text: bytes) -> bytes:
    return hashlib.sha256(namespace.encode() + b"\0" + text).digest()[:8]


def check_distinct(definitions: Sequence[Definition], runs: Sequence[NewRun]) -> None:
    """Nothing is submitted twice at once. Raises Conflict, RunExists."""
    seen: set[tuple[str, ...]] = set()
    for definition in definitions:
        if (definition.kind, definition.name) in seen:
            raise Conflict(f"{definition.kind} {definition.name!r} is submitted twice at once")
        seen.add((definition.kind, definition.name))
    for new in runs:
        if ("run", new.run.namespace, new.run.name) in seen:
            raise RunExists(new.run.name)
        seen.add(("run", new.run.namespace, new.run.name))


def not_next(definition: Definition) -> Conflict:
    """What is raised when a definition's version does not follow the newest one."""
    return Conflict(f"{definition.kind} {definition.name!r}: version {definition.version} is not the next one any more")


def not_newest(definition: Definition) -> Conflict:
    """What is raised when a definition is to be deleted that is no longer the newest."""
    return Conflict(f"{definition.kind} {definition.name!r}: version {definition.version} is not the newest any more")


def not_seen(run: Run) -> Conflict:
    """What is raised when a head was written by somebody else."""
    return Conflict(f"flow_run {run.name!r} was written by somebody else")


# ── the store ────────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class _Head:
    id: str
    version: int
    place: Place
    alarm_at: Instant | None
    body: bytes


class MemoryRuns:
    def __init__(self, lock: RLock) -> None:
        self._lock = lock
        self._heads: dict[tuple[str, str], _Head] = {}
        self._pages: dict[tuple[str, str], dict[int, bytes]] = {}
        self._own: dict[tuple[str, str], bytes] = {}

    def exists(self, namespace: str, name: str) -> bool:
        return (namespace, name) in self._heads

    def create(self, new: NewRun) -> None:
        run = new.run
        with self._lock:
            if self.exists(run.namespace, run.name):
                raise RunExists(run.name)
            if new.own is not None:
                self._own[run.namespace, run.id] = encode_value(new.own)
            self._put(run)

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
            self._pages.setdefault((run.namespace, run.id), {}).setdefault(page.last, encode(page))

    def pages(self, run: Run, after: int) -> Iterator[Page]:
        with self._lock:
            kept = sorted(self._pages.get((run.namespace, run.id), {}).items())
        return (decode_page(body) for last, body in kept if last > after)

    def save(self, run: Run, seen: int) -> None:
        with self._lock:
            head = self._heads.get((run.namespace, run.name))
            if head is None or (head.id, head.version) != (run.id, seen):
                raise not_seen(run)
            self._put(run)

    def delete(self, run: Run) -> None:
        with self._lock:
            head = self._heads.get((run.namespace, run.name))
            if head is None:
                return
            if (head.id, head.version) != (run.id, run.version):
                raise not_seen(run)
            self._pages.pop((run.namespace, run.id), None)
            self._own.pop((run.namespace, run.id), None)
            del self._heads[run.namespace, run.name]

    def list(self, namespace: str, query: RunQuery) -> Listing:
        before = place_at(namespace, query.cursor) if query.cursor else None
        with self._lock:
            heads = [head for (owner, _), head in self._heads.items() if owner == namespace]
        found: list[Run] = []
        for head in sorted(heads, key=lambda head: head.place, reverse=True):
            if (before is None or head.place < before) and admits(query, run := decode_run(head.body)):
                if len(found) == query.limit:
                    return Listing(tuple(found), cursor_at(namespace, place_of(found[-1])))
                found.append(run)
        return Listing(tuple(found))

    def due(self, until: Instant, limit: int) -> Sequence[Alarm]:
        with self._lock:
            alarms = [
                Alarm(namespace, name, head.alarm_at)
                for (namespace, name), head in self._heads.items()
                if head.alarm_at is not None and head.alarm_at <= until
            ]
        return sorted(alarms, key=lambda alarm: alarm.at)[:limit]

    def _put(self, run: Run) -> None:
        head = _Head(run.id, run.version, place_of(run), alarm_of(run), encode(run))
        self._heads[run.namespace, run.name] = head


class MemoryDefinitions:
    def __init__(self, lock: RLock, runs: MemoryRuns) -> None:
        self._lock = lock
        self._runs = runs
        self._versions: dict[tuple[str, Kind, str], list[bytes]] = {}
        self._deleted: set[tuple[str, Kind, str]] = set()

    def latest(
        self, namespace: str, kind: Kind, names: Iterable[str], *, deleted: bool = False
    ) -> dict[str, Definition]:
        with self._lock:
            found = {name: self._newest((namespace, kind, name), deleted=deleted) for name in names}
        return {name: definition for name, definition in found.items() if definition}

    def version(self, namespace: str, kind: Kind, name: str, version: int) -> Definition | None:
        with self._lock:
            versions = self._versions.get((namespace, kind, name), [])
            return _definition(versions[version - 1]) if 1 <= version <= len(versions) else None

    def list(self, namespace: str, kind: Kind, limit: int, after: str = "") -> Sequence[Definition]:
        with self._lock:
            keys = sorted(key for key in self._versions if key[:2] == (namespace, kind) and key[2] > after)
            found = [definition for key in keys if (definition := self._newest(key))]
        return found[:limit]

    def submit(self, namespace: str, definitions: Sequence[Definition], runs: Sequence[NewRun]) -> None:
        check_distinct(definitions, runs)
        with self._lock:
            for definition in definitions:
                key = (namespace, definition.kind, definition.name)
                if definition.version != len(self._versions.get(key, [])) + 1:
                    raise not_next(definition)
            for new in runs:
                if self._runs.exists(new.run.namespace, new.run.name):
                    raise RunExists(new.run.name)
            for definition in definitions:
                key = (namespace, definition.kind, definition.name)
                self._versions.setdefault(key, []).append(msgspec.json.encode(definition))
                self._deleted.discard(key)
            for new in runs:
                self._runs.create(new)

    def delete(self, namespace: str, definition: Definition) -> None:
        key = (namespace, definition.kind, definition.name)
        with self._lock:
            if key in self._deleted or len(self._versions.get(key, [])) != definition.version:
                raise not_newest(definition)
            self._deleted.add(key)

    def _newest(self, key: tuple[str, Kind, str], *, deleted: bool = False) -> Definition | None:
        versions = self._versions.get(key)
        if not versions or (key in self._deleted and not deleted):
            return None
        return replace(_definition(versions[-1]), deleted=key in self._deleted)


def _definition(body: bytes) -> Definition:
    return msgspec.json.decode(body, type=Definition)


class MemoryKeys:
    def __init__(self, lock: RLock) -> None:
        self._lock = lock
        self._held: dict[tuple[str, str], tuple[str, Instant]] = {}

    def claim(self, namespace: str, key: str, value: str, now: Instant, ttl: int) -> str:
        with self._lock:
            held, expires_at = self._held.get((namespace, key), ("", now))
            if expires_at > now:
                return held
            self._held[namespace, key] = (value, now + ttl)
        return value


class MemorySignals:
    def __init__(self, lock: RLock) -> None:
        self._lock = lock
        self._kept: dict[tuple[str, Instant, str], bytes] = {}

    def put(self, namespace: str, signal: Signal) -> None:
        with self._lock:
            self._kept[namespace, signal.at, signal.id] = msgspec.json.encode(signal)

    def list(self, namespace: str, now: Instant, limit: int) -> Sequence[Signal]:
        with self._lock:
            bodies = [body for (owner, _, _), body in sorted(self._kept.items(), reverse=True) if owner == namespace]
        signals = (msgspec.json.decode(body, type=Signal) for body in bodies)
        return [signal for signal in signals if signal.expires_at > now][:limit]


class MemoryStore:
    """All stores in this process's memory."""

    def __init__(self) -> None:
        lock = RLock()
        self.runs = MemoryRuns(lock)
        self.definitions = MemoryDefinitions(lock, self.runs)
        self.keys = MemoryKeys(lock)
        self.signals = MemorySignals(lock)


# ── the queue ────────────────────────────────────────────────────────────────────────────────────────────────────────


class Bell:
    """Wakes receivers when a queue changes. A ring between their look and their wait is not missed."""

    def __init__(self) -> None:
        self._condition = Condition(Lock())
        self.rings = 0

    def ring(self, receivers: int | None = None) -> None:
        """So many receivers look again; None: all of them."""
        with self._condition:
            self.rings += 1
            if receivers is None:
                self._condition.notify_all()
            else:
                self._condition.notify(receivers)

    def wait(self, heard: int, seconds: float) -> None:
        """Returns at a ring after the `heard`-th, or after `seconds`."""
        with self._condition:
            if self.rings == heard:
                self._condition.wait(seconds)


Look: TypeAlias = tuple[list[Received], "int | None"]
"""What a look into a queue found: messages, or in how many milliseconds the next one is due (None: there is none)."""


def await_messages(bell: Bell, look: Callable[[], Look], wait: float) -> list[Received]:
    """What `look` finds first, looking when the bell rings and when a message comes due, for `wait` seconds at most.

    It looks once more after every wait: a ring that met a receiver which was just giving up is not lost.
    """
    end = monotonic() + wait
    while True:
        heard = bell.rings
        found, due_in = look()
        left = end - monotonic()
        if found or left <= 0:
            return found
        bell.wait(heard, left if due_in is None else min(left, max(due_in, 1) / 1000))


@dataclass(slots=True)
class _Message:
    id: str
    body: str
    sent_at: Instant
    visible_at: Instant
    count: int = 0

    @property
    def receipt(self) -> str:
        return f"{self.id}.{self.count}"


class MemoryQueue:
    """Queue and Source in this process's memory.

    `visibility`: milliseconds until a received message comes again. A message that was received `max_receives` times
    and not deleted goes to `QueueName.DEAD`.
    """

    def __init__(self, clock: Clock, visibility: int = VISIBILITY, max_receives: int = MAX_RECEIVES) -> None:
        self._clock = clock
        self._visibility = visibility
        self._max_receives = max_receives
        self._lock = RLock()
        self._sent = 0
        self._queues: dict[QueueName, dict[str, _Message]] = {name: {} for name in QueueName}
        self._bells = {name: Bell() for name in QueueName}

    def send(self, queue: QueueName, bodies: Sequence[str], delay: int = 0) -> None:
        now = self._clock.now()
        with self._lock:
            for body in bodies:
                self._sent += 1
                self._put(queue, _Message(str(self._sent), body, now, now + delay))
        self._bells[queue].ring(None if delay else len(bodies))

    def defer(self, queue: QueueName, receipt: str, delay: int) -> None:
        with self._lock:
            message = self._held(queue, receipt)
            if message:
                message.visible_at = self._clock.now() + delay
        self._bells[queue].ring()

    def receive(self, queue: QueueName, limit: int, wait: float) -> Sequence[Received]:
        return await_messages(self._bells[queue], lambda: self._look(queue, limit), wait)

    def delete(self, queue: QueueName, receipts: Sequence[str]) -> None:
        with self._lock:
            for receipt in receipts:
                if message := self._held(queue, receipt):
                    del self._queues[queue][message.id]

    def _look(self, queue: QueueName, limit: int) -> Look:
        with self._lock:
            now = self._clock.now()
            waiting = sorted(self._queues[queue].values(), key=lambda message: message.visible_at)
            found: list[Received] = []
            for message in waiting:
                if message.visible_at > now:
                    return found, message.visible_at - now
                if queue is not QueueName.DEAD and message.count >= self._max_receives:
                    del self._queues[queue][message.id]
                    self._put(QueueName.DEAD, _Message(message.id, message.body, message.sent_at, now))
                    self._bells[QueueName.DEAD].ring()
                    continue
                if len(found) == limit:
                    break
                message.count += 1
                message.visible_at = now + self._visibility
                found.append(Received(message.id, message.receipt, message.body, message.count, message.sent_at))
        return found, None

    def _put(self, queue: QueueName, message: _Message) -> None:
        self._queues[queue][message.id] = message

    def _held(self, queue: QueueName, receipt: str) -> _Message | None:
        """The message, if this receipt is of its last reception."""
        message = self._queues[queue].get(receipt.partition(".")[0])
        return message if message and message.receipt == receipt else None
