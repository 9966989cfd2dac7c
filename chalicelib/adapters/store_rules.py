"""Rules that all stores share: listing order, filters, labels, cursors and conflicts."""

from __future__ import annotations

from collections.abc import Sequence

from chalicelib.model.labels import searchable
from chalicelib.model.run import Run
from chalicelib.model.status import Status
from chalicelib.model.times import Instant
from chalicelib.service.errors import Conflict, RunExists
from chalicelib.service.ports.batches import Chunk
from chalicelib.service.ports.cursors import Position
from chalicelib.service.ports.definitions import Definition
from chalicelib.service.ports.runs import NewRun, RunQuery


def change_of(run: Run) -> Position:
    """Return the run's position in the list by time of the last status change."""
    return run.status_at, run.name


def flow_of(run: Run) -> str:
    """Return the flow that a run is listed under; a run with steps of its own is listed under its own name."""
    return run.definition.flow or run.name


def timer_of(run: Run) -> Instant | None:
    """Return the time at which the run must be woken, or deleted if it has ended; None if there is none, or a pause."""
    return None if run.status is Status.PAUSED else run.timer_at


def undo_failed(run: Run) -> int | None:
    """Return 1 if an undo of the run failed, else None: indexes of such runs hold no others."""
    return 1 if run.failed_undos else None


def labels_of(run: Run) -> dict[str, str]:
    """Return the searchable labels as text: the scalars. Lists and maps are stored but cannot be searched."""
    return searchable(run.labels)


def admits(query: RunQuery, run: Run) -> bool:
    """Return whether the run matches the query."""
    return (
        (query.statuses is None or run.status in query.statuses)
        and (query.flow is None or flow_of(run) == query.flow)
        and (not query.undo_failed or undo_failed(run) is not None)
        and (query.since is None or run.created_at >= query.since)
        and (query.label is None or labels_of(run).get(query.label[0]) == query.label[1])
    )


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
