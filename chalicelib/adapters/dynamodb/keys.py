"""Every access pattern, and every key that is ever written. Nothing else composes or parses a key.

One table with a partition key `k` and a sort key `s`, and four indexes that hold keys only and only the items that
bear theirs. `#` joins the parts of a key.

    what                  k                           s                        read by
    ────                  ─                           ─                        ───────
    head of a run         H#namespace#name            head                     GetItem, consistent; BatchGetItem
    the flow it brought   R#namespace#run id          flow                     GetItem
    page of its history   R#namespace#run id          page#number of its last  Query, s above a number
    value beside it       R#namespace#run id          beside#key#part          BatchGetItem, consistent
    label of a run        L#namespace#label#value     created at#name          Query, s downwards
    definition, newest    D#namespace#kind            name                     GetItem, BatchGetItem; Query for lists
    definition, archived  V#namespace#kind#name       version                  GetItem
    idempotency key       K#namespace#key             key                      GetItem, consistent
    cell                  C#namespace#key             cell                     GetItem, consistent
    signal                S#namespace#name#key#run    at#id                    Query, consistent; BatchGetItem
    a large signal's body B#namespace#signal id       body#part                BatchGetItem, consistent
    subscription          N#namespace#name#key        run#uuid                 Query, consistent
    task                  T#namespace#shard           since#uuid               Query, consistent

    index     partition                               sort                     items in it
    ─────     ─────────                               ────                     ───────────
    alarms    ap = A#shard                            al = when it rings       heads of runs that move and have an alarm
    listed    lp = namespace#class#shard              c = created at#name      heads
              lp = namespace#signal#shard             c = at#id                signals
    by_flow   fp = namespace#flow#class#shard         c = created at#name      heads
    changed   cp = namespace#shard                    ca = status changed at   heads

**Names never meet.** A name may hold any character. In every part but a sort key's last, `%` and `#` are written `%25`
and `%23`, so a `#` in a key is always a joint and a key is read in one way only. The last part of a sort key stands as
it is, because DynamoDB must sort by it (by its UTF-8 bytes). A namespace is always part of the partition, so no query
crosses it. What nobody reads back from a key (labels, names and keys of signals, keys of values, of cells, for
idempotency) is replaced by a digest when it is long: `%~` and the digest, which no escaped text begins with.

**Shards.** DynamoDB takes about 1,000 writes a second on one partition key. A run's shard is drawn from its namespace
and name (a signal's, a task's from its namespace and id), so what is listed spreads over `SHARDS` partitions; who
lists asks all of them and merges. Signals and subscriptions of one name and key share a partition: they are read at
once, by everybody who waits for that name and key.

**Classes.** A list by status would move a run's entry at every change of status. Instead the entry says only whether
the run is live, paused, or how it ended: it moves when a run begins, ends, is paused, continued or stopped. The finer
statuses are told apart on the heads, which a list reads anyway. Only the entry in `changed` moves with each of them.

Moments (milliseconds, to the year 2286) and numbers are padded with zeros, so that they sort as text. AWS takes 2,048
bytes for a partition key and 1,024 for a sort key.
"""

from __future__ import annotations

import hashlib
import zlib
from enum import StrEnum
from typing import Final, TypeAlias

from chalicelib.model.status import Status
from chalicelib.model.times import Instant
from chalicelib.service.ports.definitions import Kind
from chalicelib.service.ports.events import Signal, Subscription
from chalicelib.service.ports.tasks import Task

Key: TypeAlias = tuple[str, str]
"""Partition key and sort key."""

SHARDS: Final = 4

HEAD: Final = "head"
_FLOW: Final = "flow"
_PAGE: Final = "page"
_BESIDE: Final = "beside"
_BODY: Final = "body"
_SIGNAL: Final = "signal"
"""Longer than any StatusClass, so that the two kinds of partitions of `listed` never meet."""
_JOINT: Final = "#"
_LONG: Final = 256


class StatusClass(StrEnum):
    """What an index entry says of a run's status, in one letter: a head pays for every byte of its keys."""

    ACTIVE = "a"
    PAUSED = "p"
    SUCCEEDED = "s"
    FAILED = "f"
    CANCELED = "c"


CLASS_OF: Final[dict[Status, StatusClass]] = {
    Status.PENDING: StatusClass.ACTIVE,
    Status.RUNNING: StatusClass.ACTIVE,
    Status.COMPENSATING: StatusClass.ACTIVE,
    Status.CANCELING: StatusClass.ACTIVE,
    Status.PAUSED: StatusClass.PAUSED,
    Status.SUCCEEDED: StatusClass.SUCCEEDED,
    Status.FAILED: StatusClass.FAILED,
    Status.CANCELED: StatusClass.CANCELED,
}


# ── items ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def head(namespace: str, name: str) -> Key:
    return _join("H", namespace, name), HEAD


def of_head(partition: str) -> tuple[str, str]:
    """The namespace and name of the run whose head lies there."""
    _, namespace, name = partition.split(_JOINT)
    return _plain(namespace), _plain(name)


def parts(namespace: str, run_id: str) -> str:
    """The partition of all that a run has beside its head."""
    return _join("R", namespace, run_id)


def own_flow(namespace: str, run_id: str) -> Key:
    return parts(namespace, run_id), _FLOW


def page(namespace: str, run_id: str, last: int) -> Key:
    return parts(namespace, run_id), f"{_PAGE}{_JOINT}{last:012}"


def pages_above(after: int) -> tuple[str, str]:
    """The first and the last sort key that a page with a number above `after` may have."""
    return f"{_PAGE}{_JOINT}{after + 1:012}", f"{_PAGE}{_JOINT}{'9' * 12}"


def blobs(namespace: str, run_id: str, key: str) -> Key:
    """The value beside a head. As every value of any size it lies in parts."""
    return parts(namespace, run_id), _JOINT.join((_BESIDE, _short(key)))


def part(value: Key, number: int) -> Key:
    """A part of a value of any size; they count from 0."""
    k, s = value
    return k, f"{s}{_JOINT}{number:04}"


def label(namespace: str, name: str, value: str) -> str:
    """The partition of the runs with that label."""
    return _JOINT.join((_join("L", namespace), _short(name), _short(value)))


def newest(namespace: str, kind: Kind, name: str) -> Key:
    return all_newest(namespace, kind), name


def all_newest(namespace: str, kind: Kind) -> str:
    """The partition of the newest definitions of a kind."""
    return _join("D", namespace, kind)


def archived(namespace: str, kind: Kind, name: str, version: int) -> Key:
    return _join("V", namespace, kind, name), f"{version:012}"


def idempotency(namespace: str, key: str) -> Key:
    return _JOINT.join((_join("K", namespace), _short(key))), "key"


def versioned_value(namespace: str, key: str) -> Key:
    return _JOINT.join((_join("C", namespace), _short(key))), "cell"


def signal(namespace: str, signal: Signal) -> Key:
    return signals(namespace, signal.name, signal.key, signal.run), place(signal.at, signal.id)


def signals(namespace: str, name: str, key: str, run_id: str) -> str:
    """The partition of the signals with that name and key, for that run or (empty) for any."""
    return _JOINT.join((_join("S", namespace), _short(name), _short(key), _short(run_id)))


def signal_body(namespace: str, signal_id: str) -> Key:
    """The value that a signal is, where it is too large for its item."""
    return _join("B", namespace, signal_id), _BODY


def subscription(namespace: str, subscription: Subscription) -> Key:
    return subscriptions(namespace, subscription.name, subscription.key), _join(subscription.run, subscription.uuid)


def subscriptions(namespace: str, name: str, key: str) -> str:
    """The partition of the subscriptions to that name and key."""
    return _JOINT.join((_join("N", namespace), _short(name), _short(key)))


def task(namespace: str, task: Task) -> Key:
    return tasks(namespace, shard(namespace, task.uuid)), place(task.since, task.uuid)


def tasks(namespace: str, number: int) -> str:
    """The partition of a shard of a namespace's tasks."""
    return _join("T", namespace, str(number))


# ── places in indexes ────────────────────────────────────────────────────────────────────────────────────────────────


def place(at: Instant, name: str = "") -> str:
    """A sort key: by moment, then by name. Without a name it stands before all places of that moment."""
    return f"{at:013}{_JOINT}{name}"


def of_place(text: str) -> tuple[Instant, str]:
    at, _, name = text.partition(_JOINT)
    return int(at), name


def shard(namespace: str, name: str) -> int:
    return zlib.crc32(f"{namespace}\0{name}".encode()) % SHARDS


def timers(number: int) -> str:
    return _join("A", str(number))


def listed(namespace: str, status: StatusClass, number: int) -> str:
    return _join(namespace, status, str(number))


def listed_signals(namespace: str, number: int) -> str:
    return _join(namespace, _SIGNAL, str(number))


def by_flow(namespace: str, flow: str, status: StatusClass, number: int) -> str:
    return _join(namespace, flow, status, str(number))


def changed(namespace: str, number: int) -> str:
    return _join(namespace, str(number))


# ── joining ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def _join(*words: str) -> str:
    return _JOINT.join(map(_escaped, words))


def _escaped(word: str) -> str:
    return word.replace("%", "%25").replace(_JOINT, "%23")


def _plain(word: str) -> str:
    return word.replace("%23", _JOINT).replace("%25", "%")


def _short(word: str) -> str:
    """The word escaped, or its digest if it is long."""
    raw = word.encode()
    return _escaped(word) if len(raw) <= _LONG else f"%~{hashlib.sha256(raw).hexdigest()}"
