"""Hooks: which events of runs are sent to the outside, and where."""

from __future__ import annotations

from enum import StrEnum
from typing import Final

from chalicelib.model.actions import Method
from chalicelib.model.json_values import FrozenValue, Json, ready, scalar_text
from chalicelib.model.run import Run
from chalicelib.model.status import Status

HOOK_METHODS: Final = (Method.HTTP, Method.HTTPS, Method.EVENTS)

DEFAULT_BUS: Final = "default"
"""The event bus that every account of AWS has."""


class HookEvent(StrEnum):
    """What a hook can be notified of."""

    RUN_STARTED = "run.started"
    RUN_SUCCEEDED = "run.succeeded"
    RUN_FAILED = "run.failed"
    RUN_CANCELED = "run.canceled"
    RUN_STUCK = "run.stuck"
    """The doctor finds that the run waits though it should have continued."""
    UNDO_FAILED = "undo.failed"
    TASK_OPENED = "task.opened"
    ACTION_PAUSED = "action.paused"
    """The breaker of an action has opened."""


*_OTHERS, _LAST = HookEvent

ANY_HOOK_EVENT: Final = f"{', '.join(_OTHERS)} or {_LAST}"
"""All of them, for messages."""

EVENT_OF_END: Final = {
    Status.SUCCEEDED: HookEvent.RUN_SUCCEEDED,
    Status.FAILED: HookEvent.RUN_FAILED,
    Status.CANCELED: HookEvent.RUN_CANCELED,
}


class Hook(FrozenValue, frozen=True, kw_only=True):
    """An address that is notified of events of runs: a URL, or an event bus of AWS (`method` is `events`)."""

    name: str
    on: tuple[HookEvent, ...]
    method: Method = Method.HTTP
    addresses: tuple[str, ...] = ()
    flow: str | None = None
    """Only runs of this flow; None: all runs. Events of actions come whatever it says."""
    labels: dict[str, Json] = {}
    """Only runs with all of these labels."""

    def wants(self, event: HookEvent, run: Run) -> bool:
        """Return whether the hook is notified of this event of the run."""
        if event not in self.on or self.flow not in (None, run.definition.flow):
            return False
        return all(
            name in run.labels and _text(run.labels[name]) == _text(value) for name, value in self.labels.items()
        )


def _text(value: Json) -> str:
    return value if isinstance(value, str) else scalar_text(value)


ready(Hook)
