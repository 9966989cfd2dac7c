"""The parts of responses that the Go types of the original echoer read (pkg/resource): numbers, texts and maps."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import msgspec

from chalicelib.model.actions import ArgType, Method
from chalicelib.model.flow import Route, Step
from chalicelib.model.json_values import Json

SERVE_TYPES: Final[dict[Method, int]] = {
    Method.HTTP: 0,
    Method.HTTPS: 0,
    Method.GRPC: 1,
    Method.HUMAN: 2,
    Method.QUEUE: 3,
    Method.LAMBDA: 4,
    Method.AWS: 5,
}
"""The number of each method. 0 and 1 are echoer's; the others are Echoer's own."""

PARAM_TYPES: Final[dict[ArgType, int]] = {
    ArgType.STR: 0,
    ArgType.INT: 1,
    ArgType.FLOAT: 1,
    ArgType.BOOL: 2,
    ArgType.LIST: 3,
    ArgType.MAP: 4,
    ArgType.ANY: 5,
}
"""The number of each type. 0 and 1 are echoer's, where 1 admits every number; the others are Echoer's own."""

ADDED: Final = 0
"""The number of the event type `Added`."""

_EVENT_FIELDS: Final = frozenset({"event_type", "message", "object"})


def returns_of(step: Step) -> dict[str, str]:
    """Map each route of the step to its target: `STATE`, `STATE when EXPRESSION`, `when EXPRESSION` or `else`."""
    returns: dict[str, str] = {}
    for route in step.routes:
        returns.setdefault(_label(route), route.target)
    return returns


def _label(route: Route) -> str:
    condition = "" if route.when is None else f"when {' '.join(route.when.split())}"
    return " ".join(part for part in (route.state or "", condition) if part) or "else"


def text_of(data: Json) -> str:
    """Return the data of an answer as text: a string as it is, any other value as JSON. No data is the empty text."""
    if data is None or isinstance(data, str):
        return data or ""
    return msgspec.json.encode(data).decode()


def event_data(event_type: int, message: str, content: Mapping[str, Json]) -> dict[str, Json]:
    """Return the data of an event that was published in echoer's form."""
    return {"event_type": event_type, "message": message, "object": dict(content)}


def event_fields(name: str, data: Json) -> tuple[int, str, dict[str, Json]]:
    """Return the event type, the message and the object of a published event, whichever form it was published in."""
    if isinstance(data, Mapping) and data.keys() == _EVENT_FIELDS:
        event_type, message, content = data["event_type"], data["message"], data["object"]
        if _is_event_type(event_type) and isinstance(message, str) and isinstance(content, Mapping):
            return event_type, message, dict(content)
    content = data if isinstance(data, Mapping) else {} if data is None else {"data": data}
    return ADDED, name, dict(content)


def _is_event_type(value: Json) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**31
