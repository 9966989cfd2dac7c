"""Which runs match a query, and by what stores find them. Pure."""

from __future__ import annotations

from chalicelib.model.labels import searchable
from chalicelib.model.run import Run
from chalicelib.model.status import LIVE, STOPPED, Status
from chalicelib.model.times import Instant
from chalicelib.service.ports.runs import RunQuery
from chalicelib.service.runs.brief import brief_of


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
    """Return whether the run matches the query. It may be as it is stored, without the values of large fields."""
    labels = labels_of(run) if query.labels else {}
    return (
        (query.statuses is None or run.status in query.statuses)
        and (query.flow is None or flow_of(run) == query.flow)
        and (query.version is None or run.definition.version == query.version)
        and (not query.undo_failed or undo_failed(run) is not None)
        and (query.since is None or run.created_at >= query.since)
        and (query.until is None or run.created_at <= query.until)
        and (query.error is None or error_of(run) == query.error)
        and (query.parent is None or parent_of(run) == query.parent)
        and run.name.startswith(query.name_prefix)
        and all(labels.get(label) == value for label, value in query.labels)
        and (query.due_before is None or is_due(run, query.due_before))
    )


def error_of(run: Run) -> str | None:
    """Return the name of the error of a run that has stopped; None for others."""
    return run.error.name if run.error and run.status in STOPPED else None


def parent_of(run: Run) -> str | None:
    return run.parent.run if run.parent else None


def is_due(run: Run, before: Instant) -> bool:
    """Return whether a deadline of the run ends before that time. Its timer may be set for an earlier time."""
    timer, deadline = timer_of(run), brief_of(run).next_deadline
    return run.status in LIVE and timer is not None and timer < before and (deadline or timer) < before
