"""Notifications of hooks as CloudEvents 1.0 in JSON."""

from __future__ import annotations

import hashlib
from typing import Final
from urllib.parse import quote

import msgspec

from chalicelib.engine.announcements import Announcement
from chalicelib.engine.values.secret_values import masked
from chalicelib.model.hooks import HookEvent
from chalicelib.model.json_values import Json
from chalicelib.model.run import Run
from chalicelib.model.times import Instant, rfc3339

CONTENT_TYPE: Final = "application/cloudevents+json"

_OF_END: Final = (HookEvent.RUN_SUCCEEDED, HookEvent.RUN_FAILED, HookEvent.RUN_CANCELED)


def event_id(run: Run, place: int, one: Announcement) -> str:
    """Return the id of a notification: the same for the same event of the same run. `place` is where in its history."""
    return _id_of(f"{run.id}/{place}/{one.event}/{one.uuid}")


def pause_id(namespace: str, action: str, version: int) -> str:
    """Return the id of the notification that version `version` of the action's breaker is open."""
    return _id_of(f"{namespace}/{action}/{version}/{HookEvent.ACTION_PAUSED}")


def _id_of(place: str) -> str:
    digits = hashlib.sha256(place.encode()).hexdigest()
    return f"{digits[:8]}-{digits[8:12]}-8{digits[13:16]}-a{digits[17:20]}-{digits[20:32]}"


def cloud_event(run: Run, event: str, one: Announcement) -> str:
    """Return the body of a notification, with secrets masked. `event` is its id."""
    data: dict[str, Json] = {
        "namespace": run.namespace,
        "run": run.name,
        "run_id": run.id,
        "flow": run.definition.flow,
        "flow_version": run.definition.version,
        "status": _status(run, one.event),
        "labels": run.labels,
        "started_at": rfc3339(run.created_at),
        "step": one.step or None,
        "detail": one.detail or None,
        "parent": run.parent.run if run.parent else None,
    }
    if one.event is HookEvent.RUN_FAILED and run.error is not None:
        data["error"] = {"name": run.error.name, "cause": run.error.cause, "step": run.error.step}
    if one.event in _OF_END:
        data["ended_at"] = rfc3339(one.at)
    if one.event is HookEvent.TASK_OPENED and (token := run.token_of(one.uuid)) and token.activation:
        data["deadline"] = rfc3339(token.activation.deadline)
    return _body(run.namespace, event, one.event, run.name, one.at, data)


def cloud_event_of_pause(namespace: str, event: str, action: str, at: Instant, failures: int, until: Instant) -> str:
    """Return the body of the notification that a breaker opened after `failures` failed deliveries, until `until`."""
    data: dict[str, Json] = {
        "namespace": namespace,
        "action": action,
        "failures": failures,
        "open_until": rfc3339(until),
    }
    return _body(namespace, event, HookEvent.ACTION_PAUSED, action, at, data)


def _body(namespace: str, event: str, kind: HookEvent, subject: str, at: Instant, data: Json) -> str:
    body = {
        "specversion": "1.0",
        "id": event,
        "source": f"urn:echoer:{quote(namespace, safe='')}",
        "type": f"echoer.{kind}",
        "subject": subject,
        "time": rfc3339(at),
        "datacontenttype": "application/json",
        "data": masked(data),
    }
    return msgspec.json.encode(body).decode()


def _status(run: Run, event: HookEvent) -> str:
    """Return the status that the event led to: the run may have another one by now."""
    return event.removeprefix("run.") if event in _OF_END else str(run.status)
