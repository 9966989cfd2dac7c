"""Many writers of one item: each reads it, decides, and writes it on the condition that it is as it was read.

This is how a run is advanced (`RunAdvancer`) and a limiter changed (`Limiter`), with the attempts and pauses of both.
The times of a read and a write are assumptions; the rate at which an item can be changed is in proportion to them.
"""

import heapq
import random
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from bench.scale.partitions import MAX_WRITES, Bucket
from chalicelib.entrypoints.workers import retry_delay
from chalicelib.service.limits import limiter
from chalicelib.service.runs import advance

READ_S: Final = 0.004
WRITE_S: Final = 0.006
_SPREAD: Final = 0.5
"""Each time is drawn from half to one and a half of these."""


class Rule(NamedTuple):
    """How often a change is decided again, and the longest pause before each attempt, in milliseconds."""

    attempts: int
    longest_pause_ms: int


OF_RUN: Final = Rule(advance.MAX_ATTEMPTS, advance.MAX_PAUSE_MS)
OF_LIMITER: Final = Rule(limiter.MAX_ATTEMPTS, 4 << limiter.MAX_ATTEMPTS)


@dataclass
class Contended:
    """What became of the changes of one item."""

    per_second: float
    asked: int = 0
    done: int = 0
    writes: int = 0
    throttled: int = 0
    given_back: int = 0
    times: list[float] = field(default_factory=list)

    @property
    def rate(self) -> float:
        return self.done / self.seconds

    seconds: float = 0

    def time_of(self, share: float) -> float:
        return sorted(self.times)[int(share * (len(self.times) - 1))] if self.times else 0


@dataclass(slots=True)
class _Change:
    asked_at: float
    number: int
    attempt: int = 0
    receives: int = 0
    seen: int = -1
    """The version that was read; -1: it must be read first."""


def contend(per_second: float, rule: Rule = OF_RUN, *, units: int = 1, seconds: float = 20, seed: int = 1) -> Contended:
    """Let changes of one item be asked for at random times, and return what became of them within `seconds`.

    `units` are the write units of one write. One that loses uses them as well.
    """
    rng = random.Random(seed)  # noqa: S311 - no secret
    found, version, number = Contended(per_second, seconds=seconds), 0, 0
    events: list[tuple[float, int, _Change]] = []
    bucket = Bucket(MAX_WRITES, MAX_WRITES, MAX_WRITES)

    def at(when: float, change: _Change) -> None:
        nonlocal number
        number += 1
        heapq.heappush(events, (when, number, change))

    def took(longest: float) -> float:
        return longest * (1 - _SPREAD + 2 * _SPREAD * rng.random())

    moment = 0.0
    while (moment := moment + rng.expovariate(per_second)) < seconds:
        found.asked += 1
        at(moment, _Change(moment, found.asked))
    while events and events[0][0] < seconds:
        now, _, change = heapq.heappop(events)
        if change.seen < 0:
            change.seen = version
            at(now + took(READ_S) / 2 + took(WRITE_S), change)  # the version is that of the middle of the read
            continue
        if not bucket.has(units, now):
            found.throttled += 1
            at(now + rng.random(), change)
            continue
        bucket.take(units)
        found.writes += 1
        if change.seen == version:
            version += 1
            found.done += 1
            found.times.append(now - change.asked_at)
            continue
        change.seen, change.attempt = -1, change.attempt + 1
        if change.attempt < rule.attempts:
            at(now + rng.random() * min(4 << change.attempt, rule.longest_pause_ms) / 1_000 + took(READ_S) / 2, change)
            continue
        found.given_back += 1
        change.attempt, change.receives = 0, change.receives + 1
        at(now + retry_delay(str(change.number), change.receives) / 1_000, change)
    return found
