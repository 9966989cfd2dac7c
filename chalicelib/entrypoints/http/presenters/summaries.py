"""Runs in brief: what lists and polls show of a run, however large it is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from chalicelib.entrypoints.http.presenters.common import metadata, moment
from chalicelib.model.status import LIVE, current_state
from chalicelib.service.runs.brief import Brief, brief_of

if TYPE_CHECKING:
    from chalicelib.entrypoints.http import responses
    from chalicelib.model.run import Run
    from chalicelib.model.run_error import StepError

MAX_ERROR_CHARACTERS: Final = 300
"""How many characters of an error a summary has."""


def summary(head: Run, *, is_cut: bool = False) -> responses.ListedRun:
    """Return a run in brief. `head` may be as stored. `is_cut`: the whole shape was asked for, and is too large."""
    brief = brief_of(head)
    spec: responses.ListedSpec = {
        "flow": head.definition.flow,
        "flow_version": head.definition.version,
        "status": head.status,
        "current_state": current_state(head.status, brief.step),
        "last_state": head.last_state,
        "last_event": head.last_event,
        "last_err": head.last_err[:MAX_ERROR_CHARACTERS],
        "error": _error(head.error),
        "seq": head.seq,
        "writes": head.version,
        "tokens": brief.tokens,
        "next_deadline": moment(brief.next_deadline if head.status in LIVE else None),
        "created_at": moment(head.created_at),
        "updated_at": moment(head.updated_at),
        "ended_at": moment(head.ended_at),
        "parent": _parent(brief),
        "sizes": {"input": brief.input_bytes, "global_variable": brief.vars_bytes, "output": brief.output_bytes},
    }
    if is_cut:
        spec["cut"] = True
    return {
        "metadata": metadata(head.name, "flowrun", head.namespace, head.version, head.id, head.labels),
        "spec": spec,
    }


def _error(error: StepError | None) -> responses.RunError | None:
    if error is None:
        return None
    return {
        "name": error.name,
        "cause": error.cause[:MAX_ERROR_CHARACTERS],
        "step": error.step,
        "state": error.state,
        "status": error.status,
        "data": None,
    }


def _parent(brief: Brief) -> responses.ParentRun | None:
    return {"run": brief.parent, "step": brief.parent_step} if brief.parent else None
