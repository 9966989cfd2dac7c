"""What queries, labels, cursors and refusals mean: said once, for all stores."""

from __future__ import annotations

import hashlib
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Sequence
from typing import TypeAlias

import msgspec

from chalicelib.model.json_values import Json
from chalicelib.model.run import Run
from chalicelib.model.status import MOVING
from chalicelib.model.times import Instant
from chalicelib.service.errors import Conflict, Malformed, RunExists
from chalicelib.service.ports.definitions import Definition
from chalicelib.service.ports.runs import NewRun, RunQuery

Position: TypeAlias = tuple[Instant, str]
"""Where a run stands in a list: a moment of its life, then its name."""


def position_of(run: Run) -> Position:
    """The run's place in every listing, for all its life. The newest run has the greatest."""
    return run.created_at, run.name


def change_of(run: Run) -> Position:
    """The run's place among those whose status changed."""
    return run.status_at, run.name


def flow_of(run: Run) -> str:
    """The flow by which a run is found: a run that brought its own steps is found by its own name."""
    return run.definition.flow or run.name


def timer_of(run: Run) -> Instant | None:
    """When somebody must look at the run if nobody did. None if it has ended or is paused."""
    return run.timer_at if run.status in MOVING else None


def labels_of(run: Run) -> dict[str, str]:
    """The run's labels by which it can be found: scalars, as text; lists and maps are kept but not found."""
    texts = {key: _label_text(value) for key, value in run.labels.items()}
    return {key: text for key, text in texts.items() if text is not None}


def _label_text(value: Json) -> str | None:
    match value:
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case str() | int() | float():
            return str(value)
        case _:
            return None


def admits(query: RunQuery, run: Run) -> bool:
    """Whether the query asks for this run."""
    return (
        (query.statuses is None or run.status in query.statuses)
        and (query.flow is None or flow_of(run) == query.flow)
        and (query.since is None or run.created_at >= query.since)
        and (query.label is None or labels_of(run).get(query.label[0]) == query.label[1])
    )


def cursor_at(namespace: str, place: Position) -> str:
    """An opaque word for `place` that is worth something in `namespace` only. It goes into a URL as it is."""
    text = msgspec.json.encode(place)
    return urlsafe_b64encode(_checksum(namespace, text) + text).decode().rstrip("=")


def position_at(namespace: str, cursor: str) -> Position:
    """The place for which `cursor_at` gave this cursor. Raises Malformed for any other text."""
    try:
        raw = urlsafe_b64decode(cursor.encode("ascii") + b"=" * (-len(cursor) % 4))
        if raw[:8] == _checksum(namespace, raw[8:]):
            at, name = msgspec.json.decode(raw[8:], type=tuple[Instant, str])
            return at, name
    except (ValueError, msgspec.DecodeError):
        pass
    raise Malformed("the cursor is not one that a listing of this namespace gave")


def _checksum(namespace: str, text: bytes) -> bytes:
    return hashlib.sha256(namespace.encode() + b"\0" + text).digest()[:8]


def check_distinct(definitions: Sequence[Definition], runs: Sequence[NewRun]) -> None:
    """Nothing is submitted twice at once. Raises Conflict, RunExists."""
    seen: set[tuple[str, ...]] = set()
    for definition in definitions:
        if (definition.kind, definition.name) in seen:
            raise Conflict(f"{definition.kind} {definition.name!r} is submitted twice at once")
        seen.add((definition.kind, definition.name))
    for new in runs:
        if ("run", new.run.namespace, new.run.name) in seen:
            raise RunExists(new.run.name)
        seen.add(("run", new.run.namespace, new.run.name))


def not_next(definition: Definition) -> Conflict:
    """What is raised when a definition's version does not follow the newest one."""
    return Conflict(f"{definition.kind} {definition.name!r}: version {definition.version} is not the next one any more")


def not_newest(definition: Definition) -> Conflict:
    """What is raised when a definition is to be deleted that is no longer the newest."""
    return Conflict(f"{definition.kind} {definition.name!r}: version {definition.version} is not the newest any more")


def conflict_error(run: Run) -> Conflict:
    """What is raised when a head was written by somebody else."""
    return Conflict(f"flow_run {run.name!r} was written by somebody else")


def versioned_value_conflict(key: str) -> Conflict:
    """What is raised when a cell was written by somebody else."""
    return Conflict(f"cell {key!r} was written by somebody else")
