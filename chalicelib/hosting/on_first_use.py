"""Attributes that are made when they are first used."""

from __future__ import annotations

from collections.abc import Callable
from copy import copy
from threading import RLock
from typing import Any, Generic, Self, TypeVar, overload

T = TypeVar("T")


class MadeOnFirstUse:
    """A class with attributes that are made `on_first_use`."""

    def __init__(self) -> None:
        self._making = RLock()

    def changed(self, **values: Any) -> Self:
        """Return a copy with other attributes, and with those that are made already."""
        other = copy(self)
        vars(other).update(values)
        return other


class on_first_use(Generic[T]):  # noqa: N801 - a decorator
    """An attribute that its function makes when it is first used.

    `functools.cached_property` may make it twice when two threads use it at once: it has no lock as of Python 3.12.
    """

    def __init__(self, make: Callable[[Any], T]) -> None:
        self._make = make
        self._name = make.__name__
        self.__doc__ = make.__doc__

    @overload
    def __get__(self, made_for: None, kind: type) -> Self: ...

    @overload
    def __get__(self, made_for: MadeOnFirstUse, kind: type) -> T: ...

    def __get__(self, made_for: MadeOnFirstUse | None, kind: type) -> Self | T:
        if made_for is None:
            return self
        values = vars(made_for)
        with values["_making"]:
            if self._name not in values:
                values[self._name] = self._make(made_for)
            found: T = values[self._name]
            return found
