"""When a message must be received again."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, TypeAlias

from chalicelib.model.run import Run
from chalicelib.model.times import Instant
from chalicelib.service.messages import Message
from chalicelib.service.ports.clock import Clock
from chalicelib.service.ports.runs import RunStore

WRITER_LIFETIME: Final = 6 * 60 * 1000
"""How long the writer that sent a message may still be about to commit: the longest function time-out and a margin."""

PAUSES: Final = (5, 20, 75)
"""Pauses before looking again at a run whose write is not there yet, in milliseconds."""

AGAIN: Final = 1_000
"""How soon a message comes again whose write is still not there, in milliseconds; ever later, up to LATEST."""

LATEST: Final = 60_000

Verdict: TypeAlias = int | None
"""In how many milliseconds a message must come again; None: it is done with."""


def not_yet(sent_at: Instant, now: Instant) -> Verdict:
    """When a hint is looked at again whose write is not there; None once whoever was to write cannot be alive.

    The pauses grow, since a queue counts how often it hands a message out, and gives up on those that come too often.
    """
    age = now - sent_at
    return None if age > WRITER_LIFETIME else min(max(AGAIN, age // 2), LATEST)


def read_with_retries(runs: RunStore, clock: Clock, messages_: Sequence[Message]) -> Run | None:
    """The head of the run of which the hints speak, given some moments to reach the versions that they speak of."""
    run = runs.load(messages_[0].namespace, messages_[0].run)
    for pause in PAUSES:
        if all(message.is_written(run) for message in messages_):
            break
        clock.sleep(pause)
        run = runs.load(messages_[0].namespace, messages_[0].run)
    return run
