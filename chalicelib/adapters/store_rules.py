"""Rules that all stores share: conflicts, and the order of changes. Which runs match a query: `runs/matching.py`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from chalicelib.model.run import Run
from chalicelib.service.errors import Conflict, RunExists
from chalicelib.service.ports.cursors import Position
from chalicelib.service.ports.definitions import Definition
from chalicelib.service.ports.runs import NewRun

if TYPE_CHECKING:
    from chalicelib.service.ports.batches import Chunk


def change_of(run: Run) -> Position:
    """Return the run's position in the list by time of the last status change."""
    return run.status_at, run.name


def check_distinct(definitions: Sequence[Definition], runs: Sequence[NewRun]) -> None:
    """Check that a submission names each definition and run once. Raises Conflict, RunExists."""
    seen: set[tuple[str, ...]] = set()
    for definition in definitions:
        if (definition.kind, definition.name) in seen:
            raise Conflict(f"{definition.kind} {definition.name!r} is submitted twice in one document")
        seen.add((definition.kind, definition.name))
    for new in runs:
        if ("run", new.run.namespace, new.run.name) in seen:
            raise RunExists(new.run.name)
        seen.add(("run", new.run.namespace, new.run.name))


def not_next(definition: Definition) -> Conflict:
    """Return the error for a definition whose version does not follow the newest one."""
    return Conflict(f"{definition.kind} {definition.name!r}: version {definition.version} is no longer the next one")


def not_newest(definition: Definition) -> Conflict:
    """Return the error for the deletion of a definition that is no longer the newest."""
    return Conflict(f"{definition.kind} {definition.name!r}: version {definition.version} is no longer the newest")


def conflict_error(run: Run) -> Conflict:
    """Return the error for a save of a head that has changed since it was read."""
    return Conflict(f"flow_run {run.name!r} has changed since it was read; try again")


def schedule_conflict(name: str) -> Conflict:
    """Return the error for a write of a schedule's state that has changed since it was read."""
    return Conflict(f"schedule {name!r} has changed since it was read; try again")


def batch_conflict(batch_id: str) -> Conflict:
    """Return the error for a write of a batch that has changed since it was read."""
    return Conflict(f"batch {batch_id!r} has changed since it was read; try again")


def kind_of_chunk(chunk: Chunk) -> str:
    """Return the letter under which a chunk is stored: `t` for targets, `r` for results."""
    return "t" if chunk.targets else "r"


def versioned_value_conflict(key: str) -> Conflict:
    """Return the error for a write of a value that has changed since it was read."""
    return Conflict(f"value {key!r} has changed since it was read; try again")
