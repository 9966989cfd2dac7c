"""What the service needs of the world, in its own words. Every technology stands behind one of these.

Nothing here raises anything but `service.errors`. Every write may be repeated without harm, unless it says otherwise;
one that raises `Busy` may nevertheless have happened.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol, TypeAlias

import msgspec

from chalicelib.definition import Flow, Json, Method, ready
from chalicelib.engine.lifecycle import Status
from chalicelib.engine.run import Instant, Page, Run

# ── definitions ──────────────────────────────────────────────────────────────────────────────────────────────────────


class Kind(StrEnum):
    ACTION = "action"
    FLOW = "flow"


class Definition(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One version of an action or a flow as it is kept. Versions count from 1; a version never changes."""

    kind: Kind
    name: str
    version: int
    uuid: str
    text: str
    """Its FSL statement, as it was submitted."""
    value: bytes
    """The checked `definition.Action` or `definition.Flow`, as `definition.encode` writes it."""
    created_at: Instant
    deleted: bool = False
    """The name was deleted at this version. Only `latest(..., deleted=True)` shows such a definition."""


class DefinitionStore(Protocol):
    def latest(
        self, namespace: str, kind: Kind, names: Iterable[str], *, deleted: bool = False
    ) -> dict[str, Definition]:
        """The newest version of each of `names`; a name that is not defined is left out, as is a deleted one unless
        `deleted` asks for it (whoever defines it again must go on counting). Consistent."""
        ...

    def version(self, namespace: str, kind: Kind, name: str, version: int) -> Definition | None:
        """That version, deleted names' versions included (runs may still obey them); None if it never was."""
        ...

    def list(self, namespace: str, kind: Kind, limit: int, after: str = "") -> Sequence[Definition]:
        """The newest versions by name, from the name after `after`; at most `limit`."""
        ...

    def submit(self, namespace: str, definitions: Sequence[Definition], runs: Sequence[NewRun]) -> None:
        """All of these exist, or none. A definition's `version` must follow the newest one (1 where there is none).

        Raises Conflict if one does not, RunExists if a run of that name exists, TooLarge if there are more than the
        store can write at once.
        """
        ...

    def delete(self, namespace: str, definition: Definition) -> None:
        """The name is no longer defined; its versions stay readable for the runs that obey them, and a later definition
        of that name goes on counting. Raises Conflict if `definition` is no longer the newest version."""
        ...


# ── runs ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class NewRun:
    """A head to be created, with the flow it brought along, if it did."""

    run: Run
    own: Flow | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RunQuery:
    """Which runs to list, newest first. None: not asked for. `cursor` is what the listing before gave."""

    statuses: frozenset[Status] | None = None
    flow: str | None = None
    label: tuple[str, str] | None = None
    since: Instant | None = None
    """Only runs created at that moment or later."""
    limit: int = 50
    cursor: str | None = None


@dataclass(frozen=True, slots=True)
class Listing:
    """Some heads, and where to go on (`cursor` is None: no more). It may hold fewer than were asked for."""

    runs: tuple[Run, ...]
    cursor: str | None = None


@dataclass(frozen=True, slots=True)
class Alarm:
    """A run whose timer should have rung at `at`."""

    namespace: str
    run: str
    at: Instant


class RunStore(Protocol):
    def create(self, new: NewRun) -> None:
        """The run exists, at the head's version. Raises RunExists. Not repeatable."""
        ...

    def load(self, namespace: str, name: str) -> Run | None:
        """The head as it is now (a consistent read)."""
        ...

    def own_flow(self, run: Run) -> Flow:
        """The flow that the run brought along. Raises NotFound."""
        ...

    def put_page(self, run: Run, page: Page) -> None:
        """The page is part of the run's history. Pages are immutable: writing one again changes nothing."""
        ...

    def pages(self, run: Run, after: int) -> Iterator[Page]:
        """The run's pages that hold entries with a number above `after`, oldest first."""
        ...

    def put_beside(self, run: Run, values: Mapping[str, bytes]) -> None:
        """These lie beside the run's head, each under its key, of any size. A key's value never changes: writing it
        again changes nothing."""
        ...

    def beside(self, run: Run, keys: Iterable[str]) -> dict[str, bytes]:
        """What lies there under these keys; a key under which nothing lies is left out. Consistent."""
        ...

    def save(self, run: Run, seen: int) -> None:
        """The head is `run`, if its version was still `seen`; raises Conflict if not. Not repeatable."""
        ...

    def delete(self, run: Run) -> None:
        """Nothing of the run is left. Raises Conflict if its version is no longer `run.version`."""
        ...

    def list(self, namespace: str, query: RunQuery) -> Listing:
        """Runs newest first, by an index that may lag by moments. Raises Malformed for a cursor it never gave."""
        ...

    def changed(self, namespace: str, since: Instant, limit: int) -> Sequence[Run]:
        """Runs whose status changed at `since` or later (`run.status_at`), earliest first, at most `limit`."""
        ...

    def due(self, until: Instant, limit: int) -> Sequence[Alarm]:
        """Alarms of live runs of all namespaces set for `until` or before, earliest first as far as is cheap."""
        ...


# ── idempotency keys, events ─────────────────────────────────────────────────────────────────────────────────────────


class KeyStore(Protocol):
    def claim(self, namespace: str, key: str, value: str, now: Instant, ttl: int) -> str:
        """The value that holds the key: `value` if it was free (held for `ttl` milliseconds), else the earlier."""
        ...


class CellStore(Protocol):
    """Small values that several writers change by comparing and setting."""

    def read(self, namespace: str, key: str) -> tuple[bytes, int]:
        """The cell's value and its version; (b"", 0) if nobody wrote it. Consistent."""
        ...

    def write(self, namespace: str, key: str, value: bytes, seen: int) -> None:
        """The cell holds `value`, at version `seen` + 1. Raises Conflict if its version was no longer `seen`."""
        ...


class Sealer(Protocol):
    """Hides bytes of a namespace from whoever reads the store."""

    def check(self) -> None:
        """It can seal. Raises `secrets.SecretsOff`."""
        ...

    def seal(self, namespace: str, plain: bytes) -> str:
        """The bytes as text that only `open` reads; the same text for the same bytes. Raises `secrets.SecretsOff`."""
        ...

    def open(self, namespace: str, text: str) -> bytes:
        """What was sealed for that namespace. Raises ServiceError."""
        ...


class Signal(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An event that somebody published, kept until `expires_at`."""

    id: str
    name: str
    key: str = ""
    run: str = ""
    """The id of the only run that it is for; empty: any that waits for its name and key."""
    data: Json = None
    at: Instant
    until: Instant = 0
    """A run that begins to wait by then gets it too."""
    expires_at: Instant
    """When it may be forgotten: some time after `until`."""

    @property
    def place(self) -> str:
        """Where it stands among the signals of its name: later ones sort behind."""
        return f"{self.at:015}/{self.id[:8]}"


class Subscription(msgspec.Struct, frozen=True, kw_only=True):
    """A run waits for signals of that name and key, in that activation, until it no longer does."""

    name: str
    key: str
    run: str
    uuid: str
    until: Instant


class SignalStore(Protocol):
    def put(self, namespace: str, signal: Signal) -> None:
        """The signal is kept, of any size up to 5 MB."""
        ...

    def kept(self, namespace: str, name: str, key: str, run: str, now: Instant, since: Instant = 0) -> Iterable[Signal]:
        """Signals with exactly that name, key and run (an id, or empty) that came at `since` or later and have not
        expired, by place. Consistent. They are read as they are asked for: whoever takes the first pays for few.
        """
        ...

    def subscribe(self, namespace: str, subscription: Subscription) -> None:
        """The subscription is there, until somebody removes it or its time is over."""
        ...

    def unsubscribe(self, namespace: str, subscription: Subscription) -> None:
        """It is not there."""
        ...

    def subscriptions(self, namespace: str, name: str, key: str) -> Sequence[Subscription]:
        """Those for that name and key. Consistent; some may speak of activations that ended long ago."""
        ...

    def list(self, namespace: str, now: Instant, limit: int) -> Sequence[Signal]:
        """Signals that have not expired, newest first."""
        ...


class Task(msgspec.Struct, frozen=True, kw_only=True):
    """An activation that waits for a person. The run is the truth: a task may be there that no longer waits."""

    run: str
    uuid: str
    since: Instant
    until: Instant


class TaskStore(Protocol):
    def put(self, namespace: str, task: Task) -> None:
        """The task is in the inbox, until somebody removes it or its time is over."""
        ...

    def remove(self, namespace: str, task: Task) -> None:
        """It is not in the inbox."""
        ...

    def list(self, namespace: str, limit: int, after: Task | None = None) -> Sequence[Task]:
        """Tasks by `since`, oldest first, from the one after `after`; at most `limit`."""
        ...


class Store(Protocol):
    """All that is kept, in one place."""

    @property
    def definitions(self) -> DefinitionStore: ...
    @property
    def runs(self) -> RunStore: ...
    @property
    def keys(self) -> KeyStore: ...
    @property
    def signals(self) -> SignalStore: ...
    @property
    def tasks(self) -> TaskStore: ...
    @property
    def cells(self) -> CellStore: ...


# ── queues ───────────────────────────────────────────────────────────────────────────────────────────────────────────


class QueueName(StrEnum):
    DELIVERIES = "deliveries"
    WAKES = "wakes"
    DEAD = "dead"
    """Where messages go that nobody could handle."""


MAX_DELAY: int = 15 * 60 * 1000
"""The longest that a queue holds a message back, in milliseconds (an SQS limit)."""

MAX_DEFER: int = 12 * 60 * 60 * 1000
"""The longest that a received message can be put off, in milliseconds (an SQS limit)."""


class Queue(Protocol):
    def send(self, queue: QueueName, bodies: Sequence[str], delay: int = 0) -> None:
        """Each body will be received at least once, not before `delay` milliseconds (rounded up to what the queue can).

        Raises Busy if not all of them were taken; some of them may have been.
        """
        ...

    def defer(self, queue: QueueName, receipt: str, delay: int) -> None:
        """The received message comes again in `delay` milliseconds (0 to MAX_DEFER) unless it is deleted before.

        A receipt that is no longer valid is ignored: the message comes again anyway.
        """
        ...


@dataclass(frozen=True, slots=True)
class Received:
    """A message as a consumer gets it. It comes again after the queue's visibility time-out unless it is deleted."""

    id: str
    receipt: str
    body: str
    count: int
    """How often it was received, this time included."""
    sent_at: Instant


class Source(Protocol):
    """The other end of a queue: what Lambda's event source does on AWS, and the local server here."""

    def receive(self, queue: QueueName, limit: int, wait: float) -> Sequence[Received]:
        """At most `limit` (1 to 10) messages that are due; waits up to `wait` seconds for the first."""
        ...

    def delete(self, queue: QueueName, receipts: Sequence[str]) -> None:
        """These messages do not come again."""
        ...


# ── actions ──────────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Call:
    """One delivery of `body`, to the first of `addresses` that can be reached, in the way that `method` says."""

    addresses: tuple[str, ...]
    body: bytes
    headers: dict[str, str] = field(default_factory=dict)
    roots: str | None = None
    """PEM bundle in base64; None: the usual roots."""
    method: Method = Method.HTTP


@dataclass(frozen=True, slots=True)
class Taken:
    """The service took it. `answer` is the JSON object in its 2xx body, if there was one."""

    answer: dict[str, Json] | None = None


@dataclass(frozen=True, slots=True)
class NotTaken:
    """It did not. `final`: trying again is of no use. `retry_after`: milliseconds that it asked us to wait."""

    error: str
    final: bool
    retry_after: int = 0


Reply: TypeAlias = Taken | NotTaken


class Caller(Protocol):
    def post(self, call: Call) -> Reply:
        """What came of the delivery. Never raises: what goes wrong is a NotTaken. Ends within 10 s per address."""
        ...


# ── time and chance ──────────────────────────────────────────────────────────────────────────────────────────────────


class Clock(Protocol):
    def now(self) -> Instant: ...

    def sleep(self, milliseconds: int) -> None: ...


class Chance(Protocol):
    def nonce(self) -> str:
        """32 hex digits, never the same, not to be guessed."""
        ...


ready(Definition, Signal, Subscription, Task)
