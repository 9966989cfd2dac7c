"""What is measured: how each system is started, and what a step of it survives."""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Final, Protocol, TypeAlias
from urllib.parse import urlsplit

from bench.machine import wire
from bench.machine.load import Window
from bench.machine.processes import Process, cpu_of_group

Meter: TypeAlias = Callable[[int, float, float], Window]
"""Measures a window: number of clients, seconds to warm up, seconds."""

REQUIREMENTS: Final = Path(__file__).resolve().parents[1] / "requirements-peers.txt"


def version(package: str) -> str:
    """Return the version of a package that the requirements pin."""
    lines = REQUIREMENTS.read_text().splitlines()
    return next(line.partition("==")[2] for line in lines if line.partition("==")[0].partition("[")[0] == package)


class Role(Enum):
    OWN = "Echoer"
    PEER = "peer"
    FLOOR = "floor"


class Form(Enum):
    """How the service gives its answer. Rows are compared with the peers' rows of the same form."""

    DIRECT = "direct"
    CALLBACK = "callback"


@dataclass(frozen=True)
class Row:
    name: str
    form: Form


@dataclass(frozen=True)
class Service:
    """The running service: its URL, and the group of its process."""

    url: str
    group: int

    def cpu(self) -> float:
        """Return the CPU time that it has used, in seconds."""
        return cpu_of_group(self.group)

    def requests(self) -> int:
        """Return how many steps it was asked to do."""
        with wire.Kept(urlsplit(self.url).netloc) as kept:
            return int(str(kept.post("/requests", {})))


@dataclass(frozen=True)
class Running:
    """A running system: a meter for each name of a row, and its processes, in groups of their own."""

    meters: Mapping[str, Meter]
    groups: tuple[Process, ...]


@dataclass(frozen=True)
class Durability:
    """Whether an acknowledged step survives, and how that is known."""

    kill: str
    power: str
    how: str


class System(Protocol):
    """A system. It is started anew for each round."""

    role: Role
    rows: tuple[Row, ...]

    def running(self, folder: Path, service: Service) -> AbstractContextManager[Running]:
        """Start it in a new folder, beside that service.

        Raises Unavailable if it cannot be installed or started.
        """
        ...

    def durability(self) -> Durability:
        """Return what the rows survive; called after it has been started."""
        ...
