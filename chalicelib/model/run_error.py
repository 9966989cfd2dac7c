"""Errors of steps and runs: their names, and the value that says which error it was and where (fsl/manual.md, 7)."""

from __future__ import annotations

from enum import StrEnum

import msgspec

from chalicelib.model.json_values import FrozenValue, Json


class ErrorName(StrEnum):
    """The names of Echoer's own errors. Services and flows give errors names of their own."""

    TIMEOUT = "Timeout"
    HEARTBEAT_TIMEOUT = "HeartbeatTimeout"
    REFUSED = "Refused"
    """The service answered with a final HTTP status."""
    UNDELIVERABLE = "Undeliverable"
    """The action could not be sent, or all attempts failed."""
    EXPRESSION_FAILED = "ExpressionFailed"
    APPROVAL_REJECTED = "ApprovalRejected"
    APPROVAL_EXPIRED = "ApprovalExpired"
    BRANCHES_FAILED = "BranchesFailed"
    ITEMS_FAILED = "ItemsFailed"
    CHILD_FAILED = "ChildFailed"
    CHILD_CANCELED = "ChildCanceled"
    RUNAWAY_LOOP = "RunawayLoop"
    TOO_LARGE = "TooLarge"
    NOT_ROUTED = "NotRouted"
    NO_MATCH = "NoMatch"
    FORBIDDEN = "Forbidden"
    CIRCUIT_OPEN = "CircuitOpen"
    STOPPED = "Stopped"
    """A route led to `stopped` without naming an error."""


class StepError(FrozenValue, frozen=True):
    """The error of a step: what `$error` is, and what a run stores if it stops there."""

    name: str = msgspec.field(name="n")
    cause: str = msgspec.field(name="c", default="")
    step: str = msgspec.field(name="s", default="")
    """The step that returned the error."""
    state: str = msgspec.field(name="t", default="")
    """The state that was answered, where saving or routing it failed; otherwise the state that the step returned."""
    status: int | None = msgspec.field(name="h", default=None)
    """The HTTP status of a final refusal."""
    data: Json = msgspec.field(name="d", default=None)
    """The data that came with the state."""

    @property
    def text(self) -> str:
        """The error as one line."""
        return f"{self.name}: {self.cause}" if self.cause else self.name
