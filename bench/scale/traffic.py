"""Virtual time: handlers that send requests to a simulated table, and all that tries again when it throttles.

A request that is refused is repeated by the SDK (botocore's mode "standard": full jitter, 1 s at first, twice as long
each time, `TableLocation.retries` times). If it is refused still, the handler ends with Busy: a message comes again
after `workers.retry_delay`, and a client repeats its request after the `Retry-After` of the response and up to a second
more. The retry quota of the SDK, which only makes retries fewer, is left out.
"""

import heapq
import random
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from bench.scale.playing import Played, Run, requests_of
from bench.scale.table import Table
from chalicelib.adapters.dynamodb.items import TableLocation
from chalicelib.adapters.sqs import MAX_RECEIVES
from chalicelib.entrypoints.http.errors import RETRY_AFTER
from chalicelib.entrypoints.workers import retry_delay

ATTEMPTS: Final = 1 + TableLocation().retries
REQUEST_S: Final = 0.005
"""How long a request takes: an assumption. It counts for nothing but the time of a run."""

HOP_S: Final = 0.02
"""How long a message is on its way: an assumption, likewise."""

_CLIENT_PAUSE_S: Final = float(RETRY_AFTER["Retry-After"])
_BACKOFF_S: Final = 20.0
"""The longest pause of the SDK."""


@dataclass
class Outcome:
    """What became of the traffic. Times are in seconds."""

    started: int = 0
    done: int = 0
    done_late: int = 0
    """How many runs ended in the second half of the arrivals: twice that over `seconds` is the rate that is kept up."""
    made: int = 0
    needed: int = 0
    given_back: int = 0
    """How often a handler gave up, and its message or its client came again."""
    dead: int = 0
    times: list[float] = field(default_factory=list)
    seconds: float = 0
    throttled: Counter[tuple[str, str]] = field(default_factory=Counter)
    splits: int = 0
    last_done: float = 0

    @property
    def rate(self) -> float:
        """Runs per second that ended, in the second half."""
        return 2 * self.done_late / self.seconds

    @property
    def amplification(self) -> float:
        return self.made / self.needed if self.needed else 0

    def time_of(self, share: float) -> float:
        return sorted(self.times)[int(share * (len(self.times) - 1))] if self.times else 0


@dataclass
class Traffic:
    """Runs that arrive at a table. `weather(now)` is the share of requests that it refuses whatever they touch."""

    table: Table
    calls: Sequence[Played]
    arrivals: Iterator[Run]
    seconds: float
    drain_s: float = 0
    seed: int = 1
    weather: Callable[[float], float] | None = None

    def play(self) -> Outcome:
        """Let runs arrive for `seconds`, and go on for `drain_s` more."""
        self._rng, self._outcome = random.Random(self.seed), Outcome(seconds=self.seconds)  # noqa: S311
        self._events: list[tuple[float, int, Run]] = []
        self._number, self._needed = 0, requests_of(self.calls)
        self._admit_next()
        until = self.seconds + self.drain_s
        while self._events and self._events[0][0] <= until:
            now, _, run = heapq.heappop(self._events)
            if not run.at_call and not run.at_request and not run.attempts and not run.receives:
                self._outcome.started += 1
                self._admit_next()
            self._go_on(run, now)
        self._outcome.throttled, self._outcome.splits = self.table.throttled, self.table.splits
        return self._outcome

    def _admit_next(self) -> None:
        run = next(self.arrivals, None)
        if run is not None and run.began < self.seconds:
            self._at(run.began, run)

    def _at(self, when: float, run: Run) -> None:
        self._number += 1
        heapq.heappush(self._events, (when, self._number, run))

    def _go_on(self, run: Run, now: float) -> None:
        """Send the requests of the call from where it is."""
        call = self.calls[run.at_call]
        drawn, made = self._rng.random(), 0
        refused = self.weather(now) if self.weather else 0.0
        for number in range(run.at_request, len(call.requests)):
            made += 1
            uses = [use(run, now, drawn) for use in call.requests[number]]
            if (refused and self._rng.random() < refused) or not self.table.request(uses, now):
                self._outcome.made += made
                self._outcome.needed += made - 1
                self._refused(run, number, call, now)
                return
            run.attempts = 0
        self._outcome.made += made
        self._outcome.needed += made
        self._call_done(run, call, now + made * REQUEST_S)

    def _refused(self, run: Run, number: int, call: Played, now: float) -> None:
        run.attempts += 1
        run.at_request = number
        if run.attempts < ATTEMPTS:
            pause = self._rng.random() * min(2.0 ** (run.attempts - 1), _BACKOFF_S)
            self._at(now + pause, run)
            return
        self._outcome.given_back += 1
        self._outcome.needed -= number  # what the call had done is done once more
        run.at_request = run.attempts = 0
        run.receives += 1
        if run.receives >= MAX_RECEIVES:
            self._outcome.dead += 1
        elif call.http:
            self._at(now + _CLIENT_PAUSE_S + self._rng.random(), run)
        else:
            self._at(now + retry_delay(str(run.head), run.receives) / 1_000, run)

    def _call_done(self, run: Run, call: Played, now: float) -> None:
        run.at_call, run.at_request, run.attempts, run.receives = run.at_call + 1, 0, 0, 0
        if run.at_call < len(self.calls):
            following = self.calls[run.at_call]
            self._at(now + (following.pause_s if following.http else HOP_S), run)
            return
        outcome = self._outcome
        outcome.done += 1
        outcome.last_done = max(outcome.last_done, now)
        outcome.done_late += self.seconds / 2 <= now < self.seconds
        outcome.times.append(now - run.began)


def evenly(
    per_second: float, make: Callable[[int, float], Run], *, most: int | None = None, start: float = 0
) -> Iterator[Run]:
    """Yield runs that arrive at regular intervals: `make(number, now)` makes each."""
    number = 0
    while most is None or number < most:
        yield make(number, start + number / per_second)
        number += 1
