"""A table and its indexes. A write is refused if one of the index partitions that it changes has no capacity left.

DynamoDB writes indexes a moment later and absorbs short bursts; here an index that is behind refuses at once. At a
constant rate both come to the same ("GSI back-pressure": Developer Guide, "Understanding Global Secondary Index (GSI)
write throttling and back pressure").
"""

from collections import Counter
from collections.abc import Sequence
from typing import Final, NamedTuple

from bench.scale.partitions import MAX_READS, MAX_WRITES, Partition, Partitions, Point
from bench.scale.recording import TABLE
from chalicelib.adapters.dynamodb import tables

RESOURCES: Final = (TABLE, *(index.name for index in tables.INDEXES))


class Use(NamedTuple):
    """What a request uses of one partition. `name` is what the report calls its key."""

    resource: str
    name: str
    point: Point
    reads: float
    writes: int


class Capacity(NamedTuple):
    """What the table and each index can take in all."""

    writes: float
    reads: float
    partitions: int
    adaptive: bool
    rested: bool

    @staticmethod
    def of(writes: float, reads: float, *, adaptive: bool = True, spare: float = 1, rested: bool = True) -> "Capacity":
        """Return a table with as many partitions as it needs for its throughput, times `spare`."""
        count = int(spare * max(writes / MAX_WRITES, reads / MAX_READS))
        return Capacity(writes, reads, count, adaptive, rested)


NEW: Final = Capacity.of(4_000, 12_000)
"""A new table that is billed by request ("Initial throughput for on-demand capacity mode")."""

DEFAULT: Final = Capacity.of(40_000, 40_000)
"""A table at its default quota ("Throughput default quotas"), warmed up to it."""

RAISED: Final = Capacity.of(400_000, 400_000)
"""A table of which the quota was raised tenfold, warmed up to it."""


class Table:
    """A simulated table."""

    def __init__(self, capacity: Capacity) -> None:
        self._resources = {
            name: Partitions(
                name,
                capacity.writes,
                capacity.reads,
                capacity.partitions,
                adaptive=capacity.adaptive,
                rested=capacity.rested,
            )
            for name in RESOURCES
        }
        self.throttled: Counter[tuple[str, str]] = Counter()
        """How many requests were refused, by resource and key."""

    def request(self, uses: Sequence[Use], now: float) -> bool:
        """Serve the request as a whole, or refuse it."""
        places = []
        for use in uses:
            resource = self._resources[use.resource]
            part = resource.of(use.point)
            if use.writes and not resource.has_write(part, use.writes, now):
                return self._refuse(resource, part, use, now)
            if use.reads and not resource.has_read(part, use.reads, now):
                return self._refuse(resource, part, use, now)
            places.append((resource, part))
        for use, (resource, part) in zip(uses, places, strict=True):
            if use.writes:
                resource.write(part, use.point, use.writes)
            if use.reads:
                resource.read(part, use.point, use.reads)
        return True

    def _refuse(self, resource: Partitions, part: Partition, use: Use, now: float) -> bool:
        resource.throttle(part, now)
        self.throttled[use.resource, use.name] += 1
        return False

    @property
    def splits(self) -> int:
        return sum(resource.splits for resource in self._resources.values())
