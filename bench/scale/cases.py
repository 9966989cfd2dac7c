"""What is played against the simulated table, and what came of it."""

import random
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Final, TypeAlias

from bench.scale.playing import Run, played
from bench.scale.recording import TABLE, Access
from bench.scale.stories import Story
from bench.scale.table import DEFAULT, NEW, RAISED, Capacity, Table
from bench.scale.traffic import Outcome, Traffic, evenly

Stories: TypeAlias = Mapping[str, Story]

FEW: Final = 4
MANY: Final = 64
"""Numbers of shards: the default, and enough for 10,000 runs per second in one namespace."""

_SPREAD: Final = 100
"""Among how many namespaces, each with its flow, runs are spread evenly."""

FIXED: Final = Capacity.of(400_000, 400_000, adaptive=False, spare=2)
SPENT: Final = Capacity.of(400_000, 400_000, adaptive=False, spare=2, rested=False)
"""Tables of the size of RAISED, of which the capacity does not adapt: each partition has half of what it could take,
and what it did not use in the last 300 seconds, or nothing of that."""

TABLES: Final = {
    "new": NEW,
    "default": DEFAULT,
    "raised": RAISED,
    "raised, fixed": FIXED,
    "raised, fixed, no burst": SPENT,
}


@dataclass(frozen=True)
class Case:
    """Runs of a story that arrive `per_second` for `seconds`. `change` is as in `played`."""

    title: str
    story: str
    per_second: float
    table: str = "raised"
    shards: int = FEW
    seconds: float = 16
    spread: bool = False
    change: Callable[[Access], Access] = lambda access: access
    most: int | None = None
    drain_s: float = 0
    weather: Callable[[float], float] | None = None

    def play(self, stories: Stories) -> Outcome:
        rng = random.Random(2)  # noqa: S311 - no secret

        def make(number: int, now: float) -> Run:
            owner = number % _SPREAD if self.spread else 0
            return Run(number, rng, f"ns{owner}", f"flow{owner}", self.shards, now)

        arrivals: Iterator[Run] = evenly(self.per_second, make, most=self.most)
        calls = played(stories[self.story], self.change)
        return Traffic(
            Table(TABLES[self.table]), calls, arrivals, self.seconds, self.drain_s, weather=self.weather
        ).play()


def of_size(start: str, kilobytes: float, *, reads_only: bool = False) -> Callable[[Access], Access]:
    """Return the change that gives items another size, of which the partition in the table begins so.

    `reads_only`: what is read at once has that size; what is written is as it was recorded.
    """

    def change(access: Access) -> Access:
        if access.resource != TABLE or not access.partition.startswith(start):
            return access
        writes = access.writes if reads_only else access.writes and int(-(-kilobytes // 1))
        return replace(access, reads=access.reads and -(-kilobytes // 4), writes=writes)

    return change


SUBSCRIPTION_BYTES: Final = 180
HOLDER_BYTES: Final = 75
"""The stored sizes of a subscription and of the holder of a permit, with names of some 15 characters."""

_OF_10_000_WAITERS: Final = of_size("N#", 10_000 * SUBSCRIPTION_BYTES / 1024, reads_only=True)

CASES: Final = (
    Case("100 flows in 100 namespaces", "callback", 10_000, seconds=3, spread=True),
    Case("100 flows in 100 namespaces", "callback", 10_000, shards=MANY, seconds=3, spread=True),
    Case("the same, inline", "inline", 10_000, shards=MANY, seconds=3, spread=True),
    Case("the same, inline", "inline", 10_000, "raised, fixed", MANY, seconds=3, spread=True),
    Case("the same, inline", "inline", 10_000, "raised, fixed, no burst", MANY, seconds=3, spread=True),
    Case("the same, inline", "inline", 10_000, "default", MANY, seconds=8, spread=True),
    Case("one namespace and flow, inline", "inline", 1_200),
    Case("one namespace and flow, inline", "inline", 2_000),
    Case("one namespace and flow, inline", "inline", 2_000, "raised, fixed, no burst"),
    Case("one namespace and flow, inline", "inline", 2_000, shards=8),
    Case("one namespace and flow, inline", "inline", 2_000, "raised, fixed, no burst", shards=16),
    Case("one namespace and flow, inline", "inline", 10_000, shards=MANY, seconds=3),
    Case("the same, one step, one label with one value", "labelled", 1_200),
    Case("the same, one step, one label with one value", "labelled", 1_200, shards=16),
    Case("one namespace and flow on a new table", "inline", 300, "new", seconds=20),
    Case("one namespace and flow on a new table", "inline", 1_000, "new", seconds=20),
    Case("a wait for one event without a key", "waits", 300),
    Case("a wait for one event without a key", "waits", 600),
    Case("one event without a key, nothing waits", "publish", 900),
    Case("one event without a key, nothing waits", "publish", 1_500),
    Case("one event without a key, 10,000 runs wait", "waits", 5, change=_OF_10_000_WAITERS),
    Case("one event without a key, 10,000 runs wait", "waits", 20, change=_OF_10_000_WAITERS),
    Case("10,000 schedules, one second", "schedule", 10_000, seconds=1, most=10_000, drain_s=300),
    Case("10,000 schedules, one second", "schedule", 10_000, shards=MANY, seconds=1, most=10_000, drain_s=300),
    Case("an action with `per_second`", "paced", 400),
    Case("an action, 20 permits held", "scarce", 100, change=of_size("C#", 20 * HOLDER_BYTES / 1024)),
    Case("a flow, 1,000 permits held", "single", 5, change=of_size("C#", 1_000 * HOLDER_BYTES / 1024)),
    Case("a flow, 1,000 permits held", "single", 20, change=of_size("C#", 1_000 * HOLDER_BYTES / 1024)),
    Case("1,000 cold containers in 10 s", "cold", 100, seconds=10),
    Case("the same, a flow of 64 KB", "cold", 100, seconds=10, change=of_size("D#default#flow", 64)),
    Case("10,000 warm ones look for newer flows, each 2 s", "stale", 5_000, shards=MANY, seconds=4),
    Case("10,000 warm ones look for newer flows, each 10 s", "stale", 1_000, shards=MANY, seconds=4),
)

STORM_S: Final = 60


def _storm(share: float) -> Callable[[float], float]:
    """Return the share of requests that is refused at a time: all of it falls within the first minute."""
    return lambda now: share if now < STORM_S else 0.0


STORMS: Final = (
    Case("five steps by callback, half refused", "callback", 100, seconds=STORM_S, drain_s=600, weather=_storm(0.5)),
    Case("five steps inline, half refused", "inline", 100, seconds=STORM_S, drain_s=600, weather=_storm(0.5)),
    Case(
        "five steps by callback, nine of ten refused",
        "callback",
        100,
        seconds=STORM_S,
        drain_s=600,
        weather=_storm(0.9),
    ),
)
