"""Partitions of a table or an index: key ranges, each with limits of its own, which split under heat.

A key is a point: the hash of its partition key and its place among the sort keys of that partition key, both from 0 to
1. A partition is the range of points from its lower bound to the next one. So an item collection can be divided, as
DynamoDB does it, but a collection to which items are added at its end stays hot: a split leaves all that is added in
one half.

What is documented: 1,000 write and 3,000 read units per second and partition; unused capacity is kept for up to 300
seconds; a partition with traffic near its limit is split. Not documented: how long that takes. `SPLIT_AFTER_S` is an
assumption.
"""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field
from math import inf
from typing import Final, TypeAlias

MAX_WRITES: Final = 1_000.0
MAX_READS: Final = 3_000.0
BURST_S: Final = 300.0
SPLIT_AFTER_S: Final = 5.0
"""How long a partition must have throttled before it is split. DynamoDB takes minutes; a play has seconds."""

_SAMPLES: Final = 64

Point: TypeAlias = tuple[float, float]


@dataclass(slots=True)
class Bucket:
    """Capacity that is refilled continuously, up to `depth` units."""

    rate: float
    depth: float
    level: float
    at: float = 0.0

    def has(self, units: float, now: float) -> bool:
        """Return whether so many units are left. A request larger than the bucket passes if it is full."""
        self.level = min(self.depth, self.level + (now - self.at) * self.rate)
        self.at = now
        return self.level >= units or self.level >= self.depth

    def take(self, units: float) -> None:
        self.level -= units


@dataclass(slots=True)
class Partition:
    """A key range. Its share of the table binds it unless capacity adapts; its own limit always does."""

    lower: Point
    writes: Bucket
    reads: Bucket
    share_of_writes: Bucket | None = None
    share_of_reads: Bucket | None = None
    throttled_since: float = inf
    recent: list[Point] = field(default_factory=list)
    used: float = 0
    throttled: int = 0


class Partitions:
    """All partitions of one table or index."""

    def __init__(
        self, name: str, writes: float, reads: float, count: int, *, adaptive: bool, rested: bool = True
    ) -> None:
        """Divide the keys evenly. `writes` and `reads` are the units per second of all partitions together.

        `rested`: no share was used for `BURST_S`.
        """
        self.name = name
        self._adaptive = adaptive
        self.all_writes = Bucket(writes, writes, writes)
        self.all_reads = Bucket(reads, reads, reads)
        self._parts = [_partition((number / count, 0.0)) for number in range(count)]
        if not adaptive:
            for part in self._parts:
                part.share_of_writes = _share(writes / count, rested=rested)
                part.share_of_reads = _share(reads / count, rested=rested)
        self._lowers = [part.lower for part in self._parts]
        self.splits = 0

    def of(self, point: Point) -> Partition:
        return self._parts[bisect_right(self._lowers, point) - 1]

    @property
    def parts(self) -> Sequence[Partition]:
        return self._parts

    def has_write(self, part: Partition, units: float, now: float) -> bool:
        share = part.share_of_writes
        return (
            part.writes.has(units, now) and self.all_writes.has(units, now) and (share is None or share.has(units, now))
        )

    def has_read(self, part: Partition, units: float, now: float) -> bool:
        share = part.share_of_reads
        return (
            part.reads.has(units, now) and self.all_reads.has(units, now) and (share is None or share.has(units, now))
        )

    def write(self, part: Partition, point: Point, units: float) -> None:
        part.writes.level -= units
        self.all_writes.level -= units
        if part.share_of_writes is not None:
            part.share_of_writes.take(units)
        self._used(part, point, units)

    def read(self, part: Partition, point: Point, units: float) -> None:
        part.reads.level -= units
        self.all_reads.level -= units
        if part.share_of_reads is not None:
            part.share_of_reads.take(units)
        self._used(part, point, units)

    def _used(self, part: Partition, point: Point, units: float) -> None:
        part.used += units
        if self._adaptive and part.throttled_since < inf:
            part.recent.append(point)
            if len(part.recent) > _SAMPLES:
                del part.recent[0]

    def throttle(self, part: Partition, now: float) -> None:
        """Note that a request to the partition was refused; split it if that has gone on for long enough."""
        part.throttled += 1
        part.throttled_since = min(part.throttled_since, now)
        if self._adaptive and now - part.throttled_since >= SPLIT_AFTER_S and len(part.recent) == _SAMPLES:
            self._split(part, now)

    def _split(self, part: Partition, now: float) -> None:
        """Divide the range in the middle of its last requests. A range of one item cannot be divided."""
        middle = sorted(part.recent)[_SAMPLES // 2]
        part.throttled_since, part.recent = inf, []
        if middle <= part.lower:
            return
        upper = _partition(middle, now)
        place = bisect_right(self._lowers, part.lower)
        self._parts.insert(place, upper)
        self._lowers.insert(place, middle)
        self.splits += 1


def _share(rate: float, *, rested: bool) -> Bucket:
    return Bucket(rate, rate * BURST_S, rate * (BURST_S if rested else 1))


def _partition(lower: Point, now: float = 0.0) -> Partition:
    return Partition(
        lower, Bucket(MAX_WRITES, MAX_WRITES, MAX_WRITES, now), Bucket(MAX_READS, MAX_READS, MAX_READS, now)
    )
