"""Describe a transition in one line, for the server's log, the demo and `fsl watch`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from chalicelib.model.history import Entry
from chalicelib.model.ids import ROOT


def transition(entry: Mapping[str, Any]) -> str:
    """Describe a history entry of the API (docs/http-api.md).

    The result is like `A -> D by StepAcked SUCCESS`, or `A: DeliveryFailed (refused)`. Branches, items and undos are
    named before it: `[north] B -> done by StepAcked OK`, `[item 3] ...`, `[undo] ...`.
    """
    fields = {name: str(entry.get(name) or "") for name in ("from", "to", "step", "event", "state", "error")}
    cause = " ".join(word for word in (fields["event"], fields["state"]) if word)
    error = f" ({fields['error']})" if fields["error"] else ""
    where = place(entry)
    where = f"[{where}] " if where else ""
    if fields["from"] and fields["to"]:
        return f"{where}{fields['from']} -> {fields['to']} by {cause}{error}"
    step = fields["to"] or fields["step"]
    return where + (f"{step}: " if step else "") + cause + error


def place(entry: Mapping[str, Any]) -> str:
    """Return the branch, the item or the undo that the entry is about; its token if it names none of them.

    Empty for the first token of a run.
    """
    item = entry.get("item")
    words = [entry.get("branch"), f"item {item}" if item is not None else "", "undo" if entry.get("undo") else ""]
    token = str(entry.get("token") or ROOT)
    return " ".join(str(word) for word in words if word) or ("" if token == ROOT else token)


def fields_of(entry: Entry) -> Mapping[str, str]:
    """Return the fields of an entry of a head, by their names in the API."""
    return {
        "from": entry.origin,
        "to": entry.target,
        "step": entry.step,
        "event": entry.event,
        "state": entry.state,
        "error": entry.error,
        "token": entry.token,
    }
