"""Runs as JSON."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from chalicelib.engine.admission import described
from chalicelib.entrypoints.http.presenters.common import metadata, moment
from chalicelib.entrypoints.http.presenters.run_steps import steps, without_large_variables
from chalicelib.entrypoints.http.presenters.values import Values
from chalicelib.model import flow
from chalicelib.model.actions import shown_args
from chalicelib.model.ids import ROOT
from chalicelib.model.status import READY, Status, current_state

if TYPE_CHECKING:
    from chalicelib.entrypoints.http import responses
    from chalicelib.model.history import Entry
    from chalicelib.model.pending_undo import PendingUndo
    from chalicelib.model.run import Run, Token
    from chalicelib.model.run_error import StepError
    from chalicelib.service.runs.read import RunView


def run(view: RunView, shows: type[Values] = Values) -> responses.Run:
    """Return a run, with its values as `shows` shows them.

    In lists, `steps` and `history_states` cover only the newest transitions.
    """
    head, values = view.run, shows(view.run.name, view.large)
    return {
        "metadata": metadata(head.name, "flowrun", head.namespace, head.version, head.id, head.labels),
        "spec": {
            "steps": [without_large_variables(step) for step in steps(view, shows)],
            "history_states": history_states(view.entries),
            "current_state": state_of(head),
            "last_state": head.last_state,
            "last_event": head.last_event,
            "last_err": head.last_err,
            "error": _error(head.error),
            "global_variable": values.shown_map(head.vars),
            "status": head.status,
            "waits_for": _what_it_waits_for(view) if head.status is Status.PENDING else "",
            "flow": head.definition.flow,
            "flow_version": head.definition.version,
            "input": values.shown_input(head.input),
            "output": values.shown(head.output),
            "tokens": [_token(token, values) for token in head.tokens],
            "failed_undos": [_failed_undo(undo, values) for undo in head.undos if undo.failed],
            "start_at": moment(head.start_at),
            "created_at": moment(head.created_at),
            "updated_at": moment(head.updated_at),
            "ended_at": moment(head.ended_at),
            "seq": head.seq,
        },
    }


def _what_it_waits_for(view: RunView) -> str:
    """Say for what a pending run waits."""
    head = view.run
    if head.gated and head.start_at is not None:
        return "its start time"
    if head.gated:
        return f"the continuation of flow {head.definition.flow!r}, which is paused"
    return described(view.definition.flow, head)


def _error(error: StepError | None) -> responses.RunError | None:
    if error is None:
        return None
    return {
        "name": error.name,
        "cause": error.cause,
        "step": error.step,
        "state": error.state,
        "status": error.status,
        "data": error.data,
    }


def state_of(head: Run) -> str:
    """Return the `current_state`, a field of the original echoer."""
    return current_state(head.status, head.tokens[0].step if head.tokens else "")


def history_states(entries: Iterable[Entry]) -> list[str]:
    """Return the steps of the run in the order of the entries. The end of a branch or item is not an end of the run."""
    states: list[str] = []
    for entry in entries:
        if entry.seq == 1:
            states.append(READY)
        if entry.target and (entry.token == ROOT or entry.target not in flow.ENDS):
            states.append(entry.target)
    return states


def _failed_undo(undo: PendingUndo, values: Values) -> responses.FailedUndo:
    return {
        "step": undo.step,
        "uuid": undo.uuid,
        "state": undo.state,
        "action": undo.action,
        "args": values.shown_map(shown_args(undo.args)),
        "incomplete": bool(undo.incomplete),
        "error": undo.failed,
    }


def _token(token: Token, values: Values) -> responses.Token:
    wait = token.activation
    return {
        "id": token.id,
        "step": token.step,
        "uuid": wait.uuid if wait else "",
        "since": moment(wait.since) if wait else None,
        "deadline": moment(wait.deadline) if wait else None,
        "attempt": wait.attempt if wait else 0,
        "retry_at": moment(wait.retry_at) if wait else None,
        "held": wait.held if wait else False,
        **_scope_vars(token, values),
    }


def _scope_vars(token: Token, values: Values) -> responses.ScopeVars:
    """Return the variables of the scopes that begin at the token, if there are any."""
    if token.vars is None and token.fork_vars is None:
        return {}
    return {"vars": values.shown_map({**(token.vars or {}), **(token.fork_vars or {})})}
