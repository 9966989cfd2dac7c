"""Request rates of API callers."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from threading import Lock
from typing import Final, Protocol

from chalicelib.service.cell_rate import US_PER_MS, CellRate
from chalicelib.service.errors import ServiceError
from chalicelib.service.ports.clock import Clock

MAX_TRACKED_CALLERS: Final = 10_000
"""How many callers' rates one container tracks."""

_US_PER_SECOND: Final = 1_000_000


class TooManyRequests(ServiceError):
    """The caller sends more requests than its rate allows; `retry_after` is the pause in seconds."""

    code = "too-many-requests"

    def __init__(self, what: str, retry_after: int) -> None:
        super().__init__(f"{what} sends more requests than its rate allows; try again in {retry_after} s")
        self.retry_after = retry_after


class CallTimes(Protocol):
    """When callers may call again: the `next_at` of each, in microseconds since 1970."""

    def get(self, caller: str) -> int | None:
        """Return the time of the caller; None if it is not known."""
        ...

    def put(self, caller: str, next_at: int) -> None:
        """Set the time of the caller. Times that are over may be forgotten."""
        ...


class OwnCallTimes:
    """Implements `CallTimes` for this process alone."""

    def __init__(self) -> None:
        self._next: OrderedDict[str, int] = OrderedDict()

    def get(self, caller: str) -> int | None:
        return self._next.get(caller)

    def put(self, caller: str, next_at: int) -> None:
        self._next[caller] = next_at
        self._next.move_to_end(caller)
        if len(self._next) > MAX_TRACKED_CALLERS:
            self._next.popitem(last=False)


class Rates:
    """Limits how often each caller calls this container.

    Each caller may send one second's worth of requests at once after a pause. Every container counts for itself, so
    several containers together accept that many times more; the processes of one server count together (`times`).
    """

    def __init__(self, clock: Clock, times: CallTimes | None = None) -> None:
        self._clock = clock
        self._times = times or OwnCallTimes()
        self._lock = Lock()

    def take(self, rates: Mapping[str, int]) -> None:
        """Count a request for each of these callers. Rates are per second; 0 means unlimited.

        Raises TooManyRequests if the rate of one of them is exceeded; then the request counts for none.
        """
        now = self._clock.now() * US_PER_MS
        limited = {caller: CellRate.of(per_second) for caller, per_second in rates.items() if per_second}
        with self._lock:
            known = {caller: self._times.get(caller) for caller in limited}
            next_at = {caller: now if time is None else time for caller, time in known.items()}
            for caller, rate in limited.items():
                wait = rate.wait_us(next_at[caller], now)
                if wait:
                    raise TooManyRequests(caller, -(-wait // _US_PER_SECOND))
            for caller, rate in limited.items():
                self._times.put(caller, rate.after(next_at[caller], now))
