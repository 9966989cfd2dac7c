"""Problems of a machine, each at its place."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum


class Level(StrEnum):
    """How grave a problem is."""

    ERROR = "error"
    """The machine is no valid ASL, or a part of it cannot be said in FSL."""
    WARNING = "warning"
    """A part of the machine behaves differently in FSL."""
    NOTE = "note"
    """Something that the reader of the FSL text must know or give."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One problem.

    Attributes:
        pointer: The JSON pointer (RFC 6901) of the place in the machine, for example `/States/Map/ItemReader`; empty
            for the whole machine.
        level: How grave it is.
        message: What is wrong, one sentence without a full stop.
    """

    pointer: str
    level: Level
    message: str


def pointer(parent: str, *keys: str | int) -> str:
    """Return the JSON pointer of what `keys` lead to below `parent`."""
    return parent + "".join("/" + str(key).replace("~", "~0").replace("/", "~1") for key in keys)


def has_errors(problems: Sequence[Problem]) -> bool:
    """Return whether one of the problems is an error."""
    return any(problem.level is Level.ERROR for problem in problems)
