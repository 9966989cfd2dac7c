"""Describe a transition in one line, for the server's log, the demo and `fsl watch`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from chalicelib.model.history import Entry


def transition(entry: Mapping[str, Any]) -> str:
    """Describe a history entry of the API (docs/http-api.md).

    The result is like `A -> D by StepAcked SUCCESS`, or `A: DeliveryFailed (refused)`. Where the token is in a branch
    or an item, or undoes work, the line ends with that: `A -> D by StepAcked SUCCESS [branch left, item 3]`.
    """
    fields = {name: str(entry.get(name) or "") for name in ("from", "to", "step", "event", "state", "error")}
    cause = " ".join(word for word in (fields["event"], fields["state"]) if word)
    error = f" ({fields['error']})" if fields["error"] else ""
    if fields["from"] and fields["to"]:
        return f"{fields['from']} -> {fields['to']} by {cause}{error}{place(entry)}"
    step = fields["to"] or fields["step"]
    return (f"{step}: " if step else "") + cause + error + place(entry)


def place(entry: Mapping[str, Any]) -> str:
    """Return where the token of an entry is, in brackets: its branch and item, and whether it undoes work."""
    words = [f"branch {entry['branch']}"] if entry.get("branch") else []
    words += [f"item {entry['item']}"] if entry.get("item") is not None else []
    words += ["undo"] if entry.get("undo") else []
    return f" [{', '.join(words)}]" if words else ""


def fields_of(entry: Entry) -> Mapping[str, str]:
    """Return the fields of an entry of a head, by their names in the API."""
    return {
        "from": entry.origin,
        "to": entry.target,
        "step": entry.step,
        "event": entry.event,
        "state": entry.state,
        "error": entry.error,
    }
