"""Virtual time: handlers that send requests to a simulated table, and all that tries again when it throttles.

A request that is refused is repeated after pauses with full jitter: by `aws_clients` once, then by botocore's mode
"standard". If it is refused still, the handler ends with Busy: a message comes again after `workers.retry_delay`, and a
client repeats its request after the `Retry-After` of the response and up to a second more. The retry quota of the SDK,
which only makes retries fewer, is left out.
"""

import heapq
import random
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from bench.scale.playing import Played, Run
from bench.scale.stories import HOP_MS
from bench.scale.table import Table
from chalicelib.adapters.aws_clients.first_attempt import READERS
from chalicelib.adapters.dynamodb.items import TableLocation
from chalicelib.adapters.sqs import MAX_RECEIVES
from chalicelib.entrypoints.http.errors import RETRY_AFTER
from chalicelib.entrypoints.workers import retry_delay

REQUEST_S: Final = 0.005
"""How long a request takes: an assumption. It counts for nothing but the time of a run."""

_BACKOFF_S: Final = 20.0
"""The longest pause of botocore."""

_CLIENT_PAUSE_S: Final = float(str(RETRY_AFTER["Retry-After"]))


def pauses_of(operation: str) -> tuple[float, ...]:
    """Return the longest pauses of the SDK before each repetition of a request that was throttled, in seconds."""
    is_first_apart = operation in READERS
    by_botocore = TableLocation().retries - 1
    return (*([1.0] if is_first_apart else []), *(min(2.0**number, _BACKOFF_S) for number in range(by_botocore)))


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
    """Runs that arrive at a table. `weather(now)` is the share of requests that fails, whichever keys they touch."""

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
        self._number = 0
        self._pauses = {operation: pauses_of(operation) for call in self.calls for operation in call.operations}
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
        self._call_done(run, now + made * REQUEST_S)

    def _refused(self, run: Run, number: int, call: Played, now: float) -> None:
        pauses = self._pauses[call.operations[number]]
        run.attempts += 1
        run.at_request = number
        if run.attempts <= len(pauses):
            self._at(now + self._rng.random() * pauses[run.attempts - 1], run)
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

    def _call_done(self, run: Run, now: float) -> None:
        run.at_call, run.at_request, run.attempts, run.receives = run.at_call + 1, 0, 0, 0
        if run.at_call < len(self.calls):
            following = self.calls[run.at_call]
            self._at(now + (following.pause_s if following.http else HOP_MS / 1_000), run)
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
