"""Statuses of a run."""

from __future__ import annotations

from enum import StrEnum
from typing import Final


class Status(StrEnum):
    PENDING = "pending"
    RUNNING = "running"
    PAUSED = "paused"
    COMPENSATING = "compensating"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELING = "canceling"
    CANCELED = "canceled"


ENDED: Final = frozenset({Status.SUCCEEDED, Status.FAILED, Status.CANCELED})

STOPPED: Final = frozenset({Status.FAILED, Status.CANCELED})

LIVE: Final = frozenset(Status) - ENDED

MOVING: Final = LIVE - {Status.PAUSED}
"""Statuses in which a run sends deliveries and its timer fires."""

READY: Final = "ready"

SUSPEND: Final = "suspend"


def current_state(status: Status, step: str) -> str:
    """Return echoer's name for the status; `step` is the step of the run's first token."""
    match status:
        case Status.PENDING:
            return READY
        case Status.PAUSED:
            return SUSPEND
        case Status.SUCCEEDED:
            return "done"
        case Status.FAILED | Status.CANCELED:
            return "stopped"
        case Status.RUNNING | Status.COMPENSATING | Status.CANCELING:
            return step
