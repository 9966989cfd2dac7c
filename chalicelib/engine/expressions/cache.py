"""Parsed expressions, the last used first."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from threading import Lock
from typing import Final, Generic, TypeVar

T = TypeVar("T")

CHARACTERS: Final = 200_000
"""Of all the sources kept: a parsed expression takes up to 300 bytes for each."""


class Cache(Generic[T]):
    """What was made of a source, until the sources together become too long. Safe in threads."""

    def __init__(self, make: Callable[[str], T]) -> None:
        self._make = make
        self._made: OrderedDict[str, T] = OrderedDict()
        self._characters = 0
        self._lock = Lock()

    def __call__(self, source: str) -> T:
        with self._lock:
            if source in self._made:
                self._made.move_to_end(source)
                return self._made[source]
        made = self._make(source)
        with self._lock:
            if source not in self._made:
                self._made[source] = made
                self._characters += len(source) + 40
            while self._characters > CHARACTERS and self._made:
                dropped, _ = self._made.popitem(last=False)
                self._characters -= len(dropped) + 40
        return made
