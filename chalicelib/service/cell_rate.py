"""The generic cell rate algorithm, shared by the rate limits of actions and of API callers.

A limit of `per_second` admits a burst at once after a pause, then one request per interval. Moments are
microseconds since 1970, so that rounding errors do not add up.

The state is one moment, `next_at`: when the next request would arrive if requests kept exactly to their intervals. A
request is admitted if `next_at` is at most `tolerance` in the future, and moves `next_at` by one interval.
"""

from __future__ import annotations

from typing import Final

import msgspec

US_PER_MS: Final = 1_000
_US_PER_SECOND: Final = 1_000_000
_MAX_INTERVAL_US: Final = 366 * 86_400 * _US_PER_SECOND


class CellRate(msgspec.Struct, frozen=True):
    """A rate: the time between two requests, and how far ahead of their intervals requests may arrive."""

    interval_us: int
    tolerance_us: int

    @staticmethod
    def of(per_second: float, burst: int | None = None) -> CellRate:
        """Return the rate of `per_second` requests, which is above 0 and may be below 1.

        `burst` requests are admitted at once after a pause; None: one second's worth.
        """
        interval_us = max(1, int(min(_US_PER_SECOND / per_second, _MAX_INTERVAL_US)))
        at_once = max(1.0, per_second) if burst is None else burst
        return CellRate(interval_us, int((at_once - 1) * interval_us))

    def wait_us(self, next_at: int, now: int) -> int:
        """Return how long a request that arrives `now` must wait; 0 if it is admitted."""
        return max(0, next_at - self.tolerance_us - now)

    def after(self, next_at: int, now: int) -> int:
        """Return `next_at` after one more request has been admitted."""
        return max(next_at, now) + self.interval_us


def milliseconds(microseconds: int) -> int:
    """Round up to milliseconds."""
    return -(-microseconds // US_PER_MS)
