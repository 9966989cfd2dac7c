"""Conversion of runs, definitions and events to JSON responses, in the shapes of `docs/http-api.md`.

A module of this package is loaded when something of it is first used: a cold start pays for those that it needs.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from chalicelib.entrypoints.http.presenters.batches import batch, batch_result
    from chalicelib.entrypoints.http.presenters.common import Resource, metadata, moment
    from chalicelib.entrypoints.http.presenters.definitions import activity, breaker, definition, last_hour, pause
    from chalicelib.entrypoints.http.presenters.events import MAX_WOKEN_NAMES, published, signal
    from chalicelib.entrypoints.http.presenters.history import entry, hook_delivery, task
    from chalicelib.entrypoints.http.presenters.run_steps import (
        changed_steps,
        started_steps,
        steps,
        waiting_steps,
        without_values,
    )
    from chalicelib.entrypoints.http.presenters.runs import history_states, run, state_of
    from chalicelib.entrypoints.http.presenters.summaries import summary
    from chalicelib.entrypoints.http.presenters.templates import action_of
    from chalicelib.entrypoints.http.presenters.values import ShortValues, Values

__all__ = [
    "MAX_WOKEN_NAMES",
    "Resource",
    "ShortValues",
    "Values",
    "action_of",
    "activity",
    "batch",
    "batch_result",
    "breaker",
    "changed_steps",
    "definition",
    "entry",
    "history_states",
    "hook_delivery",
    "last_hour",
    "metadata",
    "moment",
    "pause",
    "published",
    "run",
    "signal",
    "started_steps",
    "state_of",
    "steps",
    "summary",
    "task",
    "waiting_steps",
    "without_values",
]

_MODULES: Final = {
    "MAX_WOKEN_NAMES": "events",
    "Resource": "common",
    "ShortValues": "values",
    "Values": "values",
    "action_of": "templates",
    "activity": "definitions",
    "batch": "batches",
    "batch_result": "batches",
    "breaker": "definitions",
    "changed_steps": "run_steps",
    "definition": "definitions",
    "entry": "history",
    "history_states": "runs",
    "hook_delivery": "history",
    "last_hour": "definitions",
    "metadata": "common",
    "moment": "common",
    "pause": "definitions",
    "published": "events",
    "run": "runs",
    "signal": "events",
    "started_steps": "run_steps",
    "state_of": "runs",
    "steps": "run_steps",
    "summary": "summaries",
    "task": "history",
    "waiting_steps": "run_steps",
    "without_values": "run_steps",
}
"""What is used -> the module that has it."""


def __getattr__(name: str) -> Any:
    """Return what other modules use of this package."""
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = globals()[name] = getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
    return found
