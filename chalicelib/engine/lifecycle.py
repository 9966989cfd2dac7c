"""The life of a run, as tables.

A run is *live* until it has ended. It is `running` from its first step on. A run of a flow with a limit is `pending`
until its turn comes, when it is started and when it is retried. While `paused` it records answers and sends nothing. It
ends as `succeeded` (a route led to `done`), `failed` (a route led to `stopped`, or a step returned TIMEOUT or ERROR and
does not route it) or `canceled` (a person stopped it). If work is to be undone, it is `compensating` or `canceling`
until that is done. A run that has ended never changes, except that it can be deleted, that its labels can be changed,
that a person can `retry` a failed or canceled run where it stopped, and that a person can have undos that failed done
again, after which it ends as before.

    pending       ──> running | paused | compensating | failed | canceling | canceled
    running       ──> paused | compensating | succeeded | failed | canceling | canceled
    paused        ──> pending | running | compensating | succeeded | failed | canceling | canceled
    compensating  ──> paused | succeeded | failed | canceling | canceled
    succeeded     ──> compensating
    failed        ──> pending | running | compensating
    canceling     ──> paused | canceled
    canceled      ──> pending | running | canceling

The API's `current_state` shows this as echoer does: `ready`, the step's name, `suspend`, `stopped` or `done`.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Final

from chalicelib.model.status import ENDED, LIVE, MOVING, STOPPED, Status

_ENDING: Final = frozenset({Status.COMPENSATING, Status.CANCELING}) | ENDED

NEXT: Final[Mapping[Status, frozenset[Status]]] = {
    Status.PENDING: (_ENDING - {Status.SUCCEEDED}) | {Status.RUNNING, Status.PAUSED},
    Status.RUNNING: _ENDING | {Status.PAUSED},
    Status.PAUSED: _ENDING | {Status.RUNNING, Status.PENDING},
    Status.COMPENSATING: ENDED | {Status.PAUSED, Status.CANCELING},
    Status.CANCELING: frozenset({Status.PAUSED, Status.CANCELED}),
    Status.SUCCEEDED: frozenset({Status.COMPENSATING}),
    Status.FAILED: frozenset({Status.RUNNING, Status.PENDING, Status.COMPENSATING}),
    Status.CANCELED: frozenset({Status.RUNNING, Status.PENDING, Status.CANCELING}),
}
"""The statuses that may follow each status. `Transition.set_status` allows no other change."""


class Command(StrEnum):
    """What a person may ask of a run."""

    PAUSE = "pause"
    CONTINUE = "continue"
    STOP = "stop"
    RETRY = "retry"
    RETRY_UNDOS = "retry its undos"
    MIGRATE = "move to another version"
    GOTO = "go to another step"
    VARS = "change its variables"
    LABELS = "change its labels"
    SIGNAL = "take a signal"
    DELETE = "be deleted"


_IN_PROGRESS: Final = frozenset({Status.RUNNING, Status.PAUSED})

ALLOWED: Final[Mapping[Command, frozenset[Status]]] = {
    Command.PAUSE: MOVING,
    Command.CONTINUE: frozenset({Status.PAUSED}),
    Command.STOP: LIVE,
    Command.RETRY: STOPPED,
    Command.RETRY_UNDOS: ENDED,
    Command.MIGRATE: _IN_PROGRESS,
    Command.GOTO: _IN_PROGRESS,
    Command.VARS: LIVE,
    Command.LABELS: frozenset(Status),
    Command.SIGNAL: LIVE,
    Command.DELETE: ENDED,
}
"""The statuses in which a command is carried out."""

WITHOUT_EFFECT: Final[Mapping[Command, frozenset[Status]]] = {
    Command.PAUSE: frozenset({Status.PAUSED}),
    Command.CONTINUE: MOVING,
    Command.STOP: frozenset({Status.CANCELED}),
    Command.RETRY: frozenset(),
    Command.RETRY_UNDOS: frozenset(),
    Command.MIGRATE: frozenset(),
    Command.GOTO: frozenset(),
    Command.VARS: frozenset(),
    Command.LABELS: frozenset(),
    Command.SIGNAL: frozenset(),
    Command.DELETE: frozenset(),
}
"""The statuses in which a command has its effect already: repeating it changes nothing. In others it is refused."""
