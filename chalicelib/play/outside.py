"""What happened outside of a run in a play: answers, failed deliveries, events and commands."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

from chalicelib.engine.invocation import invocation_of
from chalicelib.model.actions import Retry
from chalicelib.model.definition import Definition
from chalicelib.model.json_values import Json
from chalicelib.model.run import Run
from chalicelib.model.run_error import StepError
from chalicelib.model.times import Instant, Milliseconds
from chalicelib.play.moves import CommandMove


@dataclass(frozen=True, slots=True)
class Answered:
    """An action or a person answered, or reported progress."""

    at: Instant
    uuid: str
    state: str
    data: Json
    vars: dict[str, Json]
    error: StepError | None
    is_done: bool


@dataclass(frozen=True, slots=True)
class Failed:
    """A delivery failed."""

    at: Instant
    uuid: str
    error: str
    status: int | None
    is_final: bool
    retry_after: Milliseconds


@dataclass(frozen=True, slots=True)
class Published:
    """An event was published; with `run`, it was sent to that run."""

    at: Instant
    name: str
    key: str
    data: Json
    run: str


@dataclass(frozen=True, slots=True)
class Commanded:
    """A user commanded the run."""

    at: Instant
    move: CommandMove


Log: TypeAlias = Sequence[Answered | Failed | Published | Commanded]


def whole_delay(definition: Definition, run: Run | None, uuid: str) -> Milliseconds:
    """Return the longest delay before the next delivery, if the one to that activation fails now.

    Elsewhere a part of it is drawn, so that deliveries that failed together do not come back together; a play waits for
    the whole, which is the same each time.
    """
    token = run.sent_of(uuid) if run is not None else None
    activation = token.activation if token is not None else None
    invocation = invocation_of(definition, run, token) if run is not None and token is not None else None
    if activation is None or invocation is None:
        return 0
    retry = invocation.options.retry or Retry()
    return int(min(retry.delay * retry.rate ** (activation.attempt - activation.settled), retry.cap))
