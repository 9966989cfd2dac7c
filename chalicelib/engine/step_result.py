"""What a step returns."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from chalicelib.expressions import NOTHING, Nothing
from chalicelib.model.json_values import Json
from chalicelib.model.run_error import StepError


class StepResult(msgspec.Struct, frozen=True, kw_only=True):
    """What a step returned: its state, with its data or its error."""

    state: str
    data: Json = None
    error: StepError | None = None
    event: str = "StepPassed"
    """The name of its history entry."""
    variables: Mapping[str, Json] = msgspec.field(default_factory=dict)
    """Variables that an answer set."""
    signal: Json | Nothing = NOTHING
    """The event that the step waited for: `$event`."""
    response: Json = None
    """`$response`: the status and the headers that an action without callback answered with."""
    is_read: bool = False
    """Whether its data is as it should be: text in it is not read as JSON."""
    too_large: str = ""
    """Why its data is missing: it was too large."""
    after_failure: bool = False
    """Whether something failed after the step returned: it returns ERROR for this reason, and saves nothing."""
