"""What a step returns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from chalicelib.model.json_values import Json


@dataclass(frozen=True, slots=True, kw_only=True)
class StepResult:
    """What a step returned: its state, with its data or its error."""

    state: str
    data: Json = None
    error: str = ""
    event: str = "StepPassed"
    """The name of its history entry."""
    variables: Mapping[str, Json] = field(default_factory=dict)
    """Variables that an answer set."""
    signal: Json = None
    """The event that the step waited for: `$event`."""
