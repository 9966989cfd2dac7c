"""Conversion of runs, definitions and events to JSON responses, in the shapes of `docs/http-api.md`."""

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
