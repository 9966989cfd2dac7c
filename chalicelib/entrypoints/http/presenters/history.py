"""Entries of a history, tasks and deliveries of hooks as JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal
from urllib.parse import quote

import msgspec

from chalicelib.engine.invocation import UNDO
from chalicelib.engine.scopes import scope_place
from chalicelib.entrypoints.http import echoer_types
from chalicelib.entrypoints.http.presenters.common import moment
from chalicelib.entrypoints.http.presenters.values import Values
from chalicelib.service.runs.references import MAX_SHOWN_BYTES, preview_of

if TYPE_CHECKING:
    from chalicelib.entrypoints.http import responses
    from chalicelib.model.history import Entry
    from chalicelib.model.json_values import Json
    from chalicelib.service.hooks.delivery_log import HookDelivery
    from chalicelib.service.inbox import OpenTask

AS_IT_IS: Final = Values("", {})
"""Shows values as they are."""


def entry(found: Entry, values: Values = AS_IT_IS) -> responses.Entry:
    """Return an entry of a run's history, with its values as `values` shows them. All fields are always present."""
    place, sent = scope_place(found.token), found.sent
    return {
        "seq": found.seq,
        "at": moment(found.at),
        "event": found.event,
        "late": found.event == "LateAnswer",
        "step": found.step,
        "token": found.token,
        "from": found.origin,
        "to": found.target,
        "state": found.state,
        "data": values.shown(found.data),
        "by": found.by,
        "uuid": found.uuid,
        "error": found.error,
        "error_name": found.error_name,
        "rule": found.rule,
        "vars": values.shown_map(found.vars),
        "removed": list(found.removed),
        "branch": place.branch,
        "item": place.item,
        "undo": found.token == UNDO,
        "sent": {"address": sent.address, "status": sent.status, "duration_ms": sent.duration} if sent else None,
    }


def task(found: OpenTask, links: dict[str, responses.AnswerLinks]) -> responses.Task:
    """Return a task for a person, with the names that its answer needs (`POST /step`)."""
    return {
        "flowId": found.run,
        "stepName": found.step,
        "uuid": found.uuid,
        "action": found.action,
        "kind": "approval" if found.approval else "task",
        "ackStates": list(found.states),
        "args": {name: _shown_arg(found, value) for name, value in found.args.items()},
        "since": moment(found.since),
        "deadline": moment(found.deadline),
        "flow": found.flow,
        "labels": found.labels,
        "routes": echoer_types.returns_of(found.step_definition) if found.step_definition else {},
        "links": links,
    }


def _shown_arg(found: OpenTask, value: Json) -> Json:
    """Return the arg, or a reference to the call that shows it if it is large: no task makes the inbox unreadable."""
    encoded = b"" if value is None or isinstance(value, (bool, int, float)) else msgspec.json.encode(value)
    if len(encoded) <= MAX_SHOWN_BYTES:
        return value
    path = f"/flowrun/{quote(found.run, safe='')}/activation/{found.uuid}"
    return {"$ref": path, "bytes": len(encoded), "preview": preview_of(encoded)}


def hook_delivery(one: HookDelivery) -> responses.HookDelivery:
    """Return one attempt to deliver a notification of a hook."""
    outcome: Literal["delivered", "failed", "given up"] = "delivered"
    if one.error:
        outcome = "failed" if one.next_at is not None else "given up"
    return {
        "id": one.id,
        "event": one.event,
        "run": one.run,
        "at": moment(one.at),
        "duration_ms": one.duration,
        "outcome": outcome,
        "status": one.status,
        "error": one.error,
        "next_at": moment(one.next_at),
    }
