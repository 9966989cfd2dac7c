"""What the supervisor gives to a member, and what they say to each other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from chalicelib.config import Settings

CONNECTION: Final = b"c"
"""The supervisor sends it with the descriptor of a connection."""
STOP: Final = b"q"
"""The supervisor sends it when the server stops."""
QUIET: Final = b"s"
"""The supervisor sends it when transitions of runs are not to be logged,"""
LOUD: Final = b"l"
"""and this when they are again."""
READY: Final = b"r"
"""A member sends it when it serves; else it sends why it cannot start."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """What a member is given. The member inherits the descriptors."""

    settings: Settings
    process: int
    """The number of the member, from 0."""
    control: int
    """A socket to the supervisor."""
    memory: int
    """The memory that all share."""
    inbox: int
    """The pipe from which it reads notes of the others."""
    core: int | None
    """The core that it stays on; None: the system decides, at any moment."""
    outboxes: tuple[int, ...]
    """The pipes of all members to write notes to."""
