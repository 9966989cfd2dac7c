"""A transition in words, the same everywhere: in the server's log, in the demo, in `fsl watch`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from chalicelib.model.history import Entry


def transition(entry: Mapping[str, Any]) -> str:
    """A history entry (API.md, 4) in words: `A -> D by StepAcked SUCCESS`, or `A: DeliveryFailed (refused)`."""
    said = {name: str(entry.get(name) or "") for name in ("from", "to", "step", "event", "state", "error")}
    why = " ".join(word for word in (said["event"], said["state"]) if word)
    error = f" ({said['error']})" if said["error"] else ""
    if said["from"] and said["to"]:
        return f"{said['from']} -> {said['to']} by {why}{error}"
    where = said["to"] or said["step"]
    return (f"{where}: " if where else "") + why + error


def fields_of(entry: Entry) -> Mapping[str, str]:
    """The entry of a head, by the names that it has in the API."""
    return {
        "from": entry.origin,
        "to": entry.target,
        "step": entry.step,
        "event": entry.event,
        "state": entry.state,
        "error": entry.error,
    }
