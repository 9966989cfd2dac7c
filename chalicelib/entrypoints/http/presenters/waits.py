"""What tokens wait for, as JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chalicelib.entrypoints.http.presenters.common import moment
from chalicelib.service.details.kinds import WaitKind

if TYPE_CHECKING:
    from chalicelib.entrypoints.http.responses.waits import Waiting
    from chalicelib.service.details.waits import TokenWait


def waiting(found: TokenWait | None) -> Waiting | None:
    """Return what a token waits for; None if it waits for nothing."""
    if found is None:
        return None
    return {
        "kind": found.kind,
        "until": moment(found.until),
        "action": found.action,
        "event": next(iter(found.events), ""),
        "events": list(found.events),
        "key": found.key,
        "child": found.child,
        "person": found.kind in (WaitKind.PERSON, WaitKind.APPROVAL),
        "states": list(found.states),
        "retry_at": moment(found.retry_at),
        "left": max(found.left, 0),
    }
