"""What a run is shown with beside its state, as JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from chalicelib.entrypoints.http.presenters.waits import waiting
from chalicelib.service.runs.brief import parent_of

if TYPE_CHECKING:
    from chalicelib.entrypoints.http import responses
    from chalicelib.entrypoints.http.responses import run_details as shapes
    from chalicelib.model.json_values import Json
    from chalicelib.model.run import Run
    from chalicelib.service.details.cost import Cost
    from chalicelib.service.details.progress import Progress
    from chalicelib.service.details.run_details import Child, RunDetails
    from chalicelib.service.details.step_functions import StepFunctionsCost


def with_details(shown: responses.Run, head: Run, found: RunDetails) -> Json:
    """Return the run with its details."""
    spec: dict[str, Any] = dict(shown["spec"])
    spec["tokens"] = [
        {**token, "waits_for": waiting(found.waits.get(token["id"]))} for token in shown["spec"]["tokens"]
    ]
    spec["parent"] = _parent(head)
    spec["children"] = [_child(one) for one in found.children]
    spec["each"] = [progress(one) for one in found.eaches]
    spec["cost"] = cost(found.cost)
    return {**shown, "spec": spec}


def cost(found: Cost) -> shapes.Cost:
    """Return what a run has cost."""
    return {
        "writes": found.writes,
        "reads": found.reads,
        "messages": found.messages,
        "pages": found.pages,
        "steps": found.steps,
        "answers": found.answers,
        "bytes": found.bytes,
        "usd": found.usd,
        "usd_by_service": found.usd_by_service,
        "step_functions_usd": found.step_functions_usd,
        "prices": found.prices,
    }


def compared_cost(found: Cost, there: StepFunctionsCost) -> shapes.ComparedCost:
    """Return what a run has cost, and what Step Functions would have asked for it."""
    standard, express = there.standard, there.express
    return {
        **cost(found),
        "step_functions": {
            "standard": {
                "transitions": standard.transitions,
                "usd": standard.usd,
                "complete": standard.complete,
            },
            "express": {
                "requests": express.requests,
                "duration_ms": express.duration_ms,
                "memory_mb": express.memory_mb,
                "gb_seconds": express.gb_seconds,
                "usd": express.usd,
                "fits": express.fits,
            },
        },
    }


def progress(found: Progress) -> shapes.Progress:
    """Return how far an each is."""
    return {
        "step": found.step,
        "token": found.token,
        "total": found.total,
        "done": found.done,
        "failed": found.failed,
        "running": found.running,
        "left": found.left,
    }


def _parent(head: Run) -> responses.ParentRun | None:
    run, step = parent_of(head)
    return {"run": run, "step": step} if run else None


def _child(found: Child) -> shapes.Child:
    return {
        "run": found.run,
        "step": found.step,
        "token": found.token,
        "uuid": found.uuid,
        "state": found.state,
        "stopping": found.is_stopping,
    }
