"""Effects: what is to happen outside of the run. They are executed before the head is committed.

The set is closed, and the service's effect executor handles each of them. A message that an effect sends is only a
hint to look at the run: its consumer acts on the run as it is stored, not on the message. Every write of an effect has
a key that makes it harmless to write twice.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final, TypeAlias

import msgspec

from chalicelib.model.json_values import Json
from chalicelib.model.run import Run
from chalicelib.model.times import Instant, Milliseconds


class DeliverAction(msgspec.Struct, frozen=True):
    """Send the activation's action."""

    uuid: str


class SetTimer(msgspec.Struct, frozen=True):
    """Wake the run at this moment."""

    at: Instant


class StoreBlob(msgspec.Struct, frozen=True):
    """Store a value as a blob of the run."""

    key: str
    value: Json


class OpenTask(msgspec.Struct, frozen=True):
    """Show the activation in the inbox, as a task for a person."""

    uuid: str


class Listen(msgspec.Struct, frozen=True):
    """Subscribe the activation to events of these names with this key, early ones included."""

    uuid: str
    names: tuple[str, ...]
    key: str
    until: Instant


class StartChild(msgspec.Struct, frozen=True):
    """Start the run that the activation waits for."""

    uuid: str


class ExecuteStep(msgspec.Struct, frozen=True):
    """Do what the activation's step is there for: publish its event, or start its run."""

    uuid: str


class StopChild(msgspec.Struct, frozen=True):
    """Stop the run, because its parent needs no result of it."""

    run: str


class SyncChild(msgspec.Struct, frozen=True):
    """Pause the child run or continue it, as its parent is paused or not."""

    run: str


class TellParent(msgspec.Struct, frozen=True):
    """Notify the run that waits for this one that it has ended."""


class TellSchedule(msgspec.Struct, frozen=True):
    """Notify the schedule that started this run that it has ended."""


class RequestPermit(msgspec.Struct, frozen=True):
    """Ask for the permit without which a run of its flow must not begin."""


class ReleasePermit(msgspec.Struct, frozen=True):
    """Return the permit of an activation that has ended or waits for a far retry, or of the run, which has ended."""

    uuid: str
    """That of the activation, or the id of the run."""
    limiter: str
    attempt: int | None = None
    """The attempt for which the activation waits; None: it has ended."""


Effect: TypeAlias = (
    DeliverAction
    | SetTimer
    | StoreBlob
    | OpenTask
    | Listen
    | StartChild
    | ExecuteStep
    | StopChild
    | SyncChild
    | TellParent
    | TellSchedule
    | RequestPermit
    | ReleasePermit
)


MAX_MESSAGE_DELAY_MS: Final[Milliseconds] = 15 * 60 * 1000
"""The longest delay of a message (a limit of SQS). Of a timer that fires later, the sweep sends a message."""


SILENT: Final = frozenset({StoreBlob, OpenTask})
"""The effects that are carried out without a message."""


class Outcome(StrEnum):
    """What an event did to its run."""

    ADVANCED = "advanced"
    PROGRESS = "progress"
    DUPLICATE = "duplicate"
    LATE = "late"
    """An answer to an activation that had ended: it moved nothing, and is kept in the history."""
    IGNORED = "ignored"
    """It was too late, or had its effect already: nothing changed."""


UNCHANGED: Final = (Outcome.IGNORED, Outcome.DUPLICATE)
"""The outcomes after which the head is the one that was given. A tuple: hashing a member of an enum takes longer."""


class Decision(msgspec.Struct, frozen=True):
    """The next head and the effects. If nothing changes, `run` is the head that was given."""

    run: Run
    outcome: Outcome
    effects: tuple[Effect, ...] = ()
