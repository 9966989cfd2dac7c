"""The response to a published event, or to one that would be published."""

from typing import TypedDict

from chalicelib.entrypoints.http.responses.common import Count, Metadata
from chalicelib.entrypoints.http.responses.runs import EventSpec, Woken
from chalicelib.model.json_values import Json


class WouldWake(TypedDict, total=False):
    """How many runs an event would wake, and the names of the first 100: the response to a dry run."""

    would_wake: Count
    runs: list[str]


class EventReply(WouldWake, total=False):
    """An event that was just published, and the runs that it woke; with `dry_run` only those that it would wake."""

    metadata: Metadata
    spec: EventSpec
    event_type: Count
    message: str
    object: dict[str, Json]
    woken: Woken
