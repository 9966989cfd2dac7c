"""The port of the store of batches: commands over many runs, their targets and their results."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import Final, Protocol

import msgspec

from chalicelib.model.json_values import Json, ready
from chalicelib.model.times import Instant
from chalicelib.service.ports.runs import RunQuery

CHUNK_ITEMS: Final = 100
"""How many targets, or results, a chunk holds. The last one may hold fewer."""


class BatchStatus(StrEnum):
    """How far a batch is."""

    COLLECTING = "collecting"
    """It is still finding its runs."""
    RUNNING = "running"
    STOPPED = "stopped"
    DONE = "done"


class BatchOutcome(StrEnum):
    """What a batch did to a run."""

    DONE = "done"
    WOULD = "would"
    """A dry run found nothing that forbids it."""
    REFUSED = "refused"
    MISSING = "missing"
    """There is no such run any more."""
    BUSY = "busy"
    """Too many others changed the run, or the store was overloaded."""


class Target(msgspec.Struct, frozen=True, array_like=True):
    """A run of a batch. `id` and `seq` are those that it had when it was found; empty and 0 if it was named."""

    name: str
    id: str = ""
    seq: int = 0


class Result(msgspec.Struct, frozen=True, array_like=True):
    """What became of a run, and why."""

    name: str
    outcome: BatchOutcome
    reason: str = ""


class Chunk(msgspec.Struct, frozen=True):
    """A part of the targets or results of a batch. It is replaced as a whole."""

    targets: tuple[Target, ...] = msgspec.field(name="t", default=())
    results: tuple[Result, ...] = msgspec.field(name="r", default=())


class Batch(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A command over many runs. Each step of its work is one write of this value."""

    id: str
    """Sorts by when it was created."""
    version: int = msgspec.field(name="vn", default=1)
    status: BatchStatus = msgspec.field(name="st", default=BatchStatus.COLLECTING)
    command: str = msgspec.field(name="do")
    args: dict[str, Json] = msgspec.field(name="wi", default_factory=dict)
    select: dict[str, Json] = msgspec.field(name="se", default_factory=dict)
    """The filters as they were given."""
    query: RunQuery | None = msgspec.field(name="qu", default=None)
    """What finds its runs; None: they were named."""
    dry_run: bool = msgspec.field(name="dr", default=False)
    rate: float = msgspec.field(name="ra")
    """How many runs per second it commands at most."""
    by: str = ""
    created_at: Instant = msgspec.field(name="ca")
    updated_at: Instant = msgspec.field(name="ua")
    ended_at: Instant | None = msgspec.field(name="ea", default=None)
    expires_at: Instant = msgspec.field(name="xa")
    """When it is forgotten."""
    cursor: str | None = msgspec.field(name="cu", default=None)
    """Where the list of its runs goes on, while it is collecting."""
    matched: int = msgspec.field(name="ma", default=0)
    recorded: int = msgspec.field(name="re", default=0)
    """How many of its runs have a result."""
    counts: dict[BatchOutcome, int] = msgspec.field(name="co", default_factory=dict)
    attempts: int = msgspec.field(name="at", default=0)
    """How often the next run was busy."""
    tried: int = msgspec.field(name="tr", default=0)
    """How many of its runs, from the first on, attempts may have commanded, also those without a result."""
    owner: str = msgspec.field(name="ow", default="")
    """Identifies the process that is working on it; empty: none is."""
    owned_until: Instant = msgspec.field(name="ou", default=0)
    """When others may take the work over from its owner."""

    @property
    def is_ended(self) -> bool:
        """Whether nothing more is done."""
        return self.status in (BatchStatus.STOPPED, BatchStatus.DONE)


class BatchStore(Protocol):
    """Stores batches and their chunks until they expire."""

    def save(self, namespace: str, batch: Batch, seen: int | None) -> None:
        """Write the batch if the stored version is `seen`; None: if there is none. Raises Conflict if not."""
        ...

    def load(self, namespace: str, batch_id: str) -> Batch | None:
        """Return the batch. Consistent."""
        ...

    def list(self, namespace: str, now: Instant, limit: int, before: str = "") -> Sequence[Batch]:
        """Return at most `limit` batches that have not expired at `now`, newest first, below the id `before`."""
        ...

    def put_chunk(self, namespace: str, batch: Batch, number: int, chunk: Chunk) -> None:
        """Write a chunk of targets or of results; it replaces the one of that number and kind."""
        ...

    def targets(self, namespace: str, batch_id: str, number: int) -> tuple[Target, ...]:
        """Return the targets of a chunk; none if there is no such chunk. Consistent."""
        ...

    def results(self, namespace: str, batch_id: str, number: int) -> tuple[Result, ...]:
        """Return the results of a chunk; none if there is no such chunk. Consistent."""
        ...


ready(Batch, Chunk)
