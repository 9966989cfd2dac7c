"""What can be paused, apart from runs and schedules."""

from __future__ import annotations

from enum import StrEnum


class HeldKind(StrEnum):
    """The kind of a definition that can be paused."""

    ACTION = "action"
    FLOW = "flow"
