"""All access patterns, and all keys that are ever written. No other module composes or parses a key.

One table has a partition key `k` and a sort key `s`, and four indexes. An index holds only keys, and only of items that
have its attributes. `#` separates the parts of a key.

    item                  k                           s                        read by
    ────                  ─                           ─                        ───────
    head of a run         H#namespace#name            head                     GetItem, consistent; BatchGetItem
    the flow it brought   R#namespace#run id          flow                     GetItem
    history page          R#namespace#run id          page#number of its last  Query, s above a number
    blob of a run         R#namespace#run id          beside#key#part          BatchGetItem, consistent
    delivery              R#namespace#run id          sent#uuid#at             Query
    label of a run        L#namespace#label#value[#n] created at#name          Query, s downwards
    definition, newest    D#namespace#kind            name                     GetItem, BatchGetItem; Query for lists
    definition, archived  V#namespace#kind#name       version                  GetItem; Query, s downwards
    idempotency key       K#namespace#key             key                      GetItem, consistent
    versioned value       C#namespace#key             cell                     GetItem, consistent
    signal                S#namespace#name#key#run    at#id                    Query, consistent; BatchGetItem
    body of a large one   B#namespace#signal id       body#part                BatchGetItem, consistent
    subscription          N#namespace#name#key        run#uuid                 Query, consistent
    task                  T#namespace#shard           since#uuid               Query, consistent
    state of a schedule   P#namespace#name            schedule                 GetItem, consistent; BatchGetItem
    waiter                Q#namespace#queue           since#place#uuid           Query, consistent
    batch                 J#namespace                 id (by time)             GetItem, consistent; Query downwards
    chunk of a batch      J#namespace#batch           kind#number              GetItem, consistent

    index     partition                               sort                     items
    ─────     ─────────                               ────                     ─────
    alarms    ap = A#shard                            al = due time of timer   heads with a timer, unless paused
              ap = P#shard                            al = when to look at it  states of schedules that have one
    listed    lp = namespace#class#shard              c = created at#name      heads
              lp = namespace#signal#shard             c = at#id                signals
    by_flow   fp = namespace#flow#class#shard         c = created at#name      heads
    changed   cp = namespace#shard                    ca = status changed at   heads
    undo_failed  up = namespace#shard                 c = created at#name      heads of runs with failed undos

**Names cannot collide.** A name may contain any character. In every part except the last of a sort key, `%` and `#` are
written `%25` and `%23`, so a `#` in a key is always a separator and a key can be read in one way only. The last part of
a sort key is not escaped, because DynamoDB must sort by it (by its UTF-8 bytes). A namespace is always a part of the
partition key, so no query crosses it. Parts that are never read back from a key (labels, names and keys of signals,
keys of values, idempotency keys) are replaced by a digest if they are long: `%~` and the digest. No escaped text begins
with `%~`.

**Shards.** DynamoDB takes about 1,000 writes per second on one partition key. The shard of a run is a hash of its
namespace and name (that of a signal or a task, of its namespace and id), so listed items spread over the partitions of
ECHOER_SHARDS; a listing queries all of them and merges the results. The number is a power of two that may only grow:
an entry in a shard of a smaller number is in one that is read under the larger number, too, and moves when its head is
next written. Runs with one value of a label have a quarter as many partitions. Those of the first one have no number in
their key. Signals and subscriptions of one name and key share a partition, because every wait for that name and key
reads them together, and so do the waiters of one queue. bench/SCALE.md has the rates of all of them.

**Classes.** An index by status would rewrite the entry of a run at every change of status. Instead, the entry has only
the class: live, paused, or how the run ended. It moves when a run starts, ends, is paused, continued or stopped. The
exact status is read from the heads, which a listing reads anyway. Only the entry in `changed` moves at each change.

Times (milliseconds, to the year 2286) and numbers are padded with zeros, so that they sort as text. AWS takes 2,048
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
from chalicelib.service.ports.waiters import Waiter

Key: TypeAlias = tuple[str, str]
"""Partition key and sort key."""

SHARDS: Final = 4
"""How many shards a table has unless ECHOER_SHARDS says otherwise. Tasks always have that many: people do them."""

HEAD: Final = "head"
_FLOW: Final = "flow"
_PAGE: Final = "page"
_BESIDE: Final = "beside"
_SENT: Final = "sent"
_BODY: Final = "body"
_SIGNAL: Final = "signal"
"""Longer than any StatusClass, so that the two kinds of partitions of `listed` cannot collide."""
_SCHEDULE: Final = "schedule"
_SEPARATOR: Final = "#"
_MAX_PLAIN_BYTES: Final = 256


class StatusClass(StrEnum):
    """The status of a run in an index entry: one letter, since every byte of a key is billed."""

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

STATUSES_OF: Final = {
    status_class: frozenset(status for status, its_class in CLASS_OF.items() if its_class is status_class)
    for status_class in StatusClass
}


# ── items ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def head(namespace: str, name: str) -> Key:
    return _join("H", namespace, name), HEAD


def of_head(partition: str) -> tuple[str, str]:
    """Return the namespace and the name of the run that has its head in the partition."""
    _, namespace, name = partition.split(_SEPARATOR)
    return _plain(namespace), _plain(name)


def parts(namespace: str, run_id: str) -> str:
    """Return the partition of the run's items other than its head."""
    return _join("R", namespace, run_id)


def own_flow(namespace: str, run_id: str) -> Key:
    return parts(namespace, run_id), _FLOW


def page(namespace: str, run_id: str, last: int) -> Key:
    return parts(namespace, run_id), f"{_PAGE}{_SEPARATOR}{last:012}"


def of_page(sort: str) -> int:
    """Return the number of the last entry of the page with this sort key."""
    return int(sort.partition(_SEPARATOR)[2])


def pages_above(after: int) -> tuple[str, str]:
    """Return the first and the last sort key that a page with a number above `after` can have."""
    return f"{_PAGE}{_SEPARATOR}{after + 1:012}", f"{_PAGE}{_SEPARATOR}{'9' * 12}"


def blobs(namespace: str, run_id: str, key: str) -> Key:
    """Return the key of a blob, which is stored in parts."""
    return parts(namespace, run_id), _SEPARATOR.join((_BESIDE, _short(key)))


def part(value: Key, number: int) -> Key:
    """Return the key of a part of a blob; parts count from 0."""
    k, s = value
    return k, f"{s}{_SEPARATOR}{number:04}"


def delivery(namespace: str, run_id: str, uuid: str, at: Instant) -> Key:
    partition, beginning = deliveries(namespace, run_id, uuid)
    return partition, f"{beginning}{at:013}"


def deliveries(namespace: str, run_id: str, uuid: str) -> Key:
    """Return the partition of the deliveries of an activation, and what their sort keys begin with."""
    return parts(namespace, run_id), f"{_SENT}{_SEPARATOR}{uuid}{_SEPARATOR}"


def label(namespace: str, name: str, value: str, number: int = 0) -> str:
    """Return the partition of one shard of the runs with that label."""
    return _SEPARATOR.join((_join("L", namespace), _short(name), _short(value), *([str(number)] if number else ())))


def label_shards(shards: int) -> int:
    """Return how many shards a label has in a table with so many shards."""
    return max(1, shards // SHARDS)


def label_shards_before(shards: int) -> list[int]:
    """Return how many shards a label may have had in a table that has so many now, which included."""
    return [1 << power for power in range(label_shards(shards).bit_length())]


def newest(namespace: str, kind: Kind, name: str) -> Key:
    return all_newest(namespace, kind), name


def all_newest(namespace: str, kind: Kind) -> str:
    """Return the partition of the newest definitions of a kind."""
    return _join("D", namespace, kind)


def archived(namespace: str, kind: Kind, name: str, version: int) -> Key:
    return _join("V", namespace, kind, name), f"{version:012}"


def idempotency(namespace: str, key: str) -> Key:
    return _SEPARATOR.join((_join("K", namespace), _short(key))), "key"


def versioned_value(namespace: str, key: str) -> Key:
    return _SEPARATOR.join((_join("C", namespace), _short(key))), "cell"


def signal(namespace: str, signal: Signal) -> Key:
    return signals(namespace, signal.name, signal.key, signal.run), sort_key(signal.at, signal.id)


def signals(namespace: str, name: str, key: str, run_id: str) -> str:
    """Return the partition of the signals with that name and key, for that run or (empty) for any run."""
    return _SEPARATOR.join((_join("S", namespace), _short(name), _short(key), _short(run_id)))


def signal_body(namespace: str, signal_id: str) -> Key:
    """Return the key of the blob with a signal that is too large for its item."""
    return _join("B", namespace, signal_id), _BODY


def subscription(namespace: str, subscription: Subscription) -> Key:
    return subscriptions(namespace, subscription.name, subscription.key), _join(subscription.run, subscription.uuid)


def subscriptions(namespace: str, name: str, key: str) -> str:
    """Return the partition of the subscriptions to that name and key."""
    return _SEPARATOR.join((_join("N", namespace), _short(name), _short(key)))


def task(namespace: str, task: Task) -> Key:
    return tasks(namespace, shard(namespace, task.uuid, SHARDS)), sort_key(task.since, task.uuid)


def tasks(namespace: str, number: int) -> str:
    """Return the partition of one shard of a namespace's tasks."""
    return _join("T", namespace, str(number))


def schedule(namespace: str, name: str) -> Key:
    """Return the key of the state of a schedule."""
    return _join("P", namespace, name), _SCHEDULE


def of_schedule(partition: str) -> tuple[str, str]:
    """Return the namespace and the name of the schedule that has its state in the partition."""
    return of_head(partition)


def waiter(namespace: str, queue: str, waiter: Waiter) -> Key:
    return waiters(namespace, queue), sort_key(waiter.at, f"{waiter.place:012}{_SEPARATOR}{waiter.uuid}")


def waiters(namespace: str, queue: str) -> str:
    """Return the partition of the waiters in a queue."""
    return _SEPARATOR.join((_join("Q", namespace), _short(queue)))


def batch(namespace: str, batch_id: str) -> Key:
    return batches(namespace), batch_id


def batches(namespace: str) -> str:
    """Return the partition of a namespace's batches, which sort by time."""
    return _join("J", namespace)


def batch_chunk(namespace: str, batch_id: str, kind: str, number: int) -> Key:
    return _join("J", namespace, batch_id), f"{kind}{_SEPARATOR}{number:06}"


# ── positions in indexes ─────────────────────────────────────────────────────────────────────────────────────────────


def sort_key(at: Instant, name: str = "") -> str:
    """Return a sort key: by time, then by name. Without a name it sorts before all others of that time."""
    return f"{at:013}{_SEPARATOR}{name}"


def of_sort_key(text: str) -> tuple[Instant, str]:
    at, _, name = text.partition(_SEPARATOR)
    return int(at), name


def shard(namespace: str, name: str, shards: int) -> int:
    return zlib.crc32(f"{namespace}\0{name}".encode()) % shards


def timers(number: int) -> str:
    return _join("A", str(number))


def schedule_timers(number: int) -> str:
    return _join("P", str(number))


def listed(namespace: str, status: StatusClass, number: int) -> str:
    return _join(namespace, status, str(number))


def listed_signals(namespace: str, number: int) -> str:
    return _join(namespace, _SIGNAL, str(number))


def by_flow(namespace: str, flow: str, status: StatusClass, number: int) -> str:
    return _join(namespace, flow, status, str(number))


def undo_failed(namespace: str, number: int) -> str:
    return _join(namespace, str(number))


def changed(namespace: str, number: int) -> str:
    return _join(namespace, str(number))


# ── joining ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def _join(*words: str) -> str:
    return _SEPARATOR.join(map(_escaped, words))


def _escaped(word: str) -> str:
    return word.replace("%", "%25").replace(_SEPARATOR, "%23")


def _plain(word: str) -> str:
    return word.replace("%23", _SEPARATOR).replace("%25", "%")


def _short(word: str) -> str:
    """Return the word escaped, or its digest if it is long."""
    raw = word.encode()
    return _escaped(word) if len(raw) <= _MAX_PLAIN_BYTES else f"%~{hashlib.sha256(raw).hexdigest()}"
