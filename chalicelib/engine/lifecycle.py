"""The life of a run, as tables.

A run is *live* until it has ended. It begins `running` at its first step (or `pending`, when it is to begin later).
While `paused` it records what its actions answer, and sends nothing. It ends `succeeded` (a route led to `done`),
`failed` (a route led to `stopped`, or a step returned TIMEOUT or ERROR that it does not route) or `canceled` (a person
stopped it). A saga passes through `compensating` first. Once ended, a run never changes, but for deletion, and for
`retry`, by which a person takes a failed or canceled run up again where it stood.

    pending ──> running <──> paused          pause, continue
       └──────────┼────────────┘
                  ├──> compensating ──> failed | canceled ──retry──> running
                  ├──> failed | canceled ──retry──> running
                  └──> succeeded

echoer speaks of `current_state` instead: `ready`, the step's name, `suspend`, `stopped`, `done` (see `current_state`).
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final


class Status(StrEnum):
    PENDING = "pending"
    RUNNING = "running"
    PAUSED = "paused"
    COMPENSATING = "compensating"
    COMPLETING = "completing"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELING = "canceling"
    CANCELED = "canceled"


class Order(StrEnum):
    """What a person may tell a run to do."""

    PAUSE = "pause"
    CONTINUE = "continue"
    STOP = "stop"
    RETRY = "retry"
    VARS = "change its variables"
    SIGNAL = "take a signal"
    DELETE = "be deleted"


ENDED: Final = frozenset({Status.SUCCEEDED, Status.FAILED, Status.CANCELED})
STOPPED: Final = frozenset({Status.FAILED, Status.CANCELED})
LIVE: Final = frozenset(Status) - ENDED
MOVING: Final = LIVE - {Status.PAUSED}
"""Statuses in which a run sends deliveries and its timers ring."""

OBEYED: Final[dict[Order, frozenset[Status]]] = {
    Order.PAUSE: MOVING,
    Order.CONTINUE: frozenset({Status.PAUSED}),
    Order.STOP: LIVE,
    Order.RETRY: STOPPED,
    Order.VARS: LIVE,
    Order.SIGNAL: LIVE,
    Order.DELETE: ENDED,
}
"""In which statuses an order is carried out."""

ALREADY: Final[dict[Order, frozenset[Status]]] = {
    Order.PAUSE: frozenset({Status.PAUSED}),
    Order.CONTINUE: MOVING,
    Order.STOP: frozenset({Status.CANCELED}),
    Order.RETRY: frozenset(),
    Order.VARS: frozenset(),
    Order.SIGNAL: frozenset(),
    Order.DELETE: frozenset(),
}
"""In which statuses it has its effect already: saying it again changes nothing. Anywhere else it is refused."""

READY: Final = "ready"
SUSPEND: Final = "suspend"


def current_state(status: Status, step: str) -> str:
    """echoer's word for where a run stands; `step` is the name of the step at which its first token stands."""
    match status:
        case Status.PENDING:
            return READY
        case Status.PAUSED:
            return SUSPEND
        case Status.SUCCEEDED:
            return "done"
        case Status.FAILED | Status.CANCELED:
            return "stopped"
        case Status.RUNNING | Status.COMPENSATING | Status.COMPLETING | Status.CANCELING:
            return step
