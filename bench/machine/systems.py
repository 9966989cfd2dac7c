"""What is measured: how each system is started, and what a step of it survives."""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Final, Protocol, TypeAlias

from bench.machine.load import Window

Meter: TypeAlias = Callable[[int, float, float], Window]
"""Measures a window: number of clients, seconds to warm up, seconds."""

REQUIREMENTS: Final = Path(__file__).resolve().parents[1] / "requirements-peers.txt"


class Role(Enum):
    OWN = "Echoer"
    PEER = "peer"
    FLOOR = "floor"


@dataclass(frozen=True)
class Durability:
    """Whether an acknowledged step survives, and how that is known."""

    kill: str
    power: str
    how: str


class System(Protocol):
    """A system. It is started anew for each round."""

    role: Role
    rows: tuple[str, ...]

    def running(self, folder: Path, service: str) -> AbstractContextManager[Mapping[str, Meter]]:
        """Start it in a new folder, beside the service of that URL; return a meter by name of a row.

        Raises Unavailable if it cannot be installed or started.
        """
        ...

    def durability(self) -> Durability:
        """Return what the rows survive; called after it has been started."""
        ...
