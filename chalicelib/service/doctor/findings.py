"""What the doctor reports."""

from __future__ import annotations

from enum import StrEnum
from typing import Final

import msgspec

from chalicelib.model.times import Instant
from chalicelib.service.messages import Message

MAX_DETAIL_CHARS: Final = 1_000
"""The longest text of a run that a finding repeats: a report has many findings, and the whole text is in the run."""


class FindingKind(StrEnum):
    """The kinds of problems."""

    OVERDUE_TIMER = "alarm"
    """A deadline has passed without effect."""
    OVERDUE_DELIVERY = "delivery"
    """The next attempt of a delivery is overdue."""
    SILENT_STEP = "silent"
    """A step has waited without news for longer than the given time: its message may be lost."""
    IGNORED_REPLY = "reply"
    """The HTTP response of an action looked like an answer but was not valid, and the step still waits."""
    ENDED_CHILD = "child"
    """The run that a step waits for has ended."""
    OLD_ACTION = "action"
    """A step sends an older version of its action, because the newest has another contract."""
    FAILED_RUN = "failed"
    """The run failed; it can be retried."""
    FAILED_SLOT = "slot"
    """A schedule could not start its last run: its flow or its input has to be mended."""
    OVERDUE_SCHEDULE = "schedule"
    """A schedule is due, but nothing has looked at it."""
    FAILED_UNDO = "undo"
    """An undo of an ended run failed; it can be repeated."""
    PAUSED = "paused"
    """An action or a flow is paused."""
    STALLED_BATCH = "batch"
    """A batch has made no progress for a while."""
    DEAD_LETTER = "letter"
    """A message is in the dead-letter queue."""
    FAILING_HOOK = "hook"
    """A hook has not accepted notifications for a while."""
    ORPHANED_TASK = "task"
    """The inbox holds a task of a run that does not exist."""


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """A problem. `message` is the message that may repair it; `repaired`: what can be done was done."""

    kind: FindingKind
    run: str
    step: str = ""
    uuid: str = ""
    since: Instant | None = None
    detail: str = ""
    repaired: bool = False
    message: Message | None = None


class Report(msgspec.Struct, frozen=True):
    """The problems found among `looked_at` live runs; `complete`: these were all live runs."""

    findings: tuple[Finding, ...]
    looked_at: int
    complete: bool


def shortened(text: str) -> str:
    """Return the text, or its beginning with an ellipsis if it is too long for a finding."""
    return text if len(text) <= MAX_DETAIL_CHARS else text[: MAX_DETAIL_CHARS - 1] + "…"
