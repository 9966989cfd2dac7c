"""What the engine orders beside the next head. Orders are carried out before the head is committed, and obeyed after.

A closed set; the service's performer carries out each of them. A message that an order becomes is only a hint to look
at the run: whoever receives it obeys the run, not the message. What an order writes, it writes under a key that makes
writing it again harmless.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias

from chalicelib.model.json_values import Json
from chalicelib.model.run import Run
from chalicelib.model.times import Instant


@dataclass(frozen=True, slots=True)
class DeliverAction:
    """Send the activation's action."""

    uuid: str


@dataclass(frozen=True, slots=True)
class SetTimer:
    """Wake the run at that moment."""

    at: Instant


@dataclass(frozen=True, slots=True)
class StoreBlob:
    """Put a value beside the head, to be read by the shelf."""

    key: str
    value: Json


@dataclass(frozen=True, slots=True)
class OpenTask:
    """A person must see the activation in the inbox."""

    uuid: str


@dataclass(frozen=True, slots=True)
class Listen:
    """The activation waits for events of these names with that key: those that come, and those that came early."""

    uuid: str
    names: tuple[str, ...]
    key: str
    until: Instant


@dataclass(frozen=True, slots=True)
class StartChild:
    """Start the run for which the activation waits."""

    uuid: str


@dataclass(frozen=True, slots=True)
class StopChild:
    """Nobody waits any more for the end of that run."""

    run: str


@dataclass(frozen=True, slots=True)
class TellParent:
    """Tell the run that waits for this one that it has ended."""


Effect: TypeAlias = DeliverAction | SetTimer | StoreBlob | OpenTask | Listen | StartChild | StopChild | TellParent


class Outcome(StrEnum):
    """What became of an event."""

    ADVANCED = "advanced"
    PROGRESS = "progress"
    DUPLICATE = "duplicate"
    IGNORED = "ignored"
    """It came too late, or says what is so already: nothing changed."""


@dataclass(frozen=True, slots=True)
class Decision:
    """The next head and what to order. `run` is the very head that was given where nothing changes."""

    run: Run
    outcome: Outcome
    effects: tuple[Effect, ...] = ()
