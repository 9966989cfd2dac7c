"""What the engine orders beside the next head. Orders are sent before the head is committed, and obeyed after.

A closed set; the service's performer carries out each of them. A message that an order becomes is only a hint to look
at the run: whoever receives it obeys the run, not the message.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias

from chalicelib.engine.run import Instant, Run


@dataclass(frozen=True, slots=True)
class DeliverAction:
    """Send the activation's action."""

    uuid: str


@dataclass(frozen=True, slots=True)
class SetTimer:
    """Wake the run at that moment."""

    at: Instant


Effect: TypeAlias = DeliverAction | SetTimer


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
