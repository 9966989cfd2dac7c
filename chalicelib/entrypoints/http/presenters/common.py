"""What the presenters of all resources share: metadata and times."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, overload

from chalicelib.model.times import Instant, rfc3339

if TYPE_CHECKING:
    from chalicelib.entrypoints.http import responses
    from chalicelib.model.json_values import Json

Resource = Literal["action", "flow", "flowrun", "step", "event", "eventtype", "config", "schedule", "hook"]


def metadata(
    name: str, kind: Resource, namespace: str, version: int, uuid: str, labels: dict[str, Json] | None = None
) -> responses.Metadata:
    return {
        "name": name,
        "kind": kind,
        "namespace": namespace,
        "version": version,
        "uuid": uuid,
        "labels": labels or {},
    }


@overload
def moment(at: Instant) -> str: ...


@overload
def moment(at: Instant | None) -> str | None: ...


def moment(at: Instant | None) -> str | None:
    """Return the time as RFC 3339 in UTC with milliseconds."""
    return None if at is None else rfc3339(at)
