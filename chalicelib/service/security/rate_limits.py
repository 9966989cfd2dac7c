"""Request rates per caller."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from threading import Lock
from typing import Final

from chalicelib.service.errors import ServiceError
from chalicelib.service.ports.clock import Clock

_AT_ONCE: Final = 10_000
"""Tokens that a container remembers, and callers whose rate it knows."""


class TooManyRequests(ServiceError):
    """More requests than the rate allows; `retry_after` is the pause in seconds after which one is taken."""

    code = "too-many-requests"

    def __init__(self, what: str, retry_after: int) -> None:
        super().__init__(f"{what} sends more requests than its rate allows; come again in {retry_after} s")
        self.retry_after = retry_after


class Rates:
    """How often callers come to this container: each at its rate, one second's worth at once after a pause.

    It is the generic cell rate algorithm, in microseconds since 1970. With several containers the whole takes as many
    times more.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = Lock()
        self._next: OrderedDict[str, int] = OrderedDict()
        """When each caller's next request would come if none ever came early."""

    def take(self, rates: Mapping[str, int]) -> None:
        """A request was counted for each of these callers, at so many per second (0: any number).

        Raises TooManyRequests where one of them is too early; then it was counted for none.
        """
        now = self._clock.now() * 1000
        limited = {who: 1_000_000 // rate for who, rate in rates.items() if rate}
        with self._lock:
            following = {who: max(now, self._next.get(who, now)) for who in limited}
            for who, interval in limited.items():
                early = following[who] - (rates[who] - 1) * interval - now
                if early > 0:
                    raise TooManyRequests(who, -(-early // 1_000_000))
            for who, interval in limited.items():
                self._next.pop(who, None)
                self._next[who] = following[who] + interval
            while len(self._next) > _AT_ONCE:
                self._next.popitem(last=False)
