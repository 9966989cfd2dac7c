"""Decide when a message must be received again because the head that it belongs to is not committed yet."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, TypeAlias

from chalicelib.model.run import Run
from chalicelib.model.times import Instant
from chalicelib.service.messages import Message
from chalicelib.service.ports.clock import Clock
from chalicelib.service.ports.runs import RunStore

WRITER_LIFETIME_MS: Final = 6 * 60 * 1000
"""How long the sender of a message may still commit its head: the longest function timeout and a margin."""

READ_PAUSES_MS: Final = (5, 20, 75)
"""Pauses before a head that is not committed yet is read again."""

MIN_REDELIVERY_MS: Final = 1_000
"""The shortest delay before a message is received again because its head is not committed yet."""

MAX_REDELIVERY_MS: Final = 60_000
"""The longest such delay."""

Redelivery: TypeAlias = int | None
"""The milliseconds until a message must be received again; None: it is done."""


def until_committed(sent_at: Instant, now: Instant) -> Redelivery:
    """Return when to look again for a head that is not committed; None once its writer can no longer be running.

    The delays grow, because a queue moves messages that it delivers too often to the dead-letter queue.
    """
    age = now - sent_at
    return None if age > WRITER_LIFETIME_MS else min(max(MIN_REDELIVERY_MS, age // 2), MAX_REDELIVERY_MS)


def read_with_retries(runs: RunStore, clock: Clock, batch: Sequence[Message]) -> Run | None:
    """Return the head of the run of these messages, after waiting a moment for the versions that they name."""
    run = runs.load(batch[0].namespace, batch[0].run)
    for pause in READ_PAUSES_MS:
        if all(message.is_written(run) for message in batch):
            break
        clock.sleep(pause)
        run = runs.load(batch[0].namespace, batch[0].run)
    return run
