"""What was compiled, as long as it fits."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from threading import Lock
from typing import Final, Generic, Protocol, TypeVar

MAX_BYTES: Final = 32_000_000
"""What all compiled expressions that are kept may weigh together."""


class _Weighed(Protocol):
    @property
    def weight(self) -> int: ...


T = TypeVar("T", bound=_Weighed)


class Cache(Generic[T]):
    """What was made of each source, the last used first, until it weighs too much. Safe in threads."""

    def __init__(self, make: Callable[[str], T]) -> None:
        self._make = make
        self._made: OrderedDict[str, T] = OrderedDict()
        self._lock = Lock()
        self.bytes = 0

    def __call__(self, source: str) -> T:
        found = self._made.get(source)
        if found is not None:
            try:  # quicker than contextlib.suppress
                self._made.move_to_end(source)
            except KeyError:  # another thread has just dropped it
                return found
            return found
        made = self._make(source)
        with self._lock:
            if source not in self._made:
                self._made[source] = made
                self.bytes += made.weight
            while self.bytes > MAX_BYTES:
                self.bytes -= self._made.popitem(last=False)[1].weight
        return made
