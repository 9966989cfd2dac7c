"""The operations of cloud services that actions may name, as far as the checker needs to know them.

The language knows no service: a host gives it `Operations`, and then the args of such actions are checked.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol


class Shape(Protocol):
    """What a value that an operation takes must be."""

    @property
    def kind(self) -> str:
        """One of structure, map, list, string, integer, float, boolean, blob, timestamp, document (any JSON value)."""
        ...

    @property
    def members(self) -> Mapping[str, Shape]:
        """The members of a structure."""
        ...

    @property
    def takes_text(self) -> bool:
        """Whether text may stand for a structure."""
        ...

    @property
    def required(self) -> frozenset[str]:
        """The members of a structure that must be given."""
        ...

    @property
    def element(self) -> Shape:
        """The values of a map or a list."""
        ...


class UnknownOperation(ValueError):
    """No operation has this address, or it must not be called. The message is what is wrong with the address.

    `hint` says what to do. `word` is the part of it that is unknown; `known` are the words that it may be a typo of.
    """

    def __init__(self, reason: str, *, hint: str = "", word: str = "", known: tuple[str, ...] = ()) -> None:
        super().__init__(reason)
        self.hint = hint
        self.word = word
        self.known = known


class Operations(Protocol):
    """The operations that a document may use."""

    def input_of(self, address: str) -> Shape | None:
        """Return what the operation takes; None if it takes nothing. Raises UnknownOperation."""
        ...
