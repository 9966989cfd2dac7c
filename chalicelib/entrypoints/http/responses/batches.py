"""Responses about batches."""

from typing import TypedDict

from chalicelib.entrypoints.http.responses.common import Count, Moment
from chalicelib.model.json_values import Json
from chalicelib.service.batches.commands import BatchCommand
from chalicelib.service.ports.batches import BatchOutcome, BatchStatus


class BatchResult(TypedDict):
    """What a batch did to a run, and why not."""

    run: str
    outcome: BatchOutcome
    reason: str


Batch = TypedDict(
    "Batch",
    {
        "id": str,
        "status": BatchStatus,
        "do": BatchCommand,
        "with": dict[str, Json],
        "select": dict[str, Json],
        "dry_run": bool,
        "rate": float,
        "by": str,
        "created_at": Moment,
        "updated_at": Moment,
        "ended_at": Moment | None,
        "expires_at": Moment,
        "matched": Count,
        "done": Count,
        "would": Count,
        "refused": Count,
        "missing": Count,
        "busy": Count,
        "left": Count,
    },
)
Batch.__doc__ = """A command over many runs. `matched` runs are commanded in all; while the status is `collecting`, more
are being found. `done`, `would` (of a dry run), `refused`, `missing` and `busy` count what became of them; `left` have
no result yet. `select` has the filters, or how many `names` were given."""


class BatchWithResults(Batch):
    """A batch, and a page of what became of its runs."""

    results: list[BatchResult]
