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

from chalicelib.model.status import ENDED, LIVE, MOVING, STOPPED, Status


class Command(StrEnum):
    """What a person may tell a run to do."""

    PAUSE = "pause"
    CONTINUE = "continue"
    STOP = "stop"
    RETRY = "retry"
    VARS = "change its variables"
    SIGNAL = "take a signal"
    DELETE = "be deleted"


OBEYED: Final[dict[Command, frozenset[Status]]] = {
    Command.PAUSE: MOVING,
    Command.CONTINUE: frozenset({Status.PAUSED}),
    Command.STOP: LIVE,
    Command.RETRY: STOPPED,
    Command.VARS: LIVE,
    Command.SIGNAL: LIVE,
    Command.DELETE: ENDED,
}
"""In which statuses an order is carried out."""

ALREADY: Final[dict[Command, frozenset[Status]]] = {
    Command.PAUSE: frozenset({Status.PAUSED}),
    Command.CONTINUE: MOVING,
    Command.STOP: frozenset({Status.CANCELED}),
    Command.RETRY: frozenset(),
    Command.VARS: frozenset(),
    Command.SIGNAL: frozenset(),
    Command.DELETE: frozenset(),
}
"""In which statuses it has its effect already: saying it again changes nothing. Anywhere else it is refused."""
