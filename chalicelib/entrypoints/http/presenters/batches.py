"""Batches as JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chalicelib.entrypoints.http.presenters.common import moment
from chalicelib.service.batches.commands import BatchCommand
from chalicelib.service.ports.batches import Batch, BatchOutcome, Result

if TYPE_CHECKING:
    from chalicelib.entrypoints.http import responses


def batch(found: Batch) -> responses.Batch:
    """Return how far a batch is."""
    counts = {outcome: found.counts.get(outcome, 0) for outcome in BatchOutcome}
    return {
        "id": found.id,
        "status": found.status,
        "do": BatchCommand(found.command),
        "with": found.args,
        "select": found.select,
        "dry_run": found.dry_run,
        "rate": found.rate,
        "by": found.by,
        "created_at": moment(found.created_at),
        "updated_at": moment(found.updated_at),
        "ended_at": moment(found.ended_at),
        "expires_at": moment(found.expires_at),
        "matched": found.matched,
        "done": counts[BatchOutcome.DONE],
        "would": counts[BatchOutcome.WOULD],
        "refused": counts[BatchOutcome.REFUSED],
        "missing": counts[BatchOutcome.MISSING],
        "busy": counts[BatchOutcome.BUSY],
        "left": found.matched - found.recorded,
    }


def batch_result(result: Result) -> responses.BatchResult:
    """Return what became of a run."""
    return {"run": result.name, "outcome": result.outcome, "reason": result.reason}
