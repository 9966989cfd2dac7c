"""What the seed decides.

Every decision is a pure function of the seed, the place where it is made and how often one was made there, so that
leaving one fault out disturbs the others as little as can be. A schedule has its own mix of faults: some kinds are
left out of it, and the rest strike more or less often ("swarm testing").
"""

from __future__ import annotations

import random
from collections import Counter
from typing import Final, TypeAlias
from zlib import crc32

Decision: TypeAlias = tuple[str, int]
"""A place, and how many decisions were made there before."""

READ_FAULTS: Final = ("crash-before-read", "read-throttled", "stall")
WRITE_FAULTS: Final = ("crash-before-write", "crash-after-write", "write-throttled", "write-unseen", "stall")
SAVE_FAULTS: Final = (*WRITE_FAULTS, "conflict-though-written")
SEND_FAULTS: Final = ("crash-before-send", "crash-after-send", "send-failed", "send-unseen", "send-partly", "stall")
POST_FAULTS: Final = ("crash-before-post", "crash-after-post")
HTTP_FAULTS: Final = (
    "http-refused",
    "http-timeout",
    "http-timeout-though-taken",
    "http-5xx",
    "http-429",
    "http-4xx",
    "answer-in-answer",
    "answer-in-answer",
    "garbage-in-answer",
)
DIRECT_FAULTS: Final = (
    "direct-refused",
    "direct-timeout",
    "direct-5xx",
    "direct-4xx",
    "direct-408",
    "direct-429",
    "direct-404",
    "direct-409",
    "direct-broken-off",
)
CALLBACK_FAULTS: Final = (
    "callback-early",
    "callback-late",
    "callback-never",
    "callback-doubled",
    "callbacks-at-once",
    "callback-unrouted",
    "callback-reports",
    "callback-odd",
    "callback-error",
    "forged-uuid",
    "forged-run",
    "forged-step",
    "large-answer",
)
MESSAGE_FAULTS: Final = ("message-doubled", "message-delayed", "message-reordered", "timer-lost")
RECEIVE_FAULTS: Final = ("visibility-runs-out", "dead-letter", "delete-lost")
ORDERS: Final = (
    "pause",
    "pause",
    "continue",
    "stop",
    "retry",
    "retry-undos",
    "retry-undos",
    "delete",
    "vars",
    "signal",
    "publish",
    "publish",
    "redefine",
    "start-again",
    "late-answer",
    "restart",
    "inbox",
)
REPAIRS: Final = (
    "retry-mended",
    "retry-mended",
    "migrate",
    "migrate",
    "migrate",
    "goto",
    "goto",
    "redefine-action",
    "redefine-alike",
    "redefine-alike",
)
TIMETABLE_ORDERS: Final = ("pause-schedule", "run-schedule", "redefine-schedule", "redefine-schedule")
SWEEP_FAULTS: Final = ("two-sweepers", "sweep-missing", "stale-index")
NATURAL: Final = ("message-before-commit", "conflict", "handler-timed-out", "clock-skew", "second-consumer")
"""What happens by itself, without a decision that could be left out."""

_SWARM: Final = tuple(
    dict.fromkeys(
        (
            *READ_FAULTS,
            *SAVE_FAULTS,
            *SEND_FAULTS,
            *POST_FAULTS,
            *HTTP_FAULTS,
            *DIRECT_FAULTS,
            *CALLBACK_FAULTS,
            *MESSAGE_FAULTS,
            *RECEIVE_FAULTS,
            *ORDERS,
            *TIMETABLE_ORDERS,
            *SWEEP_FAULTS,
            *NATURAL,
        )
    )
)

INLINE: Final = ("held-delivery", "held-received")
"""Inline deliveries that were committed, and receptions of a message for one."""

FAULTS: Final = (*_SWARM, *dict.fromkeys(REPAIRS), *INLINE)
"""Every kind of fault, and of what may go wrong."""

_ALL: Final = (1 << 64) - 1


def _mix(x: int) -> int:
    """The finaliser of splitmix64: every bit of the result depends on every bit of `x`."""
    x = ((x ^ (x >> 30)) * 0xBF58476D1CE4E5B9) & _ALL
    x = ((x ^ (x >> 27)) * 0x94D049BB133111EB) & _ALL
    return x ^ (x >> 31)


class Fates:
    """The decisions of one schedule. `dropped` are decisions for a fault that are taken back."""

    def __init__(self, seed: int, dropped: frozenset[Decision] = frozenset()) -> None:
        self.seed = seed
        self.rng = random.Random(seed)  # noqa: S311
        self.calm = False
        """From now on no fault strikes."""
        self.struck: list[tuple[Decision, str]] = []
        self.counts: Counter[str] = Counter()
        self._dropped = dropped
        self._made: dict[str, int] = {}
        self._bases: dict[str, int] = {}
        self._severity = self.rng.choice((0.0, 0.5, 1.0, 2.0, 4.0, 6.0))
        self._missing = {kind for kind in _SWARM if self.rng.random() < 0.25}

    def number(self, place: str) -> int:
        """64 random bits."""
        return self._draw(place)[1]

    def below(self, place: str, bound: int) -> int:
        """A number from 0 to `bound` - 1."""
        return self._draw(place)[1] % bound

    def strikes(self, place: str, kinds: tuple[str, ...], rate: float, *, fixed: bool = False) -> str:
        """Return the fault that strikes here; empty for none. `fixed`: `rate` does not depend on the mix of faults."""
        nth, drawn = self._draw(place)
        ids = rate if fixed else rate * self._severity
        if self.calm or drawn >= ids * _ALL or (place, nth) in self._dropped:
            return ""
        kind = kinds[_mix(drawn) % len(kinds)]
        if kind in self._missing:
            return ""
        self.struck.append(((place, nth), kind))
        self.counts[kind] += 1
        return kind

    def strikes_at(self, call: str, kinds: tuple[str, ...], rate: float) -> str:
        """The fault that strikes at that call of a port."""
        return self.strikes("call", kinds, rate)

    def happened(self, kind: str) -> None:
        """A natural fault was met."""
        self.counts[kind] += 1

    def span(self, place: str, shortest: int, longest: int) -> int:
        """A time between the two, as likely to be among the short as among the long ones."""
        drawn = self._draw(place)[1] / _ALL
        return int(shortest * (longest / shortest) ** drawn)

    def _draw(self, place: str) -> tuple[int, int]:
        nth = self._made.get(place, 0)
        self._made[place] = nth + 1
        base = self._bases.get(place)
        if base is None:
            base = self._bases[place] = _mix(self.seed * 0x9E3779B97F4A7C15 + crc32(place.encode()) & _ALL)
        return nth, _mix((base + (nth + 1) * 0x9E3779B97F4A7C15) & _ALL)
